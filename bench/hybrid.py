"""What a hybrid search costs beside encoding its query, over 100,000 passages of a real home folder.

    python -m bench.hybrid [--passages 100000] [--cases 4000] [--texts corpus.jsonl] [--profile]

Passages are made from real sentences (default: those of the sample guidelines), most vectors are drawn: see bench.material.
The cases have captions and random pictures; they make the home as heavy to load as a real one. It is built as
`dermacite reindex` builds it and read as the server reads it. CPU is the processor time of all threads.
"""

import argparse
import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from bench.grown import put_documents
from bench.material import (
    ENCODED,
    KEPT,
    drawn_vectors,
    made_passages,
    made_queries,
    memory_mb,
    milliseconds,
    p50_p95,
    real_sentences,
)
from knowledge.types import FileOutcome, ReferenceCase
from retrieval.hybrid import HybridOptions, TextQuery, search_text
from retrieval.search import text_query
from retrieval.sketches import SKETCH_BYTES, SKETCHER
from retrieval.types import Mask
from retrieval.vectors import ExactVectors
from retrieval.view import Collection
from runtime.building import build_in_child
from runtime.cli.ingesting import uploads_of
from runtime.curation import Curator
from runtime.demo import SAMPLE
from runtime.service import Service, open_service
from runtime.settings import load_settings

QUERIES = 200
WARM = 20
SELECTIVITIES = (0.5, 0.05, 0.001)


