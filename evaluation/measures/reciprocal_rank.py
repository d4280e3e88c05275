"""Reciprocal rank of one ranking: 1 / the rank of the first relevant document. Its mean over queries is the MRR.

Voorhees 1999, "The TREC-8 question answering track report"; as trec_eval's recip_rank.
"""

from collections.abc import Mapping, Sequence


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, int]) -> float:
    """0..1; 0 when no relevant document was found."""
    return next((1 / rank for rank, one in enumerate(ranking, start=1) if grades.get(one, 0) > 0), 0.0)
