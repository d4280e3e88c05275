"""Is one system better than another on the same queries, or is it the choice of queries?

    difference = mean over queries of  a(q) - b(q)
    interval   = 2.5 % and 97.5 % quantile of that mean over 10,000 samples of the queries, drawn with replacement

The percentile bootstrap of paired differences: Efron and Tibshirani 1993, "An introduction to the bootstrap", chapter 13;
for retrieval: Sakai 2006, doi:10.1145/1148170.1148261. The draws are seeded: the same scores give the same interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAMPLES = 10_000
SLICE = 500  # samples drawn at once: their indices must fit into memory however many queries there are
SEED = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of a - b with its 95 % interval, and on how many queries a was better, worse or the same."""

    mean: float
    low: float
    high: float
    better: int
    worse: int
    same: int


def paired_bootstrap(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Of two systems' scores, query by query in the same order; at least one query."""
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    draws = np.random.default_rng(SEED)
    means = [
        differences[draws.integers(0, len(differences), size=(SLICE, len(differences)))].mean(axis=1)
        for _ in range(SAMPLES // SLICE)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    return Difference(
        float(differences.mean()), float(low), float(high), better, worse, len(differences) - better - worse
    )
