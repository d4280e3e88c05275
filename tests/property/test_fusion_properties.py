"""What holds for every pool of scores."""

from random import Random

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retrieval.fusion import fuse, min_max
from retrieval.types import Scores

COSINES = st.floats(-1, 1, width=32)
BM25 = st.floats(0, 40, width=32)
WEIGHTS = st.floats(0, 1)


@st.composite
def pools(draw: st.DrawFn, least: int = 1) -> tuple[Scores, Scores]:
    """Semantic and lexical scores of the same candidates."""
    size = draw(st.integers(least, 20))
    semantic = draw(arrays(np.float32, size, elements=COSINES))
    return semantic, draw(arrays(np.float32, size, elements=BM25))


@given(arrays(np.float32, st.integers(1, 20), elements=st.floats(-1_000, 1_000, width=32)))
def test_min_max_is_within_0_and_1_and_keeps_the_order(scores: Scores) -> None:
    stretched = min_max(scores)
    assert stretched.dtype == np.float32
    assert ((stretched >= 0) & (stretched <= 1)).all()
    assert (np.diff(stretched[np.argsort(scores)]) >= 0).all()


@given(arrays(np.float32, st.integers(2, 20), elements=COSINES))
def test_min_max_reaches_0_and_1_where_anything_differs(scores: Scores) -> None:
    assume(np.ptp(scores) > 0)
    assert (min_max(scores).min(), min_max(scores).max()) == (0, 1)


@given(pools(), WEIGHTS)
def test_a_fused_score_is_within_0_and_1(pool: tuple[Scores, Scores], weight: float) -> None:
    fused = fuse(*pool, semantic_weight=weight)
    assert fused.dtype == np.float32
    assert ((fused >= 0) & (fused <= 1)).all()


@given(pools(2), WEIGHTS)
def test_what_is_better_in_both_legs_is_not_worse_in_the_end(pool: tuple[Scores, Scores], weight: float) -> None:
    semantic, lexical = pool
    fused = fuse(semantic, lexical, semantic_weight=weight)
    better = (semantic[:, None] >= semantic) & (lexical[:, None] >= lexical)
    assert (fused[:, None] >= fused)[better].all()


@given(pools(), WEIGHTS, st.randoms())
def test_the_order_of_the_candidates_does_not_matter(
    pool: tuple[Scores, Scores], weight: float, random: Random
) -> None:
    semantic, lexical = pool
    order = list(range(len(semantic)))
    random.shuffle(order)
    fused = fuse(semantic, lexical, semantic_weight=weight)
    assert np.array_equal(fuse(semantic[order], lexical[order], semantic_weight=weight), fused[order])


@given(pools())
def test_weight_1_is_the_semantic_leg(pool: tuple[Scores, Scores]) -> None:
    semantic, lexical = pool
    assert np.array_equal(fuse(semantic, lexical, semantic_weight=1), min_max(semantic))


@given(pools())
def test_weight_0_is_the_lexical_leg_where_it_matches_anything(pool: tuple[Scores, Scores]) -> None:
    semantic, lexical = pool
    assume(lexical.max() > 0)
    assert np.array_equal(fuse(semantic, lexical, semantic_weight=0), min_max(lexical))


@given(arrays(np.float32, st.integers(1, 20), elements=COSINES), WEIGHTS)
def test_a_silent_lexical_leg_never_changes_anything(semantic: Scores, weight: float) -> None:
    silent = np.zeros(len(semantic), dtype=np.float32)
    assert np.array_equal(fuse(semantic, silent, semantic_weight=weight), min_max(semantic))


@given(pools(2), WEIGHTS, st.floats(0.125, 8, width=16))
def test_the_scale_of_bm25_does_not_matter(pool: tuple[Scores, Scores], weight: float, scale: float) -> None:
    semantic, lexical = pool
    assume(not 0 < lexical.max() < 1e-30)
    scaled = (lexical * scale).astype(np.float32)
    assume((lexical.max() > 0) == (scaled.max() > 0))
    expected = fuse(semantic, lexical, semantic_weight=weight)
    assert np.allclose(fuse(semantic, scaled, semantic_weight=weight), expected, atol=1e-5)
