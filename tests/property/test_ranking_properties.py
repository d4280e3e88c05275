"""Rankings are a total order: what they say does not depend on where rows happen to lie."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from knowledge.registry import CaseGuard
from retrieval.hybrid import Fusion, HybridOptions, search_text
from retrieval.leakage import GuardTable
from retrieval.legs import Leg, ranked_hits
from retrieval.lexical import LayeredLexical, LexicalIndex, tokenize
from retrieval.search import text_query
from retrieval.types import Hit, Scores
from retrieval.vectors import ExactVectors, LayeredVectors, top_rows
from retrieval.view import Collection
from tests.fakes import FakeTextEncoder

FEW_VALUES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])  # so that ties are common
SCORES = arrays(
    np.float32, st.integers(0, 30), elements=st.one_of(FEW_VALUES, st.just(-np.inf), st.floats(-1, 1, width=32))
)
TEXTS = (
    "scaly plaque on the elbow", "plaque with silvery scale", "brown macule of the back", "scaly plaque on the elbow",
    "inflamed papule and pustule", "pustule", "comedones on the cheek", "plaque", "no scale at all",
)  # fmt: skip
ENCODER = FakeTextEncoder()
GUARD = CaseGuard("c", "set", "psoriasis", "stored", "original", "0" * 16, subject=None, lesion=None, split=None)


@given(SCORES, st.integers(-2, 35))
def test_top_rows_is_a_naive_sort_without_what_is_masked(scores: Scores, k: int) -> None:
    rows = [row for row in range(len(scores)) if np.isfinite(scores[row])]
    expected = sorted(rows, key=lambda row: (-scores[row], row))[: max(k, 0)]
    assert top_rows(scores, k).tolist() == expected


@given(st.lists(FEW_VALUES, max_size=12), st.data())
def test_hits_are_ordered_by_score_then_id_wherever_their_rows_are(values: list[float], data: st.DataObject) -> None:
    def hits(order: Sequence[int]) -> list[tuple[str, float]]:
        ids = [f"id{number:02}" for number in order]
        fused = np.array([values[number] for number in order], dtype=np.float32)
        rows = np.arange(len(order))
        found = ranked_hits(ids, [Leg("leg", rows, lambda wanted: fused[wanted])], rows, {"leg": fused}, fused)
        return [(hit.id, hit.score) for hit in found]

    shuffled = data.draw(st.permutations(range(len(values))))
    expected = sorted(
        ((f"id{number:02}", value) for number, value in enumerate(values)), key=lambda hit: (-hit[1], hit[0])
    )
    assert hits(range(len(values))) == hits(shuffled) == expected


def collection_of(texts: Sequence[str], ids: Sequence[str], base: int) -> Collection:
    """The first `base` texts are in the base and the others in the delta."""
    vectors = ENCODER.encode_documents(texts)
    return Collection(
        ids=tuple(ids),
        alive=np.ones(len(texts), dtype=np.bool_),
        vectors=LayeredVectors(ExactVectors(vectors[:base]), vectors[base:]),
        lexical=LayeredLexical(LexicalIndex.build(texts[:base]), texts[base:]),
    )


def search(
    order: Sequence[int], base: int, words: str, k: int, fusion: Fusion = Fusion.ADAPTIVE, more: Sequence[str] = ()
) -> tuple[Hit, ...]:
    """The texts in this order, then `more`."""
    ids = [f"id{number:02}" for number in order] + [f"more{number}" for number in range(len(more))]
    found_in = collection_of([*(TEXTS[number] for number in order), *more], ids, base)
    options = HybridOptions(k=k, cosine_floor=-1, near_duplicate=2.0, fusion=fusion)
    return search_text(found_in, text_query(ENCODER, words, expand=True), options).hits


def scored(hits: tuple[Hit, ...]) -> list[tuple[str, float, list[float]]]:
    """Without the ranks within a leg, in which equal items come by row."""
    return [(hit.id, hit.score, [leg.score for leg in hit.legs.values()]) for hit in hits]


QUERIES = st.sampled_from(
    ["scaly plaque", "pustule", "verruca", "no scale", "", "zits and flaky spots", "pustule wart"]
)
UNLIKE = st.lists(st.sampled_from(["zzz", "qqq rrr", "xyzzy"]), min_size=1, max_size=3)


@settings(max_examples=100)
@given(
    st.permutations(range(len(TEXTS))), QUERIES, st.integers(1, 9), st.sampled_from([0, len(TEXTS)]),
    st.sampled_from(Fusion),
)  # fmt: skip
def test_shuffled_rows_give_the_same_scores_to_the_last_bit(
    order: list[int], words: str, k: int, base: int, fusion: Fusion
) -> None:
    assert scored(search(order, base, words, k, fusion)) == scored(search(range(len(TEXTS)), base, words, k, fusion))


@settings(max_examples=60)
@given(QUERIES, UNLIKE, st.booleans())
def test_texts_that_match_nothing_leave_the_order_by_meaning_of_the_others(
    words: str, more: list[str], in_base: bool
) -> None:
    before = search(range(len(TEXTS)), len(TEXTS), words, 99, Fusion.SEMANTIC)
    base = len(TEXTS) + len(more) if in_base else len(TEXTS)
    after = search(range(len(TEXTS)), base, words, 99, Fusion.SEMANTIC, more)
    kept = [hit for hit in after if not hit.id.startswith("more")]
    assert [(hit.id, hit.legs["semantic"].score) for hit in kept] == [
        (hit.id, hit.legs["semantic"].score) for hit in before
    ]


@settings(max_examples=60)
@given(QUERIES, UNLIKE)
def test_texts_that_match_nothing_change_the_words_only_as_bm25_s_statistics_say(words: str, more: list[str]) -> None:
    terms = tokenize(words)
    found = LayeredLexical(LexicalIndex.build([]), [*TEXTS, *more]).scores(terms)
    assert np.allclose(found, LexicalIndex.build([*TEXTS, *more]).scores(terms), atol=1e-5)
    assert not found[len(TEXTS) :].any()


@pytest.mark.parametrize("words", ["silvery scale on the elbow", "plaque and pustule", "no scale on the cheek"])
def test_without_either_leg_the_ranking_of_a_canary_is_another(words: str) -> None:
    both, semantic, lexical = (
        [hit.id for hit in search(range(len(TEXTS)), 5, words, 5, fusion)]
        for fusion in (Fusion.ADAPTIVE, Fusion.SEMANTIC, Fusion.LEXICAL)
    )
    assert both not in (semantic, lexical)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=9), QUERIES, st.integers(0, 9))
def test_where_a_word_occurs_is_where_it_scores(texts: list[str], words: str, base: int) -> None:
    lexical = LayeredLexical(LexicalIndex.build(texts[:base]), texts[base:])
    rows = np.arange(len(texts))[::-1]
    for term in tokenize(words):
        assert lexical.occurs(term, rows).tolist() == (lexical.scores([term])[rows] > 0).tolist()


@settings(max_examples=60)
@given(st.permutations(range(len(TEXTS))), QUERIES, st.integers(0, len(TEXTS)))
def test_what_lies_in_the_delta_has_the_same_meaning_as_in_the_base(order: list[int], words: str, base: int) -> None:
    expected = {hit.id: hit.legs["semantic"].score for hit in search(range(len(TEXTS)), 0, words, 9)}
    assert {hit.id: hit.legs["semantic"].score for hit in search(order, base, words, 9)} == expected


@settings(max_examples=60)
@given(QUERIES, st.integers(1, 8))
def test_fewer_hits_are_the_first_of_more(words: str, k: int) -> None:
    more = search(range(len(TEXTS)), 5, words, 9)
    assert search(range(len(TEXTS)), 5, words, k) == more[:k]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20), st.integers(0, 2**64 - 1), st.integers(0, 8))
def test_near_is_the_number_of_bits_that_differ(hashes: list[int], query: int, bits: int) -> None:
    hashes = [*hashes, query ^ ((1 << bits) - 1)]
    table = GuardTable.of([replace(GUARD, perceptual_hash=f"{one:016x}") for one in hashes])
    assert table.near(f"{query:016x}").tolist() == [(one ^ query).bit_count() <= 6 for one in hashes]
