"""Reciprocal rank fusion: what each leg put where, and nothing of its scores.

    score(d) = sum over legs of  1 / (60 + rank(d)),   a leg that did not propose d adds nothing

Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
doi:10.1145/1571941.1572114; 60 is theirs. Equal scores of a leg share the better rank: row numbers must not decide.
"""

from collections.abc import Sequence

import numpy as np

from retrieval.types import Mask, Scores

DAMPING = 60


def reciprocal_ranks(scores: Scores, proposed: Mask) -> Scores:
    """[n] what one leg adds; `proposed` masks the candidates that are its own."""
    better = (scores[None, :] > scores[:, None]) & proposed[None, :]
    added: Scores = np.where(proposed, 1 / (DAMPING + 1 + better.sum(axis=1)), 0).astype(np.float32)
    return added


def fuse_ranks(legs: Sequence[tuple[Scores, Mask]]) -> Scores:
    """[n] of a pool that every leg scored; zeros for no legs of an empty pool. Not comparable across queries."""
    total: Scores = np.sum([reciprocal_ranks(scores, proposed) for scores, proposed in legs], axis=0, dtype=np.float32)
    return total
