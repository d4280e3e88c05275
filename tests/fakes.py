"""Small deterministic doubles, and a home folder filled with them.

The encoders need no weights: a text is the sum of one fixed vector per stem, a picture its coarse colours. The registry,
the blobs, the embeddings and the indexes of a `Corpus` are the real ones.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.abstention import Thresholds
from inference.admission import ServedModels
from inference.citations import CitationVerifier
from inference.gathering import Gatherer, GatheringSettings
from inference.pipeline import Pipeline, PipelineSettings
from inference.reference_shelf import ReferenceShelf
from knowledge.blobs import BlobStore
from knowledge.pictures import Picture
from knowledge.registry import Registry
from knowledge.types import Cut, ExtractedText, Page, PageState, ReferenceCase, Source
from retrieval.cases import CaseOptions
from retrieval.embedder import Embedder
from retrieval.embeddings import EmbeddingStore
from retrieval.hybrid import HybridOptions
from retrieval.index import IndexFolder
from retrieval.lexical import tokenize
from retrieval.search import Encoders
from retrieval.sketches import SKETCH_BYTES, SKETCHER, Sketch
from retrieval.types import EncoderCard, Vector, Vectors
from retrieval.view import IndexReader

ROOT = Path(__file__).parent.parent
TEXT_DIMENSION = 64
GRID = 4  # a picture is seen as GRID x GRID colours
IMAGE_DIMENSION = GRID * GRID * 3


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """Rows scaled to length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


@cache
def _stem_vector(stem: str) -> NDArray[np.float64]:
    # From sha512 and not from a random generator: the golden files must not depend on numpy's streams.
    return np.array([byte / 127.5 - 1 for byte in hashlib.sha512(stem.encode()).digest()])


class FakeTextEncoder:
    """TextEncoder: texts that share words are near each other."""

    def __init__(self, fingerprint: str = "fake-text") -> None:
        self.card = EncoderCard("fake-text", "text", "fake", "fake", TEXT_DIMENSION, "CC0-1.0", max_tokens=512)
        self.fingerprint = fingerprint
        self.encoded: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        self.encoded.extend(texts)
        return unit(np.stack([self._sum(text) for text in texts])) if texts else np.zeros((0, 64), dtype=np.float32)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self.encode_documents(texts)

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def _sum(self, text: str) -> NDArray[np.float64]:
        total = np.zeros(TEXT_DIMENSION)
        for stem in sorted({"", *tokenize(text)}):
            total += _stem_vector(stem)
        return total


