"""Hybrid search of a small collection whose vectors are set by hand."""

from typing import Any

import numpy as np
import pytest

from retrieval.hybrid import HybridOptions, TextQuery, search_text
from retrieval.lexical import LayeredLexical, LexicalIndex, tokenize
from retrieval.types import LegScore, Mask, Ranking, Vectors
from retrieval.vectors import ExactVectors, LayeredVectors
from retrieval.view import Collection

SILENT = "no word of the query occurs in the corpus: ranked by meaning alone"
EAST = np.array([1, 0], dtype=np.float32)


def at(*cosines: float) -> Vectors:
    """Unit vectors in the plane with these cosines to EAST, on alternating sides so that none repeats another."""
    sides = [1 if number % 2 else -1 for number in range(len(cosines))]
    return np.array([(c, side * (1 - c * c) ** 0.5) for c, side in zip(cosines, sides, strict=True)], dtype=np.float32)


def collection(vectors: Vectors, texts: list[str], ids: str, alive: Mask | None = None, base: int = 0) -> Collection:
    return Collection(
        ids=tuple(ids),
        alive=np.ones(len(texts), dtype=np.bool_) if alive is None else alive,
        vectors=LayeredVectors(ExactVectors(vectors[:base]), vectors[base:]),
        lexical=LayeredLexical(LexicalIndex.build(texts[:base]), texts[base:]),
    )


def search(found_in: Collection, words: str, allowed: Mask | None = None, **options: float) -> Ranking:
    given = HybridOptions(**{"near_duplicate": 2.0, **options})  # type: ignore[arg-type]
    return search_text(found_in, TextQuery(EAST, tokenize(words)), given, allowed)


def ids(ranking: Ranking) -> str:
    return "".join(hit.id for hit in ranking.hits)


def nearly(value: float) -> Any:
    return pytest.approx(value)


THREE = collection(at(0.9, 0.5, 0.1), ["wart", "nevus nevus", "nevus of the back with hair"], "abc")


def test_scores_are_pooled_and_fused() -> None:
    hits = {hit.id: hit for hit in search(THREE, "nevus").hits}
    words = {name: hit.legs["lexical"].score for name, hit in hits.items()}
    assert hits["a"].score == pytest.approx(0.6 * 1 + 0.4 * 0)
    assert hits["b"].score == pytest.approx(0.6 * (0.5 - 0.1) / (0.9 - 0.1) + 0.4 * 1)
    assert hits["c"].score == pytest.approx(0.6 * 0 + 0.4 * words["c"] / words["b"])
    assert ids(search(THREE, "nevus")) == "bac"


def test_every_hit_says_what_each_leg_thought() -> None:
    best, second, _ = search(THREE, "nevus").hits
    assert best.legs["semantic"] == LegScore(nearly(0.5), 2)
    assert best.legs["lexical"].rank == 1
    assert second.legs["semantic"] == LegScore(nearly(0.9), 1)
    assert second.legs["lexical"] == LegScore(0, None)


def test_words_that_match_nothing_leave_the_order_to_meaning_and_say_so() -> None:
    ranking = search(THREE, "verruca")
    assert ids(ranking) == "abc"
    assert ranking.warnings == (SILENT,)


def test_words_that_match_cause_no_warning() -> None:
    assert search(THREE, "nevus").warnings == ()


def test_one_weight_alone_is_one_leg_alone() -> None:
    assert ids(search(THREE, "nevus", semantic_weight=1.0)) == "abc"
    assert ids(search(THREE, "nevus", semantic_weight=0.0)) == "bca"


def test_the_floor_drops_what_only_shares_words() -> None:
    assert ids(search(THREE, "nevus", cosine_floor=0.2)) == "ba"
    assert ids(search(THREE, "nevus", cosine_floor=0.95)) == ""


def test_no_more_hits_than_asked_for() -> None:
    assert ids(search(THREE, "nevus", k=1)) == "b"
    assert ids(search(THREE, "nevus", k=0)) == ""


def test_equal_scores_come_by_id_whatever_the_rows() -> None:
    found_in = collection(np.repeat(EAST[None], 3, axis=0), ["nevus"] * 3, "cab")
    assert ids(search(found_in, "nevus")) == "abc"


def test_the_worse_of_two_that_nearly_repeat_each_other_is_left_out() -> None:
    twins = collection(np.vstack([at(0.9, 0.5), at(0.9, 0.1)]), ["wart"] * 4, "abcd")
    assert ids(search(twins, "", near_duplicate=0.98)) == "abd"


def test_duplicates_do_not_use_up_places() -> None:
    twins = collection(np.vstack([at(0.9, 0.5), at(0.9, 0.1)]), ["wart"] * 4, "abcd")
    assert ids(search(twins, "", near_duplicate=0.98, k=3)) == "abd"


def test_what_is_not_alive_or_not_allowed_is_not_found() -> None:
    texts = ["wart", "nevus nevus", "nevus of the back with hair"]
    alive = np.array([True, False, True])
    assert ids(search(collection(at(0.9, 0.5, 0.1), texts, "abc", alive), "nevus")) == "ac"
    assert ids(search(THREE, "nevus", allowed=np.array([False, True, True]))) == "bc"


def test_what_is_not_alive_does_not_stretch_the_scores_of_others() -> None:
    alive = np.array([True, True, False])
    hits = search(collection(at(0.9, 0.5, -1), ["wart"] * 3, "abc", alive), "").hits
    assert [hit.score for hit in hits] == pytest.approx([1, 0])


def test_a_row_of_the_delta_is_found_like_one_of_the_base() -> None:
    texts = ["wart", "nevus nevus", "nevus of the back with hair"]
    assert ids(search(collection(at(0.9, 0.5, 0.1), texts, "abc", base=2), "nevus")) == "bac"


def test_an_empty_collection_finds_nothing() -> None:
    ranking = search(collection(at()[:0].reshape(0, 2), [], ""), "nevus")
    assert ranking.hits == ()
