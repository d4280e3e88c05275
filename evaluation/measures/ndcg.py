"""Normalised discounted cumulative gain of one ranking.

    DCG@k = sum over ranks r = 1..k of  grade(r) / log2(r + 1),     nDCG@k = DCG@k / DCG@k of the best possible ranking

Järvelin and Kekäläinen 2002, doi:10.1145/582415.582418, with the grade itself as gain and the discount of trec_eval's
ndcg_cut. An unjudged document has grade 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import log2


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], k: int) -> float:
    """0..1; 0 when nothing is relevant."""
    best = _dcg(sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:k])
    return _dcg(max(0, grades.get(one, 0)) for one in ranking[:k]) / best if best else 0.0


def _dcg(grades: Iterable[int]) -> float:
    return sum(grade / log2(rank + 1) for rank, grade in enumerate(grades, start=1))
