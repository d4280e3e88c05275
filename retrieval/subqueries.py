"""One question in parts, each searched by itself and fused by rank; every hit says which parts found it.

    score(d) = sum over parts p of  weight(p) / (60 + rank of d in p),   a part that does not have d adds nothing

Why parts: in one text the longest part decides what the vector means, and nobody can say afterwards what found a passage. Why
ranks: fused scores of different queries are not comparable. Why not round robin: what several parts agree on would stand no
higher than what one of them says alone, and an unlikely candidate would speak as often as a likely one. Weights are the
caller's (inference.gathering): a candidate's follows its probability.

What is kept is each part's own best; deeper ranks only vote. Weighted reciprocal rank fusion: see retrieval.rank_fusion.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from retrieval.rank_fusion import DAMPING
from retrieval.types import Hit, Vectors

VOTES = 20  # ranks of a part that count


@dataclass(frozen=True, slots=True)
class SubQuery:
    """A part of a question. One that does not propose orders what others found and brings nothing by itself."""

    part: str
    text: str
    weight: float = 1.0
    proposes: bool = True


@dataclass(frozen=True, slots=True)
class PartHit:
    """A hit with the fused score, the legs of the part that counts most for it, and the parts among whose best it is."""

    hit: Hit
    parts: tuple[str, ...]


def fuse_parts(queries: Sequence[SubQuery], rankings: Sequence[Sequence[Hit]], best: int) -> list[PartHit]:
    """The first `best` hits of every part that proposes, in total order: score descending, then id."""
    kept = {
        hit.id for query, hits in zip(queries, rankings, strict=True) if query.proposes for hit in hits[: max(best, 0)]
    }
    found: dict[str, list[tuple[float, Hit]]] = {one: [] for one in kept}
    parts: dict[str, list[str]] = {one: [] for one in kept}
    for query, hits in zip(queries, rankings, strict=True):
        for rank, hit in enumerate(hits, start=1):
            if hit.id not in kept:
                continue
            found[hit.id].append((query.weight / (DAMPING + rank), hit))
            if rank <= best:
                parts[hit.id].append(query.part)
    fused = [PartHit(_fused(votes), tuple(parts[one])) for one, votes in found.items()]
    return sorted(fused, key=lambda one: (-one.hit.score, one.hit.id))


def without_repeats(hits: Sequence[PartHit], vectors: Vectors, limit: float) -> list[PartHit]:
    """Without those that nearly repeat a better one, which takes over their parts. `vectors` [n, dimension], unit rows.

    Of one search its options drop them already; here it is two parts that found each its own copy.
    """
    cosines = vectors @ vectors.T
    kept: list[int] = []
    parts = [one.parts for one in hits]
    for at in range(len(hits)):
        twin = next((one for one in kept if cosines[one, at] >= limit), None)
        if twin is None:
            kept.append(at)
        else:
            parts[twin] = tuple(dict.fromkeys((*parts[twin], *parts[at])))
    return [replace(hits[at], parts=parts[at]) for at in kept]


def rows_of(hits: Sequence[PartHit]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """[n] row numbers in the collection that was searched."""
    return np.array([one.hit.row for one in hits], dtype=np.int64)


def _fused(votes: Sequence[tuple[float, Hit]]) -> Hit:
    """The first of the parts that count most, with the sum of all."""
    _, strongest = max(votes, key=lambda vote: vote[0])
    return replace(strongest, score=sum(vote for vote, _ in votes))
