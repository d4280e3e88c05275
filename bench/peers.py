"""Hybrid search beside LangChain's, Haystack's and txtai's: the same texts, vectors, encoder, queries and machine, one run.

    make bench-peers FOLDER=...        (FOLDER in BEIR's layout, for instance MED)
    python -m bench.peers FOLDER [--passages 100000] [--seconds 900] [--peers PYTHON]

First the collection itself, with nDCG@10; then as many passages made from its sentences (see bench.material), for those that
manage within the seconds. Every system runs alone, in a process of its own; the peers in the environment of
constraints-peers.txt, each as its library offers it: its tokenizer, 100 candidates a leg, 0.6 and 0.4 where it has weights.
Build times and memory are without encoding the texts: all get the same vectors. Memory is what the process grew by.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.material import (
    KEPT,
    drawn_vectors,
    embedded_encoder,
    encoded,
    made_passages,
    p50_p95,
    real_sentences,
    write_chroma_aside,
)
from bench.peer_systems import SHOWN, SYSTEMS, Search, Task, measure
from evaluation.beir import TestCollection, read_collection
from evaluation.measures import ndcg
from retrieval.chroma import chroma_in
from retrieval.encoders import encoder_card, locate
from retrieval.hybrid import HybridOptions, search_text
from retrieval.lexical import LayeredLexical, LexicalIndex
from retrieval.protocols import TextEncoder
from retrieval.search import text_query
from retrieval.types import Vectors
from retrieval.vectors import EXACT_BELOW, ChromaVectors, ExactVectors, LayeredVectors
from retrieval.view import Collection

OURS = "dermacite"
ROUNDS = 3  # each query so often
PROJECT = Path(__file__).resolve().parent.parent
PEERS = PROJECT / ".venv-peers" / "bin" / "python"


@dataclass(slots=True)
class Result:
    """What a system printed; `failed` says why it did not reach the end."""

    ready: float = 0.0
    own_mb: float = 0.0
    encode_ms: list[float] = field(default_factory=list)
    search_ms: list[float] = field(default_factory=list)
    over_cpu_ms: list[float] = field(default_factory=list)  # processor time of a search without that of encoding
    rankings: dict[str, list[str]] = field(default_factory=dict)
    failed: str = ""


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", type=int, default=100_000, help="0: only the collection itself")
    parser.add_argument("--seconds", type=int, default=900, help="after which a system is given up")
    parser.add_argument("--peers", type=Path, default=PEERS, help="the interpreter of the peers")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where encoded vectors are kept for the next run")
    parser.add_argument("--ours", action="store_true", help="be the process of our side")
    given = parser.parse_args()
    if given.ours:
        encoder = embedded_encoder()
        measure(given.folder, lambda text: encoder.encode_queries([text])[0], lambda task: _ours(task, encoder))
        return
    collection, encoder = read_collection(given.folder), embedded_encoder()
    vectors = encoded(encoder, list(collection.texts.values()), given.kept)
    _compare(given, collection.texts, vectors, collection.queries, collection)
    if given.passages:
        made = made_passages(real_sentences(given.folder / "corpus.jsonl"), given.passages)
        texts = {f"m{row}": text for row, text in enumerate(made)}
        _compare(given, texts, drawn_vectors(encoder, made, given.kept), collection.queries, None)


def _ours(task: Task, encoder: TextEncoder) -> Search:
    """As it serves: exact below EXACT_BELOW, Chroma built by a child above."""
    base: ExactVectors | ChromaVectors = ExactVectors(task.vectors)
    if len(task.texts) >= EXACT_BELOW:
        write_chroma_aside(task.folder / "chroma", "passages", task.vectors)
        base = ChromaVectors(task.vectors, chroma_in(task.folder / "chroma"), "passages")
    collection = Collection(
        ids=tuple(task.ids),
        alive=np.ones(len(task.ids), dtype=np.bool_),
        vectors=LayeredVectors(base, task.vectors[:0]),
        lexical=LayeredLexical(LexicalIndex.build(task.texts), []),
    )
    options = HybridOptions(k=SHOWN)
    return lambda text: [
        hit.id for hit in search_text(collection, text_query(encoder, text, expand=True), options).hits
    ]


def _compare(
    given: argparse.Namespace,
    texts: Mapping[str, str],
    vectors: Vectors,
    queries: Mapping[str, str],
    judged: TestCollection | None,
) -> None:
    print(
        f"\n{len(texts)} texts, {len(queries)} queries, {ROUNDS} times each"
        + ("" if judged else "; most vectors drawn")
    )
    names = ("encode p50", "search p50", "p95", "over encode", "CPU over", "ratio", "build s", "memory MB", "nDCG@10")
    print(f"{'ms a query':<12}" + "".join(f"{name:>13}" for name in names))
    first = None
    for system in (OURS, *SYSTEMS):
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), texts, vectors, queries)
            result = _run(system, Path(folder), given)
        first = first or (statistics.median(result.search_ms) if result.search_ms else None)
        print(f"{system:<12}{_figures(result, first, judged)}", flush=True)


def _write(folder: Path, texts: Mapping[str, str], vectors: Vectors, queries: Mapping[str, str]) -> None:
    for name, rows in (("texts", list(texts.items())), ("queries", list(queries.items()) * ROUNDS)):
        lines = (json.dumps({"id": one, "text": text}) + "\n" for one, text in rows)
        (folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")
    np.save(folder / "vectors.npy", vectors)
    (folder / "weights").write_text(str(locate(encoder_card("minilm")).path))


def _run(system: str, folder: Path, given: argparse.Namespace) -> Result:
    if system == OURS:
        command = [sys.executable, "-m", "bench.peers", "--ours", str(folder)]
    else:
        command = [str(given.peers), str(PROJECT / "bench" / "peer_systems.py"), system, str(folder)]
    quiet = {"ANONYMIZED_TELEMETRY": "False", "HAYSTACK_TELEMETRY_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    result = Result()
    with (folder / "errors").open("w") as errors, (folder / "lines").open("w") as lines:
        try:
            child = subprocess.run(
                command, stdout=lines, stderr=errors, timeout=given.seconds, check=False,
                cwd=PROJECT, env={**os.environ, **quiet},
            )  # fmt: skip
            if child.returncode:
                last = (folder / "errors").read_text().strip().splitlines()[-1:]
                result.failed = f"ended with {child.returncode}: {''.join(last)[:150]}"
        except subprocess.TimeoutExpired:
            result.failed = f"not done within {given.seconds} s"
    for line in (folder / "lines").read_text().splitlines():
        if line.startswith("{") and line.endswith("}"):
            _take(result, json.loads(line))
    return result


def _take(result: Result, line: Mapping[str, Any]) -> None:
    if "ready" in line:
        result.ready, result.own_mb = line["ready"], line["own_mb"]
    else:
        result.encode_ms.append(line["encode_ms"])
        result.search_ms.append(line["ms"])
        result.over_cpu_ms.append(line["over_cpu_ms"])
        result.rankings[line["query"]] = line["ranking"]


def _figures(result: Result, first: float | None, judged: TestCollection | None) -> str:
    if not result.search_ms:
        return f"   {result.failed or 'answered nothing'}"
    encode, (p50, p95) = statistics.median(result.encode_ms), p50_p95(result.search_ms)
    over = statistics.median(_over(result.search_ms, result.encode_ms))
    figures = [encode, p50, p95, over, statistics.median(result.over_cpu_ms), p50 / (first or p50)]
    figures += [result.ready, result.own_mb]
    shown = "".join(f"{figure:>13.1f}" for figure in figures)
    quality = f"{_quality(result, judged):>13.4f}" if judged else f"{'':>13}"
    return shown + quality + (f"   {result.failed} ({len(result.search_ms)} searches)" if result.failed else "")


def _over(searches: Sequence[float], encodings: Sequence[float]) -> list[float]:
    return [search - encoding for search, encoding in zip(searches, encodings, strict=True)]


def _quality(result: Result, judged: TestCollection) -> float:
    return statistics.mean(ndcg(result.rankings[query], grades, 10) for query, grades in judged.relevant.items())


if __name__ == "__main__":
    main()
