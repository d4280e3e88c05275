"""How the cost of a search grows with the corpus: exact against Chroma, our BM25 against rank_bm25, in one run.

    python -m bench.growth [ROWS ...]

Vectors are synthetic (400 topics with 48 inner dimensions, 384 wide), texts are random words; what is measured is time and
recall against exact search, not quality. Chroma is built in a child process, as the product does.
"""

import argparse
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from rank_bm25 import BM25Okapi

from retrieval.chroma import chroma_in
from retrieval.lexical import LayeredLexical, LexicalIndex, tokenize
from retrieval.types import Vectors
from retrieval.vectors import ChromaVectors, ExactVectors

DIMENSION, TOPICS, INNER = 384, 400, 48
QUERIES, K = 50, 10
VOCABULARY = 20_000
DELTA = 500  # as many rows as start a merge


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, default=[1_000, 10_000, 50_000])
    names = ("rows", "exact ms", "Chroma ms", "recall@10", "build s", "BM25 ms", "with a delta", "rank_bm25 ms")
    print("".join(f"{name:>14}" for name in names), f"  (p50 of {QUERIES} queries)")
    for rows in parser.parse_args().rows:
        print(f"{rows:>14}" + "".join(f"{figure:>14.2f}" for figure in (*_meaning(rows), *_words(rows))), flush=True)


def _meaning(rows: int) -> tuple[float, float, float, float]:
    """Exact ms, Chroma ms, recall of Chroma, seconds to build it."""
    source = np.random.default_rng(rows)
    matrix, queries = _vectors(source, rows), _vectors(source, QUERIES)
    exact = ExactVectors(matrix)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        store = Path(folder) / "chroma"
        child = multiprocessing.get_context("spawn").Process(target=_write, args=(store, {"vectors": matrix}))
        child.start()
        child.join()
        build = time.perf_counter() - started
        chroma = ChromaVectors(matrix, chroma_in(store), "vectors", exact_below=0)
        chroma.search(queries[0], K)  # opens the store
        exact_ms = _median_ms([partial(exact.search, query, K) for query in queries])
        chroma_ms = _median_ms([partial(chroma.search, query, K) for query in queries])
        recall = statistics.mean(len(set(chroma.search(q, K)[0]) & set(exact.search(q, K)[0])) / K for q in queries)
    return exact_ms, chroma_ms, recall, build


def _write(folder: Path, matrices: Mapping[str, Vectors]) -> None:
    chroma_in(folder).write(matrices)


def _vectors(source: np.random.Generator, rows: int) -> Vectors:
    world = np.random.default_rng(0)
    topics, basis = world.normal(size=(TOPICS, INNER)), world.normal(size=(INNER, DIMENSION))
    inner = topics[source.integers(TOPICS, size=rows)] + 0.7 * source.normal(size=(rows, INNER))
    vectors = inner @ basis + 0.5 * source.normal(size=(rows, DIMENSION))
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _words(rows: int) -> tuple[float, float, float]:
    """BM25 ms of a fresh index, of one with 500 rows beside it and one row in 300 gone, and of rank_bm25."""
    source = random.Random(rows)
    # Rank r with probability about 1/r, as words have.
    words = [f"w{int(VOCABULARY ** source.random())}" for _ in range(rows * 60)]
    texts = [" ".join(words[at : at + 60]) for at in range(0, len(words), 60)]
    questions = [source.sample(words, 8) for _ in range(QUERIES)]
    base = LexicalIndex.build(texts)
    ours = LayeredLexical(base, [])
    layered = LayeredLexical(base, texts[:DELTA], np.arange(rows) % 300 > 0)
    theirs = BM25Okapi([text.split() for text in texts])
    ours_ms = _median_ms([partial(_ask, ours, " ".join(one)) for one in questions])
    layered_ms = _median_ms([partial(_ask, layered, " ".join(one)) for one in questions])
    theirs_ms = _median_ms([partial(theirs.get_scores, one) for one in questions])
    return ours_ms, layered_ms, theirs_ms


def _ask(index: LayeredLexical, text: str) -> None:
    index.scores(tokenize(text))


def _median_ms(calls: list[Callable[[], object]]) -> float:
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
