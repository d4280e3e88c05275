"""Small deterministic doubles, and a home folder filled with them.

The encoders need no weights: a text is the sum of one fixed vector per stem, a picture its coarse colours. The registry,
the blobs, the embeddings and the indexes of a `Corpus` are the real ones.
"""

import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import numpy as np
from numpy.typing import NDArray

from inference.abstention import Thresholds
from inference.admission import ServedModels
from inference.citations import CitationVerifier
from inference.engines import ChatRequest, Completion, LabelScore, TokenCount
from inference.engines.checking import check_constraint, check_continuations
from inference.engines.errors import EngineError
from inference.gathering import Gatherer, GatheringSettings
from inference.label_probabilities import LabelCalibration
from inference.pipeline import Pipeline, PipelineSettings
from inference.profiles import ModelProfile, load_profile
from inference.prompts import ImagePart, TextPart
from inference.reference_shelf import ReferenceShelf
from inference.served import ServedModel
from inference.types import Abstention, Answer, Diagnosis
from knowledge.blobs import LocalBlobs
from knowledge.pictures import Picture
from knowledge.registry import NewVersion, Registry
from knowledge.types import Cut, Page, PageState, ReferenceCase, Source, VersionState
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
        self.card = EncoderCard("fake-image", "image", "fake", "fake-pictures", IMAGE_DIMENSION, "CC0-1.0")
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
        self.chroma_url: str | None = None
        self.registry = Registry.in_folder(home)
        self.blobs = LocalBlobs(home / "blobs")
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

    def add_document(
        self, title: str, pages: Sequence[str], source: Source | None = None, document_id: str | None = None,
        state: VersionState = VersionState.LIVE,
    ) -> str:  # fmt: skip
        """A document with one passage a page; returns its version id. `title` decides its ids."""
        text = "\n".join(pages)
        starts = [sum(len(page) + 1 for page in pages[:number]) for number in range(len(pages))]
        spans = list(zip(starts, pages, strict=True))
        self.blobs.put(text.encode())
        Embedder(self.encoders, self.embeddings).passages(pages)
        new = NewVersion(
            sha256(title),
            source or Source(title, licence="CC0-1.0"),
            size=len(text),
            text_sha256=sha256(text),
            pages=[
                Page(number, start, start + len(page), PageState.TEXT)
                for number, (start, page) in enumerate(spans, start=1)
            ],
            passages=[
                (f"p-{title}-{number}", Cut(start, start + len(page), page, number, number, (title,), 1))
                for number, (start, page) in enumerate(spans, start=1)
            ],
            document_id=document_id,
        )
        self.registry.add_version(new, state)
        return sha256(title)

    def build(self) -> Path:
        """Build a generation in a child process and return its unpublished folder."""
        spaces = {
            "fingerprints": self.index.fingerprints, "dimensions": self.index.dimensions, "chroma_url": self.chroma_url,
        }  # fmt: skip
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


RARE = 1e-4  # probability of a label that nothing is said of
PROMPT_TOKENS, ANSWER_TOKENS, SCORE_TOKENS = 100, 7, 30  # what a FakeEngine reports a request costs

Answers = Callable[[ChatRequest], str]
Likely = Mapping[str, float] | Callable[[ChatRequest], Mapping[str, float]]


