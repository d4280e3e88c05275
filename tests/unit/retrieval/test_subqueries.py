"""Parts of a question, fused by rank: numbers worked by hand."""

import numpy as np
import pytest

from retrieval.subqueries import PartHit, SubQuery, fuse_parts, without_repeats
from retrieval.types import Hit, LegScore

NOTE, SITE = SubQuery("note", "itchy plaques"), SubQuery("body site", "elbow", 0.5, proposes=False)
LIKELY = SubQuery("candidate psoriasis", "psoriasis", 0.5)


def hits(ids: str, cosine: float = 0.5) -> list[Hit]:
    """One letter an item, best first."""
    return [Hit(one, 1.0, {"semantic": LegScore(cosine, rank)}) for rank, one in enumerate(ids, start=1)]


def fused(*given: tuple[SubQuery, str], best: int = 2) -> list[PartHit]:
    return fuse_parts([query for query, _ in given], [hits(ids) for _, ids in given], best)


def test_ranks_are_added_by_weight() -> None:
    found = fused((NOTE, "abc"), (LIKELY, "bd"))
    assert [one.hit.id for one in found] == ["b", "a", "d"]
    assert [one.hit.score for one in found] == pytest.approx(
        [1 / (60 + 2) + 0.5 / (60 + 1), 1 / (60 + 1), 0.5 / (60 + 2)]
    )


def test_a_hit_names_the_parts_among_whose_best_it_is() -> None:
    found = {one.hit.id: one.parts for one in fused((NOTE, "abc"), (LIKELY, "bdc"))}
    assert found == {"a": ("note",), "b": ("note", "candidate psoriasis"), "d": ("candidate psoriasis",)}


def test_deeper_ranks_vote_and_bring_nothing() -> None:
    """`b` and `c` both stand second in one part; only `b` is known to the other one, further down."""
    found = fused((NOTE, "ac"), (SubQuery("findings", "scale"), "xyb"), (SubQuery("again", "scale"), "ab"))
    assert [one.hit.id for one in found] == ["a", "b", "x", "c", "y"]
    assert found[1].hit.score == pytest.approx(1 / (60 + 3) + 1 / (60 + 2))
    assert found[1].parts == ("again",)


def test_a_body_site_orders_what_others_find_and_brings_nothing_by_itself() -> None:
    found = fused((NOTE, "ab"), (SITE, "zb"))
    assert [(one.hit.id, one.parts) for one in found] == [("b", ("note", "body site")), ("a", ("note",))]
    assert fused((SITE, "zb")) == []


def test_equal_scores_are_ordered_by_id_whatever_the_order_of_the_parts() -> None:
    other = SubQuery("findings", "scale")
    for parts in (((NOTE, "b"), (other, "a")), ((other, "a"), (NOTE, "b"))):
        assert [one.hit.id for one in fused(*parts)] == ["a", "b"]


def test_the_legs_are_those_of_the_part_that_counts_most() -> None:
    found = fuse_parts([NOTE, LIKELY], [hits("ab", 0.3), hits("b", 0.9)], 2)
    legs = {one.hit.id: one.hit.legs["semantic"] for one in found}
    assert legs == {"a": LegScore(0.3, 1), "b": LegScore(0.3, 2)}  # 1/62 of the note against 0.5/61 of the candidate


@pytest.mark.parametrize("best", [0, -1])
def test_nothing_asked_for_is_nothing(best: int) -> None:
    assert fused((NOTE, "ab"), best=best) == []


def test_copies_that_two_parts_found_are_one_with_both_parts() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
    found = without_repeats(fused((NOTE, "ab"), (LIKELY, "c")), vectors, 0.98)
    assert [(one.hit.id, one.parts) for one in found] == [("a", ("note", "candidate psoriasis")), ("b", ("note",))]
    assert [one.hit.id for one in without_repeats(fused((NOTE, "ab"), (LIKELY, "c")), vectors, 1.1)] == ["a", "b", "c"]
    assert without_repeats([], np.zeros((0, 2), dtype=np.float32), 0.98) == []
