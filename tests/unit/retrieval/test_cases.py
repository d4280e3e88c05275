"""Case retrieval with vectors set by hand: pictures and notes are directions in the plane."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from retrieval.cases import CaseOptions, find_cases
from retrieval.errors import QueryRefused
from retrieval.hybrid import TextQuery
from retrieval.leakage import GuardTable
from retrieval.lexical import LayeredLexical, LexicalIndex, tokenize
from retrieval.types import LegScore, Mask, Ranking, Vectors
from retrieval.vectors import ExactVectors, LayeredVectors
from retrieval.view import CaseCollection, Collection

NO_NOTE = "no note: cases were found by picture alone"


def degrees(*angles: float | None) -> Vectors:
    """Unit vectors at these angles; None is a zero row."""
    turned = [(0, 0) if a is None else (np.cos(np.radians(a)), np.sin(np.radians(a))) for a in angles]
    return np.array(turned, dtype=np.float32).reshape(len(angles), 2)


def layered(matrix: Vectors) -> LayeredVectors:
    return LayeredVectors(ExactVectors(matrix[:0]), matrix)


def cases(
    ids: str, pictures: Sequence[float], captions: Sequence[float | None], words: Sequence[str] = (), labels: str = ""
) -> CaseCollection:
    texts = list(words) or ["" for _ in ids]
    alive = np.ones(len(ids), dtype=np.bool_)
    vectors = layered(degrees(*captions))
    collection = Collection(tuple(ids), alive, vectors, LayeredLexical(LexicalIndex.build([]), texts))
    return CaseCollection(
        collection,
        layered(degrees(*pictures)),
        vectors.nonzero(),
        GuardTable.of([]),
        ("x",),
        np.array(list(labels or "x" * len(ids)), dtype=np.str_),
    )


def note(angle: float, words: str = "") -> TextQuery:
    return TextQuery(degrees(angle)[0], tokenize(words))


def find(
    found_in: CaseCollection, picture: float | Sequence[float], text: TextQuery | None, allowed: Mask | None = None,
    **options: float | str | bool,
) -> Ranking:  # fmt: skip
    pictures = degrees(*([picture] if isinstance(picture, int | float) else picture))
    mask = np.ones(len(found_in.ids), dtype=np.bool_) if allowed is None else allowed
    return find_cases(found_in, pictures, text, mask, CaseOptions(**options))  # type: ignore[arg-type]


def ids(ranking: Ranking) -> str:
    return "".join(hit.id for hit in ranking.hits)


def scores(ranking: Ranking) -> dict[str, float]:
    return {hit.id: hit.score for hit in ranking.hits}


def nearly(value: float) -> Any:
    return pytest.approx(value)


def cos(angle: float) -> float:
    return float(np.cos(np.radians(angle)))


TWO = cases("ab", pictures=[10, 60], captions=[80, 20])


def test_strategy_b_weighs_picture_and_note() -> None:
    found = scores(find(TWO, 0, note(0), alpha=0.7))
    assert found["a"] == pytest.approx(0.7 * cos(10) + 0.3 * cos(80))
    assert found["b"] == pytest.approx(0.7 * cos(60) + 0.3 * cos(20))


@pytest.mark.parametrize(("alpha", "order"), [(1.0, "ab"), (0.0, "ba")])
def test_alpha_is_the_share_of_the_picture(alpha: float, order: str) -> None:
    assert ids(find(TWO, 0, note(0), alpha=alpha)) == order


def test_alpha_one_is_the_picture_s_cosine_alone() -> None:
    assert scores(find(TWO, 0, note(0), alpha=1.0)) == pytest.approx({"a": cos(10), "b": cos(60)})


def test_alpha_zero_is_the_caption_s_cosine_alone() -> None:
    assert scores(find(TWO, 0, note(0), alpha=0.0)) == pytest.approx({"a": cos(80), "b": cos(20)})


def test_strategy_a_compares_the_picture_with_the_captions_and_ignores_the_note() -> None:
    found = scores(find(TWO, 0, note(90), strategy="A", alpha=0.5))
    assert found["a"] == pytest.approx(0.5 * cos(10) + 0.5 * cos(80))
    assert find(TWO, 0, None, strategy="A", alpha=0.5).warnings == ()
    assert "lexical" not in find(TWO, 0, note(90, "plaque"), strategy="A").hits[0].legs


def test_without_a_note_the_picture_alone_decides_and_that_is_said() -> None:
    ranking = find(TWO, 0, None, alpha=0.1)
    assert scores(ranking) == pytest.approx({"a": cos(10), "b": cos(60)})
    assert ranking.warnings == (NO_NOTE,)


def test_with_a_note_nothing_is_said() -> None:
    assert find(TWO, 0, note(0)).warnings == ()


def test_several_pictures_count_as_their_mean() -> None:
    found = scores(find(TWO, [0, 40], None))
    assert found["a"] == pytest.approx((cos(10) + cos(30)) / 2)
    assert found["b"] == pytest.approx((cos(60) + cos(20)) / 2)


def test_no_picture_is_refused() -> None:
    with pytest.raises(QueryRefused, match="no picture"):
        find(TWO, [], note(0))


def test_a_case_without_a_caption_gets_the_mean_of_the_others() -> None:
    three = cases("abc", pictures=[10, 10, 10], captions=[0, None, 60])
    found = scores(find(three, 0, note(0), alpha=0.5))
    assert found["b"] == pytest.approx(0.5 * cos(10) + 0.5 * (cos(0) + cos(60)) / 2)
    assert ids(find(three, 0, note(0), alpha=0.5)) == "abc"


def test_a_case_without_a_caption_is_no_candidate_of_the_caption_leg() -> None:
    three = cases("abc", pictures=[10, 10, 10], captions=[0, None, 60])
    ranks = {hit.id: hit.legs["caption"].rank for hit in find(three, 0, note(0)).hits}
    assert ranks == {"a": 1, "b": None, "c": 2}


def test_where_no_case_has_a_caption_the_note_changes_nothing() -> None:
    bare = cases("ab", pictures=[60, 10], captions=[None, None])
    found = scores(find(bare, 0, note(0), alpha=0.5))
    assert found == pytest.approx({"a": 0.5 * cos(60), "b": 0.5 * cos(10)})


def test_every_hit_says_what_each_leg_thought() -> None:
    best = find(cases("ab", [10, 60], [80, 20], ["wart", "nevus"]), 0, note(0, "nevus")).hits[0]
    assert best.id == "a"
    assert best.legs["picture"] == LegScore(nearly(cos(10)), 1)
    assert best.legs["caption"] == LegScore(nearly(cos(80)), 2)
    assert best.legs["lexical"] == LegScore(0, None)


def test_words_propose_but_do_not_score() -> None:
    worded = cases("ab", [10, 60], [80, 20], ["wart", "nevus nevus nevus"])
    plain = find(worded, 0, note(0))
    assert scores(find(worded, 0, note(0, "nevus"))) == scores(plain)


def test_what_may_not_be_shown_is_not_found() -> None:
    assert ids(find(TWO, 0, note(0), np.array([False, True]))) == "b"
    assert ids(find(TWO, 0, note(0), np.array([False, False]))) == ""


def test_the_mean_for_captionless_cases_is_that_of_what_may_be_shown() -> None:
    three = cases("abc", pictures=[10, 10, 10], captions=[0, None, 60])
    found = scores(find(three, 0, note(0), np.array([False, True, True]), alpha=0.5))
    assert found["b"] == pytest.approx(0.5 * cos(10) + 0.5 * cos(60))


def test_no_more_hits_than_asked_for() -> None:
    assert ids(find(TWO, 0, note(0), k=1)) == "a"


def test_equal_scores_come_by_id_whatever_the_rows() -> None:
    alike = cases("cab", pictures=[10, 10, 10], captions=[20, 20, 20])
    assert ids(find(alike, 0, note(0))) == "abc"


def test_an_empty_collection_finds_nothing() -> None:
    assert find(cases("", [], []), 0, note(0)).hits == ()


# --- hard negatives ------------------------------------------------------------------------------------------------

LABELLED = cases("abcdef", pictures=[0, 10, 20, 30, 40, 50], captions=[0] * 6, labels="nnnmmv")


def test_hard_negatives_are_the_nearest_of_another_label() -> None:
    ranking = find(LABELLED, 0, None, hard_negatives=True, against="m", k=4)
    assert ids(ranking) == "abcf"
    assert ranking.warnings == (NO_NOTE, "hard negatives: only cases that are not 'm'")


def test_without_a_label_it_is_the_one_of_most_neighbours_that_is_left_out() -> None:
    assert ids(find(LABELLED, 0, None, hard_negatives=True)) == "def"


def test_the_majority_is_that_of_what_may_be_shown_and_of_equals_the_nearest() -> None:
    only = np.array([False, False, True, True, False, True])
    assert ids(find(LABELLED, 0, None, only, hard_negatives=True)) == "df"


def test_hard_negatives_keep_the_scores_they_have() -> None:
    plain = scores(find(LABELLED, 0, note(0), alpha=0.7))
    hard = scores(find(LABELLED, 0, note(0), alpha=0.7, hard_negatives=True, against="n"))
    assert hard == pytest.approx({name: plain[name] for name in "def"})


def test_where_there_is_nothing_there_are_no_hard_negatives() -> None:
    assert find(cases("", [], []), 0, None, hard_negatives=True).hits == ()
