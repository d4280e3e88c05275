"""BM25 over base and delta, with deletions, against one rebuild of what is alive."""

from collections.abc import Sequence
from itertools import compress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.lexical import LayeredLexical, LexicalIndex
from retrieval.types import Scores

WORDS = [f"finding{number}" for number in range(12)]
TEXT = st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join)
QUERY = st.lists(st.sampled_from([*WORDS, "unheard"]), min_size=1, max_size=5)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[list[str], list[str], list[bool]]:
    """Texts of the base, texts of the delta, and which rows of the base are alive."""
    base = draw(st.lists(TEXT, max_size=30))
    alive = draw(st.lists(st.booleans(), min_size=len(base), max_size=len(base)))
    return base, draw(st.lists(TEXT, max_size=15)), alive


def scores_of_rebuild(base: Sequence[str], delta: Sequence[str], alive: Sequence[bool], query: list[str]) -> Scores:
    return LexicalIndex.build([*compress(base, alive), *delta]).scores(query)


def top(scores: Scores, k: int = 10) -> set[int]:
    return {int(row) for row in np.lexsort((np.arange(len(scores)), -scores))[:k] if scores[row] > 0}


@settings(max_examples=200)
@given(corpora(), QUERY)
def test_every_row_scores_what_a_rebuild_would_give_it(
    corpus: tuple[list[str], list[str], list[bool]], query: list[str]
) -> None:
    base, delta, alive = corpus
    found = LayeredLexical(LexicalIndex.build(base), delta, np.array(alive, dtype=np.bool_)).scores(query)
    kept = found[[*alive, *[True] * len(delta)]]
    assert np.allclose(kept, scores_of_rebuild(base, delta, alive, query), rtol=1e-4, atol=1e-5)


@settings(max_examples=100)
@given(corpora(), QUERY)
def test_equal_texts_score_the_same_in_base_and_delta(
    corpus: tuple[list[str], list[str], list[bool]], query: list[str]
) -> None:
    base, delta, alive = corpus
    mask = np.array([*alive, *[True] * len(delta)], dtype=np.bool_)
    parts = LayeredLexical(LexicalIndex.build([*base, *delta]), base, mask)
    found = parts.scores(query)
    assert np.array_equal(found[: len(base)], found[len(base) + len(delta) :])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_the_first_ten_are_those_of_a_rebuild(seed: int) -> None:
    """A skewed vocabulary, a fifth of the rows in the delta (of longer texts), a tenth of the base gone."""
    rng = np.random.default_rng(seed)
    words = [f"term{number}" for number in range(200)]
    share = 1 / np.arange(1, 201)
    texts = [" ".join(rng.choice(words, rng.integers(3, 40), p=share / share.sum())) for _ in range(240)]
    delta = [" ".join(rng.choice(words[100:], rng.integers(30, 80))) for _ in range(60)]
    alive = rng.random(240) > 0.1
    parts, rebuilt = LayeredLexical(LexicalIndex.build(texts), delta, alive), np.full(300, -1.0, dtype=np.float32)
    overlaps = []
    for _ in range(5):
        query = rng.choice(words, 4).tolist()
        rebuilt[[*alive, *[True] * 60]] = scores_of_rebuild(texts, delta, alive.tolist(), query)
        layered = np.where([*alive, *[True] * 60], parts.scores(query), -1.0)
        expected = top(rebuilt)
        overlaps.append(len(top(layered) & expected) / max(1, len(expected)))
    assert np.mean(overlaps) >= 0.98
