"""Search a collection by text with both legs. Serves passages and captions alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from retrieval.evidence import CANDIDATES, coverage, lexical_share, mean_coverage
from retrieval.fusion import SEMANTIC_WEIGHT, fuse
from retrieval.legs import EXTRA_WEIGHT, Leg, lexical_leg, pooled, ranked_hits, vector_leg
from retrieval.lexical import LayeredLexical
from retrieval.rank_fusion import fuse_ranks
from retrieval.reranking import Reranking, reranked
from retrieval.types import Dropped, Expansion, Explanation, Hit, Mask, Ranking, Rows, Scores, Vector, Vectors
from retrieval.view import Collection

POOL = 100  # candidates taken from each leg
NEAR_DUPLICATE = 0.98  # cosine between two items above which the lower-ranked one says nothing new
SILENT = "no word of the query occurs in what is searched: ranked by meaning alone"


class Fusion(StrEnum):
    """How two legs become one score. The default lowers the lexical share where words hardly match."""

    ADAPTIVE = "adaptive"
    FIXED = "fixed"
    RRF = "rrf"
    SEMANTIC = "semantic"
    LEXICAL = "lexical"


@dataclass(frozen=True, slots=True)
class HybridOptions:
    """How to search. `cosine_floor`: an item less similar than this is no evidence, whatever its words.

    `semantic_weight`, 0..1, is the semantic share of FIXED, and the least one of ADAPTIVE. `expand` adds clinical words to
    lay ones. `reranking` orders the best hits anew by reading them.
    """

    k: int = 10
    semantic_weight: float = SEMANTIC_WEIGHT
    cosine_floor: float = 0.0
    near_duplicate: float = NEAR_DUPLICATE
    fusion: Fusion = Fusion.ADAPTIVE
    expand: bool = True
    reranking: Reranking | None = None


@dataclass(frozen=True, slots=True)
class TextQuery:
    """One text as both legs see it: its vector and its terms (see retrieval.lexical.tokenize).

    `extra` are the terms of its `expansions`; `text` is what a reranker reads.
    """

    vector: Vector
    terms: Sequence[str]
    extra: Sequence[str] = ()
    expansions: tuple[Expansion, ...] = ()
    text: str = ""


def search_text(
    collection: Collection, query: TextQuery, options: HybridOptions = HybridOptions(), allowed: Mask | None = None
) -> Ranking:
    """At most `options.k` hits with legs "semantic" (cosine) and "lexical" (BM25), in total order, and their explanation."""
    mask = collection.alive if allowed is None else collection.alive & allowed
    semantic = vector_leg("semantic", collection.vectors, query.vector, POOL, mask)
    lexical = lexical_leg("lexical", collection.lexical, query.terms, POOL, mask, query.extra)
    legs = (semantic, lexical)
    pool, scores = pooled([leg for leg in legs if options.fusion not in _ONE_LEG or leg.name == options.fusion], legs)
    evidence = _evidence(collection.lexical, query, lexical)
    shares = _shares(options, evidence, silent=not len(lexical.ranked))
    hits = ranked_hits(collection.ids, legs, pool, scores, _fused(options.fusion, legs, pool, scores, shares))
    wanted = max(options.k, options.reranking.depth) if options.reranking else options.k
    kept, dropped = _kept(collection, pool, hits, options, wanted)
    if options.reranking is not None:
        kept = reranked(options.reranking, query.text, kept)[: options.k]
    proposed = {leg.name: len(leg.ranked) for leg in legs}
    explanation = Explanation(
        options.fusion.value, shares, evidence, proposed, query.expansions, options.cosine_floor, dropped
    )
    silent = not len(lexical.ranked) and mask.any()
    return Ranking(tuple(kept), (SILENT,) if silent else (), explanation=explanation)


_ONE_LEG = (Fusion.SEMANTIC, Fusion.LEXICAL)


def _evidence(lexical: LayeredLexical, query: TextQuery, leg: Leg) -> float:
    """See retrieval.evidence. Candidates that tie with the last one count too: row numbers must not decide."""
    scores = leg.score(leg.ranked)
    best = leg.ranked[scores >= scores[min(CANDIDATES, len(scores)) - 1]] if len(scores) else leg.ranked
    weighted = {**dict.fromkeys(query.extra, EXTRA_WEIGHT), **dict.fromkeys(query.terms, 1.0)}
    weights = np.array([weight * lexical.idf(term) for term, weight in weighted.items()], dtype=np.float32)
    occurs = np.array([lexical.occurs(term, best) for term in weighted], dtype=np.bool_).reshape(
        len(weighted), len(best)
    )
    return mean_coverage(coverage(weights, occurs))


def _shares(options: HybridOptions, evidence: float, *, silent: bool) -> Mapping[str, float]:
    """The legs' shares, adding up to 1; none for RRF."""
    match options.fusion:
        case Fusion.RRF:
            return {}
        case Fusion.SEMANTIC:
            lexical = 0.0
        case Fusion.LEXICAL:
            lexical = 1.0
        case Fusion.FIXED:
            lexical = 0.0 if silent else 1 - options.semantic_weight
        case Fusion.ADAPTIVE:
            lexical = lexical_share(evidence, 1 - options.semantic_weight)
    return {"semantic": 1 - lexical, "lexical": lexical}


def _fused(
    fusion: Fusion, legs: Sequence[Leg], pool: Rows, scores: Mapping[str, Scores], shares: Mapping[str, float]
) -> Scores:
    if fusion is Fusion.RRF:
        return fuse_ranks([(scores[leg.name], np.isin(pool, leg.ranked)) for leg in legs])
    return fuse(scores["semantic"], scores["lexical"], semantic_weight=shares["semantic"])


def _kept(
    collection: Collection, pool: Rows, hits: Sequence[Hit], options: HybridOptions, wanted: int
) -> tuple[list[Hit], tuple[Dropped, ...]]:
    """The first `wanted` hits above the floor of which none nearly repeats a better one, and what was left out for it."""
    row_of = {collection.ids[row]: row for row in pool}
    vectors = collection.vectors.take(np.array([row_of[hit.id] for hit in hits], dtype=np.int64))
    kept: list[int] = []
    dropped: list[Dropped] = []
    for at, hit in enumerate(hits):
        if len(kept) == wanted:
            break
        if hit.legs["semantic"].score < options.cosine_floor:
            dropped.append(Dropped(hit.id, "below_floor", hit.legs["semantic"].score))
        elif twin := _repeated(vectors, kept, at, options.near_duplicate):
            dropped.append(Dropped(hit.id, "near_duplicate", twin[1], hits[twin[0]].id))
        else:
            kept.append(at)
    return [hits[at] for at in kept], tuple(dropped)


def _repeated(vectors: Vectors, kept: Sequence[int], at: int, limit: float) -> tuple[int, float] | None:
    """Which of `kept` the vector `at` nearly repeats, and their cosine; None for none."""
    if not kept:
        return None
    cosines = vectors[list(kept)] @ vectors[at]
    nearest = int(cosines.argmax())
    return (kept[nearest], float(cosines[nearest])) if cosines[nearest] >= limit else None