class FakeEngine:
    """Engine: says what it is told to, remembers what it was asked, fails where it is told to.

    `says` is one answer, or a function of the request. `likely` maps a part of a continuation ("psoriasis") to its
    probability; None is an engine that cannot score. `tokens` counts a prompt; None is an engine that cannot count.
    `fails` maps a method's name to the error it raises. Constraints are checked as the real engines check them.
    """

    def __init__(
        self, says: str | Answers = "", likely: Likely | None = None, *,
        tokens: Callable[[ChatRequest], int] | None = None, limit: int = 1_000_000,
        fails: Mapping[str, EngineError] | None = None, delay: float = 0.0, fails_after: int = 0,
    ) -> None:  # fmt: skip
        self._says = says if callable(says) else lambda _: says
        self._likely, self._tokens, self._limit = likely, tokens, limit
        self._fails, self._delay, self._fails_after = dict(fails or {}), delay, fails_after
        self.completed: list[ChatRequest] = []
        self.streamed: list[ChatRequest] = []
        self.scored: list[tuple[ChatRequest, tuple[str, ...]]] = []
        self.counted: list[ChatRequest] = []
        self.at_work = 0
        self.streams_open = 0
        self.streams_finished = 0
        self.closed = False

    @property
    def can_score(self) -> bool:
        return self._likely is not None

    @property
    def asked(self) -> int:
        """Requests of any kind."""
        return len(self.completed) + len(self.streamed) + len(self.scored) + len(self.counted)

    async def complete(self, request: ChatRequest) -> Completion:
        self.completed.append(request)
        await self._work("complete")
        text = self._says(request)
        check_constraint(request, text, "stop")
        return Completion(text, "stop", (), PROMPT_TOKENS, ANSWER_TOKENS, None, self._delay)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        self.streamed.append(request)
        self.streams_open += 1
        try:
            text = self._says(request)
            for number, piece in enumerate(text.split(" ")):
                if number == self._fails_after:
                    await self._work("stream")
                await anyio.sleep(0)
                yield piece if number == 0 else f" {piece}"
            check_constraint(request, text, "stop")
            self.streams_finished += 1
        finally:
            self.streams_open -= 1

    async def score(self, request: ChatRequest, continuations: Sequence[str]) -> tuple[LabelScore, ...]:
        self.scored.append((request, tuple(continuations)))
        await self._work("score")
        check_continuations(continuations)
        likely = self._likely(request) if callable(self._likely) else self._likely or {}
        return tuple(
            LabelScore(text, math.log(next((p for part, p in likely.items() if part in text), RARE)), 3, SCORE_TOKENS)
            for text in continuations
        )

    async def count(self, request: ChatRequest) -> TokenCount | None:
        self.counted.append(request)
        await self._work("count")
        return None if self._tokens is None else TokenCount(self._tokens(request), self._limit)

    async def probe(self) -> float:
        await self._work("probe")
        return self._delay

    async def aclose(self) -> None:
        self.closed = True

    async def _work(self, method: str) -> None:
        self.at_work += 1
        try:
            await anyio.sleep(self._delay)
            if method in self._fails:
                raise self._fails[method]
        finally:
            self.at_work -= 1


def served(profile: str | ModelProfile, engine: FakeEngine, calibration: LabelCalibration | None = None) -> ServedModel:
    """A real profile on a double of an engine."""
    found = load_profile(profile) if isinstance(profile, str) else profile
    return ServedModel(found, engine, f"served-{found.name}", "fake", calibration)


def naming(label: str) -> Answers:
    """Answers with the choice that names the label; without a list, with the label in the words of the models."""
    return lambda request: next(
        (choice for choice in request.choice or () if label in choice), f"This image shows {label}."
    )


def words_in(request: ChatRequest) -> str:
    """Every text of a request in order, pictures as `<picture>`, turns apart by an empty line."""
    turns = (
        "\n".join("<picture>" if isinstance(part, ImagePart) else part.text for part in message.parts)
        for message in request.messages
    )
    return "\n\n".join(turns)


def pictures_in(request: ChatRequest) -> list[ImagePart]:
    return [part for message in request.messages for part in message.parts if isinstance(part, ImagePart)]


def texts_in(request: ChatRequest) -> list[str]:
    return [part.text for message in request.messages for part in message.parts if isinstance(part, TextPart)]


def diagnosis(answer: Answer) -> Diagnosis:
    assert isinstance(answer, Diagnosis), answer
    return answer


def abstention(answer: Answer) -> Abstention:
    assert isinstance(answer, Abstention), answer
    return answer
