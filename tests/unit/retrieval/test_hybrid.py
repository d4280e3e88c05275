"""Hybrid search of a small collection whose vectors are set by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from retrieval.hybrid import SILENT, Fusion, HybridOptions, TextQuery, search_text
from retrieval.lexical import LayeredLexical, LexicalIndex, tokenize
from retrieval.reranking import Reranking
from retrieval.types import Dropped, EncoderCard, Explanation, LegScore, Mask, Ranking, Scores, Vectors
from retrieval.vectors import ExactVectors, LayeredVectors
from retrieval.view import Collection

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


# --- fusion by request ---------------------------------------------------------------------------------------------


def hybrid(words: str, extra: tuple[str, ...] = (), **options: Any) -> Ranking:
    query = TextQuery(EAST, tokenize(words), extra, text=words)
    return search_text(THREE, query, HybridOptions(**{"near_duplicate": 2.0, **options}))


def explained(ranking: Ranking) -> Explanation:
    assert ranking.explanation is not None
    return ranking.explanation


def test_one_leg_alone_finds_what_it_proposes_alone() -> None:
    assert ids(hybrid("nevus", fusion=Fusion.SEMANTIC)) == "abc"
    assert ids(hybrid("nevus", fusion=Fusion.LEXICAL)) == "bc"
    assert ids(hybrid("verruca", fusion=Fusion.LEXICAL)) == ""


def test_rrf_counts_ranks() -> None:
    hits = {hit.id: hit.score for hit in hybrid("nevus", fusion=Fusion.RRF).hits}
    expected = {"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 63 + 1 / 62}
    assert hits == {name: nearly(value) for name, value in expected.items()}


def test_the_lexical_share_falls_with_what_the_words_cover() -> None:
    # "nevus" is in two of three texts, "verruca" in none: idf ln(1 + 1.5/2.5) = 0.47 and ln(1 + 3.5/0.5) = 2.08.
    covered = 0.4700 / (0.4700 + 2.0794)
    found = explained(hybrid("nevus verruca"))
    assert found.coverage == pytest.approx(covered, abs=1e-4)
    assert found.shares["lexical"] == pytest.approx(0.4 * covered / 0.24, abs=1e-4)
    assert explained(hybrid("nevus")).shares == {"semantic": nearly(0.6), "lexical": nearly(0.4)}


def test_a_fixed_share_does_not_fall() -> None:
    assert explained(hybrid("nevus verruca", fusion=Fusion.FIXED)).shares == {"semantic": 0.6, "lexical": nearly(0.4)}


def test_words_that_match_nothing_leave_every_share_to_meaning() -> None:
    for fusion in (Fusion.ADAPTIVE, Fusion.FIXED):
        assert explained(hybrid("verruca", fusion=fusion)).shares == {"semantic": 1, "lexical": 0}


def test_an_added_word_counts_half_of_one_that_was_asked_for() -> None:
    asked = {hit.id: hit.legs["lexical"].score for hit in hybrid("nevus").hits}
    added = {hit.id: hit.legs["lexical"].score for hit in hybrid("verruca", ("nevus",)).hits}
    assert added == {name: nearly(score / 2) for name, score in asked.items()}


# --- what a ranking says of itself ---------------------------------------------------------------------------------


def test_an_explanation_counts_the_candidates_of_each_leg() -> None:
    found = explained(hybrid("nevus", cosine_floor=0.2))
    assert (found.fusion, found.proposed, found.cosine_floor) == ("adaptive", {"semantic": 3, "lexical": 2}, 0.2)


def test_what_is_below_the_floor_is_named() -> None:
    assert explained(hybrid("nevus", cosine_floor=0.2)).dropped == (Dropped("c", "below_floor", nearly(0.1)),)


def test_what_nearly_repeats_a_better_hit_is_named_with_it() -> None:
    twins = collection(np.vstack([at(0.9, 0.5), at(0.9, 0.1)]), ["wart"] * 4, "abcd")
    assert explained(search(twins, "", near_duplicate=0.98)).dropped == (
        Dropped("c", "near_duplicate", nearly(1), "a"),
    )


def test_only_what_stood_before_the_last_hit_is_named() -> None:
    assert explained(hybrid("nevus", cosine_floor=0.2, k=1)).dropped == ()


# --- reading again -------------------------------------------------------------------------------------------------


class LongestFirst:
    """Reranker: longer texts are better."""

    card = EncoderCard("longest", "reranker", "fake", "fake", 1, "CC0-1.0")
    fingerprint = "fake"

    def score(self, query: str, texts: Sequence[str]) -> Scores:
        assert query == "nevus"
        return np.array([len(text) / 100 for text in texts], dtype=np.float32)


def texts(found: Sequence[str]) -> dict[str, str]:
    lengths = {"a": 10, "b": 20, "c": 30}
    return {one: "x" * lengths[one] for one in found}


def test_a_reranker_reads_the_best_hits_and_decides_their_order() -> None:
    ranking = hybrid("nevus", reranking=Reranking(LongestFirst(), texts))
    assert ids(ranking) == "cba"
    assert ranking.hits[0].score == nearly(0.3)
    assert ranking.hits[0].legs["rerank"] == LegScore(nearly(0.3), 1)


def test_a_reranker_reads_no_further_than_its_depth() -> None:
    assert ids(hybrid("nevus", k=1, reranking=Reranking(LongestFirst(), texts, depth=2))) == "b"
