"""The hybrid searches that ours is compared with, each as its library offers it. Runs in an environment of its own.

    .venv-peers/bin/python bench/peer_systems.py langchain|haystack|txtai FOLDER

FOLDER holds what bench.peers wrote: texts.jsonl, queries.jsonl, vectors.npy (a row a text) and weights, the path of the
encoder. Prints one JSON object a line: {"ready": ...} when the index stands, then one a query. Imports nothing of ours.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEEP = 100  # candidates of each leg
SHOWN = 10
SEMANTIC = 0.6
ADD_BATCH = 5_000  # Chroma's largest is 5,461
WARM = 3

Encode = Callable[[str], Any]
Search = Callable[[str], list[str]]


@dataclass(frozen=True)
class Task:
    """What every system gets: texts and their vectors by row, and how to encode a query."""

    ids: list[str]
    texts: list[str]
    vectors: NDArray[np.float32]
    encode: Encode
    folder: Path


def langchain(task: Task) -> Search:
    """EnsembleRetriever over Chroma and BM25: weighted reciprocal ranks."""
    from langchain_chroma import Chroma
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_community.retrievers import BM25Retriever
    from langchain_core.embeddings import Embeddings

    known = dict(zip(task.texts, task.vectors.tolist(), strict=True))

    class Prepared(Embeddings):  # type: ignore[misc]
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [known[text] for text in texts]

        def embed_query(self, text: str) -> list[float]:
            vector: list[float] = task.encode(text).tolist()
            return vector

    store = Chroma(
        "passages",
        Prepared(),
        persist_directory=str(task.folder / "langchain"),
        collection_metadata={"hnsw:space": "cosine"},
    )
    for start in range(0, len(task.texts), ADD_BATCH):
        rows = slice(start, start + ADD_BATCH)
        store.add_texts(task.texts[rows], [{"id": one} for one in task.ids[rows]], task.ids[rows])
    words = BM25Retriever.from_texts(task.texts, [{"id": one} for one in task.ids], k=DEEP)
    meaning = store.as_retriever(search_kwargs={"k": DEEP})
    both = EnsembleRetriever(retrievers=[meaning, words], weights=[SEMANTIC, 1 - SEMANTIC], id_key="id")
    return lambda text: [document.metadata["id"] for document in both.invoke(text)][:SHOWN]


def haystack(task: Task) -> Search:
    """A pipeline over the in-memory store: BM25 and embeddings, joined by reciprocal ranks."""
    from haystack import Document, Pipeline, component
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
    from haystack.document_stores.in_memory import InMemoryDocumentStore

    @component
    class Embedder:
        @component.output_types(embedding=list[float])  # type: ignore[untyped-decorator]
        def run(self, text: str) -> dict[str, list[float]]:
            return {"embedding": task.encode(text).tolist()}

    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    rows = zip(task.ids, task.texts, task.vectors, strict=True)
    store.write_documents([Document(id=one, content=text, embedding=vector.tolist()) for one, text, vector in rows])
    both = Pipeline()
    both.add_component("embedder", Embedder())
    both.add_component("meaning", InMemoryEmbeddingRetriever(store, top_k=DEEP))
    both.add_component("words", InMemoryBM25Retriever(store, top_k=DEEP))
    both.add_component("joiner", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=SHOWN))
    both.connect("embedder.embedding", "meaning.query_embedding")
    both.connect("meaning", "joiner")
    both.connect("words", "joiner")

    def search(text: str) -> list[str]:
        found = both.run({"embedder": {"text": text}, "words": {"query": text}})
        return [document.id for document in found["joiner"]["documents"]]

    return search


def txtai(task: Task) -> Search:
    """Embeddings with hybrid=True: Faiss and its own BM25, a weighted sum of scores."""
    from txtai import Embeddings

    known = dict(zip(task.texts, task.vectors, strict=True))

    def transform(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([known[text] if text in known else task.encode(text) for text in texts])

    index = Embeddings(method="external", transform=transform, hybrid=True, content=False)
    index.index(zip(task.ids, task.texts, strict=True))
    return lambda text: [one for one, _ in index.search(text, SHOWN, weights=SEMANTIC)]


SYSTEMS: dict[str, Callable[[Task], Search]] = {"langchain": langchain, "haystack": haystack, "txtai": txtai}


def measure(folder: Path, encode: Encode, build: Callable[[Task], Search]) -> None:
    """Build, ask every query, print. Each query is encoded alone first, then searched with the encoding in it."""
    texts = list(_lines(folder / "texts.jsonl"))
    task = Task(
        [one["id"] for one in texts], [one["text"] for one in texts], np.load(folder / "vectors.npy"), encode, folder
    )
    queries = list(_lines(folder / "queries.jsonl"))
    before, started = _own_mb(), time.perf_counter()
    search = build(task)
    ready = time.perf_counter() - started
    for query in queries[:WARM]:
        encode(query["text"])
        search(query["text"])
    print(json.dumps({"ready": ready, "own_mb": _own_mb() - before}), flush=True)
    for query in queries:
        started, started_cpu = time.perf_counter(), time.process_time()
        encode(query["text"])
        encoded, encoded_cpu = time.perf_counter(), time.process_time()
        ranking = search(query["text"])
        times = {
            "encode_ms": (encoded - started) * 1000,
            "ms": (time.perf_counter() - encoded) * 1000,
            "over_cpu_ms": (time.process_time() - encoded_cpu - (encoded_cpu - started_cpu)) * 1000,
        }
        print(json.dumps({"query": query["id"], "ranking": ranking, **times}), flush=True)


def _lines(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def _own_mb() -> float:
    """What this process holds, with what it mapped from files and touched."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssFile"))) / 1000


def main() -> None:
    """Entry point."""
    from sentence_transformers import SentenceTransformer

    name, folder = sys.argv[1], Path(sys.argv[2])
    model = SentenceTransformer((folder / "weights").read_text(), device="cpu", local_files_only=True)
    measure(
        folder,
        lambda text: model.encode(text, normalize_embeddings=True, show_progress_bar=False),
        SYSTEMS[name],
    )


if __name__ == "__main__":
    main()