@dataclass(slots=True)
class Times:
    """How long one thing took, again and again, on the clock and on the processor; ms."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, work: Callable[[], object]) -> None:
        """Do it once more."""
        started, started_cpu = time.perf_counter(), time.process_time()
        work()
        self.wall.append((time.perf_counter() - started) * 1000)
        self.processor.append((time.process_time() - started_cpu) * 1000)

    def line(self, name: str) -> str:
        """As a row of the table, without the first WARM."""
        p50, p95 = p50_p95(self.wall[WARM:])
        return f"{name:<44}{p50:>8.1f}{p95:>8.1f}{statistics.median(self.processor[WARM:]):>10.1f}"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=4_000)
    parser.add_argument("--texts", type=Path, help="a corpus.jsonl instead of the sample guidelines")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where encoded vectors are kept for the next run")
    parser.add_argument("--profile", action="store_true", help="say where the time of a search goes")
    given = parser.parse_args()
    sentences = real_sentences(given.texts)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        service = open_service(home, load_settings(home))
        try:
            _fill(service, made_passages(sentences, given.passages), given.cases, given.kept)
            collection = _load(service)
            _search(service, collection, made_queries(sentences, QUERIES + WARM), profiled=given.profile)
            _commit(service)
        finally:
            service.close()


def _fill(service: Service, passages: Sequence[str], cases: int, kept: Path) -> None:
    vectors = drawn_vectors(service.encoders.passages, passages, kept)
    print(
        f"{len(passages)} passages made from real sentences; {ENCODED} vectors are encoded, the others drawn",
        flush=True,
    )
    started = time.perf_counter()
    put_documents(service, passages, vectors)
    _register_cases(service, passages[:cases])
    print(f"put into the registry and the embedding store: {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    # Not `Curator.reindex`: it proves that vectors are those of their texts, and most of these are drawn.
    generation = service.index.publish(build_in_child(service))
    size = sum(file.stat().st_size for file in generation.rglob("*") if file.is_file())
    print(
        f"reindex: {time.perf_counter() - started:.1f} s; on disk {size / len(passages) / 1000:.2f} KB a passage "
        f"(Chroma {_size(generation / 'chroma') / len(passages) / 1000:.2f}, "
        f"BM25 {_size(generation / 'passages.bm25') / len(passages) / 1000:.2f}, "
        f"vectors {(generation / 'passages.npy').stat().st_size / len(passages) / 1000:.2f})",
        flush=True,
    )


def _register_cases(service: Service, captions: Sequence[str]) -> None:
    """One a caption. Captions are passages, so that their vectors are there: both spaces have the same encoder."""
    source, names = np.random.default_rng(0), [f"{row:064x}" for row in range(len(captions))]
    pictures = source.standard_normal((len(captions), service.cards["pictures"].dimension), dtype=np.float32)
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    sketches = source.integers(0, 256, (len(captions), SKETCH_BYTES), dtype=np.uint8)
    service.embeddings.put(service.fingerprints["pictures"], names, pictures)
    service.embeddings.put(SKETCHER, names, sketches)
    service.registry.put_cases(
        [
            ReferenceCase(f"c-{name[40:]}", "made", f"label {row % 50}", caption, name, name, name[48:])
            for row, (name, caption) in enumerate(zip(names, captions, strict=True))
        ]
    )


def _size(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())  # Chroma's are sparse


def _load(service: Service) -> Collection:
    _ = service.encoders
    before = memory_mb()
    started = time.perf_counter()
    collection = service.reader.view().passages
    loaded = time.perf_counter() - started
    query = text_query(service.encoders.passages, "warm up")
    first = milliseconds([partial(search_text, collection, query)])[0]
    after = memory_mb()
    own, mapped = ((after[one] - before[one]) * 1000 / len(collection.ids) for one in ("own", "mapped"))
    print(
        f"load: {loaded:.2f} s, the first search {first:.0f} ms; "
        f"memory {own:.2f} KB a passage and {mapped:.2f} KB mapped from files",
        flush=True,
    )
    return collection


def _search(service: Service, collection: Collection, texts: Sequence[str], *, profiled: bool) -> None:
    encoder = service.encoders.passages
    options = HybridOptions(cosine_floor=service.settings.cosine_floor)
    queries = [text_query(encoder, text, expand=True) for text in texts]
    # Taken in turns, so that whatever else the machine does falls on both alike.
    bare, alone, both = Times(), Times(), Times()
    for text, query in zip(texts, queries, strict=True):
        bare.add(partial(encoder.encode_queries, [text]))
        alone.add(partial(search_text, collection, query, options))
        both.add(partial(_answer, service, collection, text, options))
    print(f"\n{'ms, of ' + str(QUERIES) + ' queries':<44}{'p50':>8}{'p95':>8}{'CPU p50':>10}")
    print(
        bare.line("encode the query alone"),
        alone.line("search alone"),
        both.line("encode, expand and search"),
        sep="\n",
    )
    for share in SELECTIVITIES:
        allowed = _mask(len(collection.ids), share)
        filtered = Times()
        for query in queries:
            filtered.add(partial(search_text, collection, query, options, allowed))
        print(filtered.line(f"search alone, filter lets {share:.1%} through"), flush=True)
    _recall(collection, queries[:50])
    if profiled:
        _profile(lambda: [search_text(collection, query, options) for query in queries])
        allowed = _mask(len(collection.ids), 0.5)
        _profile(lambda: [search_text(collection, query, options, allowed) for query in queries])


def _answer(service: Service, collection: Collection, text: str, options: HybridOptions) -> None:
    search_text(collection, text_query(service.encoders.passages, text, expand=True), options)


def _mask(rows: int, share: float) -> Mask:
    mask: Mask = np.random.default_rng(0).random(rows) < share
    return mask


def _recall(collection: Collection, queries: Sequence[TextQuery]) -> None:
    exact = ExactVectors(collection.vectors.take(np.arange(len(collection.ids))))
    found = [
        len(set(collection.vectors.search(query.vector, 100)[0]) & set(exact.search(query.vector, 100)[0])) / 100
        for query in queries
    ]
    print(f"recall of the 100 nearest against exact search: {np.mean(found):.3f}")


def _profile(work: Callable[[], object]) -> None:
    with cProfile.Profile() as profile:
        work()
    pstats.Stats(profile).sort_stats("tottime").print_stats(14)


def _commit(service: Service) -> None:
    """From the moment that ingest reports a document as there until a search has found it."""
    waited = []

    def found(outcome: FileOutcome) -> None:
        started = time.perf_counter()
        view = service.reader.view()
        loaded = time.perf_counter() - started
        version = service.registry.document(outcome.id or "").version
        text = service.registry.texts_of_version(version.id)[0]
        started = time.perf_counter()
        best = search_text(view.passages, text_query(service.encoders.passages, text)).hits[0].id
        assert service.registry.passages([best])[best].document_id == outcome.id
        waited.append((loaded, time.perf_counter() - started))

    Curator(service).ingest_documents(uploads_of(SAMPLE), found)
    for loaded, searched in waited:
        print(
            f"a new document is searchable {loaded + searched:.2f} s after its commit, {loaded:.2f} s of them to load"
        )


if __name__ == "__main__":
    main()
