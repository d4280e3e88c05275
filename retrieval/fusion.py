"""Two legs into one score: 0.6 semantic + 0.4 lexical on pool-normalised scores.

    fused(d) = w * mm(semantic(d)) + (1 - w) * mm(lexical(d)),   mm(x) = (x - min) / (max - min) over the candidate pool

The pool is the union of both legs' best candidates and each leg scores every one of them, so that an item only one leg
proposed is not punished for the other's silence. Min-max pooling and a convex combination: Bruch, Gai and Ingber 2023,
"An Analysis of Fusion Functions for Hybrid Retrieval", doi:10.1145/3596512.
"""

import numpy as np

from retrieval.types import Scores

SEMANTIC_WEIGHT = 0.6


def min_max(scores: Scores) -> Scores:
    """Scores to 0..1 over the pool. A pool that is all alike becomes 1 where it is positive, else 0: it ranks nothing."""
    if len(scores) == 0:
        return scores
    low, high = float(scores.min()), float(scores.max())
    if high == low:
        return np.full(len(scores), 1.0 if high > 0 else 0.0, dtype=np.float32)
    return ((scores - low) / (high - low)).astype(np.float32)


def fuse(semantic: Scores, lexical: Scores, *, semantic_weight: float = SEMANTIC_WEIGHT) -> Scores:
    """Fused score 0..1 of each candidate of the pool. `semantic_weight` is 0..1.

    A lexical leg that matched nothing has no say: the semantic one then decides alone.
    """
    if len(lexical) and float(lexical.max()) <= 0:
        return min_max(semantic)
    fused = semantic_weight * min_max(semantic) + (1 - semantic_weight) * min_max(lexical)
    return fused.astype(np.float32)
