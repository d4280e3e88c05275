"""Recall of one ranking: the share of all relevant documents among its first k.

    recall@k = |relevant documents among the first k| / |relevant documents|

As trec_eval's recall.k: the divisor is not capped at k, so that 1 cannot be reached with more than k relevant ones.
"""

from collections.abc import Mapping, Sequence


def recall(ranking: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """0..1; 0 when nothing is relevant."""
    relevant = {one for one, grade in grades.items() if grade > 0}
    return len(relevant & set(ranking[:k])) / len(relevant) if relevant else 0.0
