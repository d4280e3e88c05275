"""What the measurements of speed search: many passages made from few real texts, and vectors as an encoder would give.

A made passage is SENTENCES real sentences of different places, so that its words are as common as in the texts. Encoding
100,000 takes half an hour of two cores; a sample is encoded and the rest is drawn from a normal distribution with the
sample's mean and covariance, then brought to length 1. Such vectors do not fit the words of their passages: good for time and
memory, not for quality.
"""

import json
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from knowledge.pdf import PdfExtractor, PdfLimits
from retrieval.chroma import chroma_in
from retrieval.embeddings import EmbeddingStore, text_key
from retrieval.encoders import encoder_card, load_text_encoder, quick_loading
from retrieval.protocols import TextEncoder
from retrieval.types import Vectors
from runtime.demo import SAMPLE

SENTENCES = 4  # a passage; about 60 words
ENCODED = 500  # passages that are encoded; the covariance of 384 dimensions needs more rows than that
KEPT = Path(tempfile.gettempdir()) / "dermacite-bench-vectors.sqlite3"
FIRST_WORDS = 12  # of a sentence that is asked as a query

_SENTENCE = re.compile(r"(?<=[.?!])\s+")


def embedded_encoder() -> TextEncoder:
    """MiniLM from its package."""
    with quick_loading():
        return load_text_encoder(encoder_card("minilm"))


def real_sentences(corpus: Path | None) -> list[str]:
    """Of a corpus.jsonl ("text" in each line), or of the sample guidelines; each once, at least five words."""
    texts = _sample_texts() if corpus is None else _corpus_texts(corpus)
    found = (" ".join(part.split()) for text in texts for part in _SENTENCE.split(text))
    return [sentence for sentence in dict.fromkeys(found) if len(sentence.split()) >= 5]


def _corpus_texts(corpus: Path) -> list[str]:
    with corpus.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def _sample_texts() -> list[str]:
    extractor = PdfExtractor(PdfLimits())
    try:
        return [extractor.extract(file).text for file in sorted((SAMPLE / "guidelines").glob("*.pdf"))]
    finally:
        extractor.close()


def made_passages(sentences: Sequence[str], count: int) -> list[str]:
    """`count` different passages, the same every time."""
    source = random.Random(0)
    made: dict[str, None] = {}
    while len(made) < count:
        made[" ".join(source.sample(sentences, SENTENCES))] = None
    return list(made)


def made_queries(sentences: Sequence[str], count: int) -> list[str]:
    """The beginnings of sentences."""
    chosen = random.Random(1).choices(sentences, k=count)
    return [" ".join(sentence.split()[:FIRST_WORDS]) for sentence in chosen]


def encoded(encoder: TextEncoder, texts: Sequence[str], kept: Path) -> Vectors:
    """[n, dimension]. `kept` is a file that spares a second run the encoding of the same texts."""
    store = EmbeddingStore(kept)
    keys = [text_key(text) for text in texts]
    found = store.get(encoder.fingerprint, keys)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
    if missing:
        vectors = encoder.encode_documents(list(missing.values()))
        store.put(encoder.fingerprint, list(missing), vectors)
        found.update(zip(missing, vectors, strict=True))
    return np.stack([found[key] for key in keys])


def drawn_vectors(encoder: TextEncoder, passages: Sequence[str], kept: Path) -> Vectors:
    """One a passage: those of the first ENCODED are theirs, the others have their mean and covariance."""
    return drawn_like(encoded(encoder, passages[:ENCODED], kept), len(passages))


def drawn_like(real: Vectors, count: int) -> Vectors:
    """[count, dimension]: `real`, then vectors with their mean and covariance."""
    mean, deviations = real.mean(axis=0), real - real.mean(axis=0)
    # Normal numbers times the deviations / sqrt(n) have exactly the sample's covariance.
    source = np.random.default_rng(0)
    vectors = np.empty((count, real.shape[1]), dtype=np.float32)
    for start in range(0, count, 10_000):
        rows = vectors[start : start + 10_000]
        noise = source.standard_normal((len(rows), len(real)), dtype=np.float32)
        rows[:] = mean + noise @ deviations / np.float32(np.sqrt(len(real)))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors[: len(real)] = real[: len(vectors)]
    return vectors


def write_chroma_aside(folder: Path, name: str, matrix: Vectors) -> float:
    """Build a Chroma collection in a child process, as the product does; return the seconds."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as shared:
        np.save(Path(shared) / "matrix.npy", matrix)
        child = get_context("spawn").Process(target=_write_chroma, args=(folder, name, Path(shared) / "matrix.npy"))
        child.start()
        child.join()
    if child.exitcode:
        raise SystemExit(f"the child that builds Chroma ended with {child.exitcode}")
    return time.perf_counter() - started


def _write_chroma(folder: Path, name: str, matrix: Path) -> None:
    chroma_in(folder).write({name: np.load(matrix)})


def milliseconds(calls: Iterable[Callable[[], object]]) -> list[float]:
    """How long each took."""
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return times


def p50_p95(times: Sequence[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    return statistics.median(times), sorted(times)[int(0.95 * len(times))]


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in MB: in memory, of that from files, and all of it with what is shared divided among those who do."""

    resident: float
    mapped: float
    proportional: float

    @classmethod
    def of(cls, pid: int) -> "Memory":
        """As it is now."""
        fields = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:])
        found = {field[0]: int(field[1]) / 1000 for field in fields}
        return cls(found["Rss:"], found["Rss:"] - found["Anonymous:"], found["Pss:"])


def memory_mb() -> dict[str, float]:
    """Of this process: what it holds itself, and what it has mapped from files and touched."""
    fields = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    found = {field[0].rstrip(":"): int(field[1]) / 1000 for field in fields if field[0].startswith(("Rss", "VmHWM"))}
    return {"own": found["RssAnon"], "mapped": found["RssFile"], "peak": found["VmHWM"]}
