"""Text retrieval on a test collection, by the search that serves: every system is one set of its options.

The floor and the removal of near-duplicates are off here: they decide what a reader is shown, not what is ranked well. The four
systems that the default is compared with see the query as it is written; only the default adds clinical words to lay ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.beir import TestCollection
from evaluation.measures import ndcg, recall, reciprocal_rank
from evaluation.statistics import Difference, paired_bootstrap
from retrieval.hybrid import Fusion, HybridOptions, search_text
from retrieval.lexical import LayeredLexical, LexicalIndex
from retrieval.protocols import TextEncoder
from retrieval.search import text_query
from retrieval.types import Explanation, Vectors
from retrieval.vectors import ExactVectors, LayeredVectors
from retrieval.view import Collection

DEPTH = 100  # of every ranking
SLICE = 64  # texts encoded between two steps of the progress bar
DEFAULT = "default"
MEASURES: Mapping[str, Callable[[Sequence[str], Mapping[str, int]], float]] = {
    "ndcg@10": lambda ranking, grades: ndcg(ranking, grades, 10),
    "recall@10": lambda ranking, grades: recall(ranking, grades, 10),
    "recall@100": lambda ranking, grades: recall(ranking, grades, 100),
    "mrr": reciprocal_rank,
}

Advance = Callable[[int], None]


def _options(fusion: Fusion, *, expand: bool = False) -> HybridOptions:
    return HybridOptions(k=DEPTH, cosine_floor=-1.0, near_duplicate=2.0, fusion=fusion, expand=expand)


SYSTEMS: Mapping[str, HybridOptions] = {
    "dense": _options(Fusion.SEMANTIC),
    "bm25": _options(Fusion.LEXICAL),
    "rrf": _options(Fusion.RRF),
    "fixed_60_40": _options(Fusion.FIXED),
    DEFAULT: _options(HybridOptions().fusion, expand=HybridOptions().expand),
}


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One query: each system's measures, and how the default came to its ranking."""

    query: str
    systems: Mapping[str, Mapping[str, float]]
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Means over all queries by system and measure, and the default minus each other system with its interval."""

    systems: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, Mapping[str, Difference]]


def build(texts: Mapping[str, str], encoder: TextEncoder, advance: Advance) -> Collection:
    """An index of `texts` in memory. `advance` is told how many more were encoded."""
    vectors = np.zeros((len(texts), encoder.card.dimension), dtype=np.float32)
    passages = list(texts.values())
    for start in range(0, len(passages), SLICE):
        part = passages[start : start + SLICE]
        vectors[start : start + SLICE] = encoder.encode_documents(part)
        advance(len(part))
    none: Vectors = vectors[:0]
    return Collection(
        ids=tuple(texts),
        alive=np.ones(len(texts), dtype=np.bool_),
        vectors=LayeredVectors(ExactVectors(vectors), none),
        lexical=LayeredLexical(LexicalIndex.build(passages), []),
    )


def measure(
    collection: TestCollection, index: Collection, encoder: TextEncoder, advance: Advance
) -> tuple[QueryResult, ...]:
    """Every query through every system, in the order of the queries."""
    results = []
    for query, text in collection.queries.items():
        results.append(_measured(query, text, collection.relevant[query], index, encoder))
        advance(1)
    return tuple(results)


def _measured(query: str, text: str, grades: Mapping[str, int], index: Collection, encoder: TextEncoder) -> QueryResult:
    expanded = text_query(encoder, text, expand=True)
    as_written = text_query(encoder, text) if expanded.expansions else expanded
    rankings = {
        name: search_text(index, expanded if options.expand else as_written, options)
        for name, options in SYSTEMS.items()
    }
    systems = {
        name: {one: of([hit.id for hit in ranking.hits], grades) for one, of in MEASURES.items()}
        for name, ranking in rankings.items()
    }
    return QueryResult(query, systems, rankings[DEFAULT].explanation)


def compare(results: Sequence[QueryResult]) -> Comparison:
    """Means and paired differences; at least one result."""
    by_system = {name: {one: [result.systems[name][one] for result in results] for one in MEASURES} for name in SYSTEMS}
    return Comparison(
        {name: {one: float(np.mean(values)) for one, values in of.items()} for name, of in by_system.items()},
        {
            name: {one: paired_bootstrap(by_system[DEFAULT][one], values) for one, values in of.items()}
            for name, of in by_system.items()
            if name != DEFAULT
        },
    )
