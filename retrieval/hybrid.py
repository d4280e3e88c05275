"""Search a collection by text with both legs. Serves passages and captions alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.fusion import SEMANTIC_WEIGHT, fuse
from retrieval.legs import lexical_leg, pooled, ranked_hits, vector_leg
from retrieval.types import Hit, Mask, Ranking, Rows, Vector
from retrieval.view import Collection

POOL = 100  # candidates taken from each leg
NEAR_DUPLICATE = 0.98  # cosine between two items above which the lower-ranked one says nothing new


@dataclass(frozen=True, slots=True)
class HybridOptions:
    """How to search. `cosine_floor`: an item less similar than this is no evidence, whatever its words."""

    k: int = 10
    semantic_weight: float = SEMANTIC_WEIGHT
    cosine_floor: float = 0.0
    near_duplicate: float = NEAR_DUPLICATE


@dataclass(frozen=True, slots=True)
class TextQuery:
    """One text as both legs see it: its vector and its terms (see retrieval.lexical.tokenize)."""

    vector: Vector
    terms: Sequence[str]


def search_text(
    collection: Collection, query: TextQuery, options: HybridOptions = HybridOptions(), allowed: Mask | None = None
) -> Ranking:
    """At most `options.k` hits with legs "semantic" (cosine) and "lexical" (BM25), in total order."""
    mask = collection.alive if allowed is None else collection.alive & allowed
    semantic = vector_leg("semantic", collection.vectors, query.vector, POOL, mask)
    lexical = lexical_leg("lexical", collection.lexical, query.terms, POOL, mask)
    legs = (semantic, lexical)
    pool, scores = pooled(legs)
    fused = fuse(scores["semantic"], scores["lexical"], semantic_weight=options.semantic_weight)
    hits = ranked_hits(collection.ids, legs, pool, scores, fused)
    hits = [hit for hit in hits if hit.legs["semantic"].score >= options.cosine_floor]
    silent = () if len(lexical.ranked) else ("no word of the query occurs in the corpus: ranked by meaning alone",)
    return Ranking(tuple(_distinct(collection, pool, hits, options)), warnings=silent)


def _distinct(collection: Collection, pool: Rows, hits: Sequence[Hit], options: HybridOptions) -> list[Hit]:
    """The first `k` hits of which none nearly repeats a better one."""
    row_of = {collection.ids[row]: row for row in pool}
    vectors = collection.vectors.take(np.array([row_of[hit.id] for hit in hits], dtype=np.int64))
    kept: list[int] = []
    for at in range(len(hits)):
        if len(kept) == options.k:
            break
        if not kept or float((vectors[kept] @ vectors[at]).max()) < options.near_duplicate:
            kept.append(at)
    return [hits[at] for at in kept]