class FakeImageEncoder:
    """ImageEncoder: pictures with like colours in like places are near each other."""

    def __init__(self, fingerprint: str = "fake-image") -> None:
        self.card = EncoderCard("fake-image", "image", "fake", "fake", IMAGE_DIMENSION, "CC0-1.0")
        self.fingerprint = fingerprint

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        if not images:
            return np.zeros((0, IMAGE_DIMENSION), dtype=np.float32)
        return unit(np.stack([self._colours(image) for image in images]))

    def _colours(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        bands = [band for row in np.array_split(image, GRID) for band in np.array_split(row, GRID, axis=1)]
        return np.concatenate([band.mean(axis=(0, 1)) for band in bands]) - 127.5 + 1e-3


def fake_encoders() -> Encoders:
    text = FakeTextEncoder()
    return Encoders(FakeImageEncoder(), text, text)


def patch_of(colour: tuple[int, int, int], number: int = 0) -> NDArray[np.uint8]:
    """A 32 x 32 picture of one colour with a darker stripe whose place and depth depend on `number`."""
    image = np.full((32, 32, 3), colour, dtype=np.uint8)
    image[(number * 8) % 32 : (number * 8) % 32 + 8] //= 2 + number // 4
    return image


def picture_of(rgb: NDArray[np.uint8], name: str = "query") -> Picture:
    """An admitted picture, sharp and well lit. `name` decides its hashes."""
    return Picture(
        rgb=rgb,
        sha256=sha256(name),
        perceptual_hash=sha256(name)[:16],
        format="PNG",
        sharpness=100.0,
        exposure=0.5,
        contrast=0.2,
    )


def sketch_named(name: str) -> Sketch:
    """Noise that `name` decides, as it decides hashes: two names are never twins."""
    seed = int(sha256(name)[:8], 16)
    return np.random.default_rng(seed).integers(0, 256, SKETCH_BYTES, dtype=np.uint8)


def case_of(name: str, label: str = "psoriasis", caption: str = "", **fields: str | None) -> ReferenceCase:
    """A reference case; `name` decides its id and its hashes."""
    hashes = {"picture": sha256(f"stored {name}"), "original": sha256(name), "perceptual_hash": sha256(name)[:16]}
    given: dict[str, Any] = {"dataset": "set", **hashes, **fields}
    return ReferenceCase(id=f"c-{name}", label=label, caption=caption, **given)


class Corpus:
    """A home folder as runtime.home lays it out, filled without PDFs and pictures of patients."""

    def __init__(self, home: Path, encoders: Encoders | None = None) -> None:
        self.home = home
        self.encoders = encoders or fake_encoders()
        self.registry = Registry.in_folder(home)
        self.blobs = BlobStore(home / "blobs")
        self.embeddings = EmbeddingStore(home / "embeddings.sqlite3")
        dimensions = {"pictures": IMAGE_DIMENSION, "captions": TEXT_DIMENSION, "passages": TEXT_DIMENSION}
        self.index = IndexFolder(home / "indexes", self.encoders.fingerprints(), dimensions)

    def close(self) -> None:
        self.registry.close()

    def add_case(self, case: ReferenceCase, rgb: NDArray[np.uint8]) -> None:
        embedder = Embedder(self.encoders, self.embeddings)
        embedder.pictures([(case.picture, lambda: rgb)])
        embedder.captions([case.caption])
        self.embeddings.put(SKETCHER, [case.picture], sketch_named(case.id)[None])
        self.registry.put_cases([case])

    def add_document(self, title: str, pages: Sequence[str], source: Source | None = None) -> str:
        """A document with one passage a page; returns its version id. `title` decides its ids."""
        text = "\n".join(pages)
        starts = [sum(len(page) + 1 for page in pages[:number]) for number in range(len(pages))]
        spans = list(zip(starts, pages, strict=True))
        self.blobs.put(text.encode())
        Embedder(self.encoders, self.embeddings).passages(pages)
        self.registry.add_document(
            source or Source(title, licence="CC0-1.0"),
            version_id=sha256(title),
            size=len(text),
            text_sha256=sha256(text),
            extracted=ExtractedText(
                text,
                tuple(
                    Page(number, start, start + len(page), PageState.TEXT)
                    for number, (start, page) in enumerate(spans, start=1)
                ),
            ),
            passages=[
                (f"p-{title}-{number}", Cut(start, start + len(page), page, number, number, (title,), 1))
                for number, (start, page) in enumerate(spans, start=1)
            ],
        )
        return sha256(title)

    def build(self) -> Path:
        """Build a generation in a child process and return its unpublished folder."""
        spaces = {"fingerprints": self.index.fingerprints, "dimensions": self.index.dimensions}
        built = subprocess.run(
            [sys.executable, "-m", "runtime.index_child", str(self.home)],
            input=json.dumps(spaces), capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        return Path(built.stdout)

    def reader(self) -> IndexReader:
        return IndexReader(self.index, self.registry, self.embeddings)

    def pipeline(
        self, configuration: dict[str, Any] | None = None, models: ServedModels = ServedModels(),
        encoders: Encoders | None = None, thresholds: Thresholds = Thresholds(),
    ) -> Pipeline:  # fmt: skip
        """A pipeline on this corpus. Reference pictures are grey: no blob was stored."""
        gathering = GatheringSettings(cases=CaseOptions(alpha=0.7), passages=HybridOptions(cosine_floor=0.0))
        return Pipeline(
            Gatherer(self.reader(), encoders or self.encoders, self.registry, gathering),
            CitationVerifier(self.registry, self.blobs),
            ReferenceShelf(lambda digest: patch_of((128, 128, 128), int(digest, 16) % 4)),
            PipelineSettings(gathering, thresholds),
            configuration or {},
            models,
        )

    def query_vector(self, text: str) -> Vector:
        vector: Vector = self.encoders.passages.encode_queries([text])[0]
        return vector


CAPTIONS = {
    "psoriasis": "Well demarcated erythematous plaque with silvery scale on the elbow.",
    "acne vulgaris": "Inflamed papules, pustules and comedones on the cheek.",
    "melanocytic nevi": "Uniform brown macule with a regular border on the back.",
}
COLOURS = {"psoriasis": (200, 80, 80), "acne vulgaris": (230, 160, 140), "melanocytic nevi": (90, 60, 40)}
GUIDELINES = {
    "psoriasis-guide": (
        "Offer a potent corticosteroid once daily for plaque psoriasis. Review psoriasis of the scalp after 4 weeks.",
        "Refer psoriasis that covers more than 10% of the body surface. Ciclosporin is given at 2.5 mg/kg a day.",
    ),
    "acne-guide": (
        "Offer adapalene 0.1% with benzoyl peroxide 2.5% for acne vulgaris with papules and pustules.",
        "Comedones on the cheek alone need no antibiotic. Review acne after 12 weeks.",
    ),
}


def fill(corpus: Corpus, each: int = 4) -> None:
    """Three labels with `each` cases, of subjects of their own, and two guidelines of two passages."""
    for label, caption in CAPTIONS.items():
        for number in range(each):
            case = case_of(f"{label.split()[0]}-{number}", label, caption, subject=f"{label}-{number}")
            corpus.add_case(case, patch_of(COLOURS[label], number))
    for title, pages in GUIDELINES.items():
        corpus.add_document(title, pages)
