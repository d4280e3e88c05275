"""What a filter costs over 100,000 passages of 2,000 documents and 100,000 cases: its mask, and a search of what it leaves.

    python -m bench.filters

Vectors are drawn at random (384 dimensions) and texts from 5,000 made-up words: neither changes what a mask or a product costs.
Chroma is not asked, with or without a filter, so a search without one is slower here than where Chroma proposes.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from knowledge.registry import CaseFacts, VersionFacts
from knowledge.types import Source, Standing
from retrieval.facets import Column, Facets, of_cases, of_passages
from retrieval.filters import OF_CASES, OF_PASSAGES, Filters, mask_of
from retrieval.hybrid import TextQuery, search_text
from retrieval.lexical import LayeredLexical, LexicalIndex
from retrieval.vectors import ExactVectors, LayeredVectors
from retrieval.view import Collection

ROWS, DOCUMENTS, DIMENSION, ROUNDS = 100_000, 2_000, 384, 30
SHARES = {"1 %": 20, "10 %": 200, "50 %": 1_000, "99 %": 1_980}  # documents of 2,000 that pass


def main() -> None:
    """Entry point."""
    rng = np.random.default_rng(0)
    passages, cases = _passage_facets(rng), _case_facets()
    for name, facets, filters, known in (
        ("passages, one filter", passages, Filters(jurisdiction=("10 %",)), OF_PASSAGES),
        ("cases, one filter", cases, Filters(label=("label 7",)), OF_CASES),
        ("cases, four filters", cases, Filters(label=("label 7",), skin_tone=("2",), split=("a",), licence=("x",)), OF_CASES),
    ):  # fmt: skip
        print(f"mask of {name}: {_ms(lambda f=facets, w=filters, k=known: mask_of(f, w, w.on(k))):.2f} ms")  # type: ignore[misc]
    collection, query = _collection(rng)
    print(f"hybrid search, no filter: {_ms(lambda: search_text(collection, query)):.1f} ms")
    for share in SHARES:
        filters = Filters(jurisdiction=tuple(one for one, number in SHARES.items() if number <= SHARES[share]))
        took = _ms(lambda w=filters: search_text(collection, query, allowed=mask_of(passages, w, w.on(OF_PASSAGES))))  # type: ignore[misc]
        print(f"hybrid search, filter that leaves {share}: {took:.1f} ms")


def _passage_facets(rng: np.random.Generator) -> Facets:
    """A jurisdiction is named by the share of the documents that it and the smaller ones have together."""
    names = [f"d-{number}" for number in range(DOCUMENTS)]
    documents = Column().extended(f"body {names[at]}" for at in rng.integers(0, DOCUMENTS, ROWS))
    shares = sorted(SHARES.items(), key=lambda one: one[1])
    versions: dict[str, VersionFacts] = {}
    for at, name in enumerate(names):
        place = next((share for share, number in shares if at < number), "elsewhere")
        source = Source(f"title {at}", jurisdiction=place, effective=f"{2000 + at % 25}-01-01")
        versions[name] = VersionFacts(name, source, Standing.IN_FORCE)
    return of_passages(documents, versions)


def _case_facets() -> Facets:
    facts = [
        CaseFacts(f"c{at}", f"set {at % 5}", f"label {at % 200}", f"http://{at}", str(at % 6), "x", "a")
        for at in range(ROWS)
    ]
    return of_cases(facts)


def _collection(rng: np.random.Generator) -> tuple[Collection, TextQuery]:
    vectors = rng.standard_normal((ROWS, DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words = np.array([f"word{number}" for number in range(5_000)])
    texts = [" ".join(words[(rng.pareto(1, 60) * 20).astype(int) % 5_000]) for _ in range(ROWS)]
    collection = Collection(
        tuple(f"p-{row}" for row in range(ROWS)), np.ones(ROWS, dtype=np.bool_),
        LayeredVectors(ExactVectors(vectors), np.zeros((0, DIMENSION), dtype=np.float32)),
        LayeredLexical(LexicalIndex.build(texts), []),
    )  # fmt: skip
    return collection, TextQuery(vectors[7], ["word40", "word300", "word900", "word2000"])


def _ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


if __name__ == "__main__":
    main()
