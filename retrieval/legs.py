"""A leg proposes rows and scores any row. Both searches are: pool the proposals, score the pool by every leg, fuse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.lexical import LayeredLexical
from retrieval.types import Hit, LegScore, Mask, Rows, Scores, Vector
from retrieval.vectors import LayeredVectors, top_rows

EXTRA_WEIGHT = 0.5  # of a word that was added to the query, against one that was asked for; see docs/design/0008


@dataclass(frozen=True, slots=True)
class Leg:
    """`ranked` are the rows it proposes, best first; `score` gives its own score for any rows."""

    name: str
    ranked: Rows
    score: Callable[[Rows], Scores]


def vector_leg(name: str, vectors: LayeredVectors, query: Vector, pool: int, allowed: Mask) -> Leg:
    """Cosine, -1..1."""
    rows, _ = vectors.search(query, pool, allowed)
    return Leg(name, rows, lambda wanted: vectors.score(query, wanted))


def lexical_leg(
    name: str, lexical: LayeredLexical, terms: Sequence[str], pool: int, allowed: Mask, extra: Sequence[str] = ()
) -> Leg:
    """BM25, >= 0, in which a term of `extra` counts EXTRA_WEIGHT. Proposes only rows in which one of the terms occurs."""
    scores = lexical.scores(terms)
    if extra:
        scores = scores + np.float32(EXTRA_WEIGHT) * lexical.scores(extra)
    matching = np.where(allowed & (scores > 0), scores, np.float32(-np.inf))
    return Leg(name, top_rows(matching, pool), lambda wanted: scores[wanted])


def pooled(proposing: Sequence[Leg], scoring: Sequence[Leg] = ()) -> tuple[Rows, dict[str, Scores]]:
    """The union of what the first legs propose, ascending, and what the second ones (default: the same) score it all."""
    pool = np.unique(np.concatenate([leg.ranked for leg in proposing])).astype(np.int64)
    return pool, {leg.name: leg.score(pool) for leg in scoring or proposing}


def ranked_hits(
    ids: Sequence[str], legs: Sequence[Leg], pool: Rows, scores: Mapping[str, Scores], fused: Scores
) -> list[Hit]:
    """Hits in total order: fused score descending, then id. Row numbers change with every rebuild, ids do not."""
    ranks = {leg.name: {int(row): place for place, row in enumerate(leg.ranked, start=1)} for leg in legs}
    hits = [
        Hit(
            ids[row],
            float(fused[at]),
            {leg.name: LegScore(float(scores[leg.name][at]), ranks[leg.name].get(int(row))) for leg in legs},
            int(row),
        )
        for at, row in enumerate(pool)
    ]
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))
