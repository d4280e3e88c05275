"""How much the lexical leg has to say about a query, and the share of the score that it gets for it.

    coverage(d) = sum of w(t) * idf(t) over the terms of the query that occur in d  /  the same sum over all of them
    evidence    = mean coverage of the leg's best 10 candidates, 0..1
    share       = full * min(1, evidence / 0.24)

A word of the query that no text has is rare by definition: its idf is the largest there is, it stays uncovered, and the share
falls. That is what a question in lay words looks like to a clinical corpus, and where a fixed share drowns the semantic leg.
The mean of ten candidates and not the best one: among many texts one covers much by accident.

That the idf of a query's words foretells how well it will be answered is known: He and Ounis 2006, "Query performance
prediction", Information Systems 31. Formula and constants are ours (docs/design/0008).
"""

import math

import numpy as np

from retrieval.types import Mask, Scores

CANDIDATES = 10  # best lexical candidates whose coverage counts
ENOUGH = 0.24  # evidence from which on the lexical leg has its full share


def coverage(weights: Scores, occurs: Mask) -> Scores:
    """[n] share 0..1 of the query that each candidate covers. `weights` [t] are w * idf, `occurs` is [t, n].

    A query without weight is covered by nothing.
    """
    total = math.fsum(weights)
    if total <= 0:
        return np.zeros(occurs.shape[1], dtype=np.float32)
    # Every candidate is summed in the same order, so that equal ones stay equal to the last bit.
    covered: Scores = np.einsum("t,tn->n", weights, occurs.astype(np.float32))
    shares: Scores = np.minimum(covered / np.float32(total), np.float32(1))
    return shares


def mean_coverage(covered: Scores) -> float:
    """The evidence, 0..1, whatever the order; 0 for no candidates."""
    return math.fsum(covered) / len(covered) if len(covered) else 0.0


def lexical_share(evidence: float, full: float) -> float:
    """0..`full`, for `evidence` 0..1."""
    return full * min(1.0, evidence / ENOUGH)
