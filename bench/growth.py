"""How the cost of a search grows with the corpus: exact, Chroma, BM25, both legs together, and the leak guard over cases.

    python -m bench.growth [--passages N ...] [--cases N ...] [--plot FILE.png]

Vectors are synthetic (400 topics with 48 inner dimensions, 384 wide), texts are random words; what is measured is time and
recall against exact search, not quality. Chroma is built in a child process, as the product does. The hybrid search takes the
leg that the default `exact_below` chooses, and its query is already encoded. The guard compares an altered sample picture with
mixtures of sample pictures. rank_bm25 takes part up to 10,000 passages: beyond, it measures patience.
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from rank_bm25 import BM25Okapi

from bench.leaks import grown_sketches
from bench.material import milliseconds, write_chroma_aside
from knowledge.registry import CaseGuard
from retrieval.chroma import chroma_in
from retrieval.hybrid import POOL, TextQuery, search_text
from retrieval.leakage import GuardTable, Probe, leak_guard
from retrieval.lexical import LayeredLexical, LexicalIndex, tokenize
from retrieval.sketches import sketch_of
from retrieval.twins import SketchTable
from retrieval.types import Vectors
from retrieval.vectors import ChromaVectors, ExactVectors, LayeredVectors
from retrieval.view import Collection
from runtime.demo import SAMPLE

DIMENSION, TOPICS, INNER = 384, 400, 48
QUERIES, WARM = 50, 5
VOCABULARY = 20_000
WORDS = 60  # a passage
RANK_BM25_UP_TO = 10_000
AXIS = (0.1, 1.0, 10.0, 100.0)  # ms
WIDTH = 16  # characters between two of them
LETTERS = {"exact": "E", "Chroma": "C", "BM25": "B", "rank_bm25": "r", "hybrid": "H", "leak guard": "G"}

Growth = dict[str, dict[int, float]]  # p50 in ms of each search, by the number of items


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", nargs="*", type=int, default=[1_000, 10_000, 100_000, 300_000])
    parser.add_argument("--cases", nargs="*", type=int, default=[4_000, 40_000])
    parser.add_argument("--plot", type=Path, help="draw it into this file (needs matplotlib)")
    given = parser.parse_args()
    growth: Growth = {name: {} for name in LETTERS}
    for rows in given.passages:
        _passages(rows, growth)
    for rows in given.cases:
        growth["leak guard"][rows] = _guard(rows)
        print(f"{rows:>9,} cases: leak guard {growth['leak guard'][rows]:.1f} ms", flush=True)
    print("\n" + "\n".join(_drawn(growth)))
    if given.plot is not None:
        _plot(growth, given.plot)


def _passages(rows: int, growth: Growth) -> None:
    source = np.random.default_rng(rows)
    matrix, queries = _vectors(source, rows), _vectors(source, QUERIES)
    texts, questions = _texts(rows)
    exact = ExactVectors(matrix)
    lexical = LayeredLexical(LexicalIndex.build(texts), [])
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        build = write_chroma_aside(Path(folder) / "chroma", "vectors", matrix)
        chroma = ChromaVectors(matrix, chroma_in(Path(folder) / "chroma"), "vectors", exact_below=0)
        serving = ChromaVectors(matrix, chroma_in(Path(folder) / "chroma"), "vectors")
        found["exact"] = milliseconds(partial(exact.search, query, POOL) for query in queries)
        found["Chroma"] = milliseconds(partial(chroma.search, query, POOL) for query in queries)
        terms = [tokenize(question) for question in questions]
        found["BM25"] = milliseconds(partial(lexical.scores, one) for one in terms)
        found["hybrid"] = _hybrid(LayeredVectors(serving, matrix[:0]), lexical, queries, terms)
        recall = statistics.mean(
            len({*chroma.search(q, POOL)[0].tolist()} & {*exact.search(q, POOL)[0].tolist()}) / POOL for q in queries
        )
    if rows <= RANK_BM25_UP_TO:
        theirs = BM25Okapi([text.split() for text in texts])
        found["rank_bm25"] = milliseconds(partial(theirs.get_scores, question.split()) for question in questions)
    for name, times in found.items():
        growth[name][rows] = statistics.median(times[WARM:])
    shown = ", ".join(f"{name} {growth[name][rows]:.2f}" for name in found)
    print(f"{rows:>9,} passages: {shown} ms; Chroma built in {build:.0f} s, recall@{POOL} {recall:.3f}", flush=True)


def _hybrid(
    vectors: LayeredVectors, lexical: LayeredLexical, queries: Vectors, terms: Sequence[Sequence[str]]
) -> list[float]:
    rows = len(vectors)
    collection = Collection(tuple(f"p{row}" for row in range(rows)), np.ones(rows, dtype=np.bool_), vectors, lexical)
    asked = [TextQuery(vector, words) for vector, words in zip(queries, terms, strict=True)]
    return milliseconds(partial(search_text, collection, query) for query in asked)


def _vectors(source: np.random.Generator, rows: int) -> Vectors:
    world = np.random.default_rng(0)
    topics, basis = world.normal(size=(TOPICS, INNER)), world.normal(size=(INNER, DIMENSION))
    vectors = np.empty((rows, DIMENSION), dtype=np.float32)
    for start in range(0, rows, 50_000):
        part = vectors[start : start + 50_000]
        inner = topics[source.integers(TOPICS, size=len(part))] + 0.7 * source.normal(size=(len(part), INNER))
        mixed = inner @ basis + 0.5 * source.normal(size=part.shape)
        part[:] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return vectors


def _texts(rows: int) -> tuple[list[str], list[str]]:
    """Passages and questions. Word number r comes with a probability of about 1/r, as words do."""
    source = random.Random(rows)
    texts = [" ".join(f"w{int(VOCABULARY ** source.random())}" for _ in range(WORDS)) for _ in range(rows)]
    return texts, [" ".join(source.sample(source.choice(texts).split(), 8)) for _ in range(QUERIES)]


def _guard(rows: int) -> float:
    pictures = [Image.open(file).convert("RGB") for file in sorted((SAMPLE / "cases" / "pictures").glob("*.jpg"))]
    sketches = grown_sketches(np.stack([sketch_of(np.asarray(picture)) for picture in pictures]), rows)
    guards = [
        CaseGuard(f"c{row}", "set", "x", f"stored {row}", f"sent {row}", f"{row:016x}", None, None, None)
        for row in range(len(sketches))
    ]
    table = GuardTable.of(guards, SketchTable.of(sketches))
    probes = [
        Probe(frozenset({"elsewhere"}), ["f" * 16], sketches=[sketch_of(np.asarray(picture)[:, ::-1])])
        for picture in pictures[:QUERIES]
    ]
    return statistics.median(milliseconds(partial(leak_guard, table, probe) for probe in probes)[WARM:])


def _drawn(growth: Mapping[str, Mapping[int, float]]) -> list[str]:
    """A line a size, a letter a search, on a logarithmic axis."""
    axis = "".join(f"{f'{tick:g}':<{WIDTH}}" for tick in AXIS)
    lines = [f"{'items':>9}  {axis}ms, {', '.join(f'{letter} {name}' for name, letter in LETTERS.items())}"]
    for rows in sorted({rows for times in growth.values() for rows in times}):
        places = [" "] * (WIDTH * len(AXIS))
        for name, times in growth.items():
            if rows in times:
                at = round(WIDTH * np.log10(max(times[rows], AXIS[0]) / AXIS[0]))
                places[min(at, len(places) - 1)] = LETTERS[name]
        lines.append(f"{rows:>9,}  {''.join(places)}".rstrip())
    return lines


def _plot(growth: Mapping[str, Mapping[int, float]], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")  # no window
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name, times in growth.items():
        axes.loglog(list(times), list(times.values()), marker="o", label=name)
    axes.set_xlabel("passages (leak guard: cases)")
    axes.set_ylabel("p50 of a search, ms")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()
