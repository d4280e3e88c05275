"""The one assembly: settings and a home folder become a working service. What is measured is what is served.

Every part is made when it is first needed, so that listing documents does not wait for torch.
"""

import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from inference.abstention import Thresholds
from inference.admission import ServedModels
from inference.citations import CitationVerifier
from inference.gathering import Gatherer, GatheringSettings
from inference.keeping import Keeper
from inference.lookup import Lookup
from inference.observing import NOBODY, Observer
from inference.pipeline import Pipeline, PipelineSettings
from inference.reference_shelf import ReferenceShelf
from knowledge.blobs import BlobStore
from knowledge.case_ingest import CaseIngest, Elsewhere
from knowledge.document_ingest import DocumentIngest
from knowledge.objects import ObjectStorage
from knowledge.pdf import PdfExtractor, PdfLimits
from knowledge.pictures import Picture, PictureLimits, admit_picture, stored_pixels
from knowledge.preparation import Preparation
from knowledge.registry import Registry
from retrieval.cases import CaseOptions
from retrieval.embeddings import EmbeddingStore
from retrieval.encoders import load_image_encoder, load_reranker, load_text_encoder, locate, quick_loading
from retrieval.follower import Follower
from retrieval.following import SharedIndex
from retrieval.generation import SPACES
from retrieval.hybrid import HybridOptions
from retrieval.index import IndexFolder
from retrieval.presets import share_a_space
from retrieval.protocols import Reranker
from retrieval.search import Encoders
from retrieval.types import EncoderCard
from retrieval.view import IndexReader
from runtime.describing import card_of, description
from runtime.errors import EncodersSwitched, SettingsRefused
from runtime.home import Home, Locks
from runtime.keys import KeyRing
from runtime.models import served_models
from runtime.preparing import preparation
from runtime.settings import EncoderChoice, Settings
from runtime.storage import blobs_of, index_of, storage_of
from runtime.switching import Switched
from runtime.truth import embeddings_of, locks_of, open_registry


class Service:
    """One knowledge base with its configured encoders and pipeline. Thread-safe; `close` it when done."""

    def __init__(self, home: Home, settings: Settings, encoders: Encoders | None = None) -> None:
        home.prepare()
        # A search multiplies small matrices: a second thread makes none of them faster, and OpenBLAS lets it spin for
        # 20 ms after each, 60 ms of processor time a consultation. The child that builds an index keeps its threads.
        threadpool_limits(1, user_api="blas")
        self.home = home
        self.settings = settings
        self._loading = threading.Lock()
        self._switched = Switched.read(home.root)
        self._encoders = encoders
        self.observer: Observer = NOBODY  # of consultations; set before the first
        self._follower: Follower | None = None
        self.stopping = threading.Event()  # set: work that can go on later ends after the file at hand

    def under(self, choices: Mapping[str, EncoderChoice]) -> "Service":
        """A second service of the same home, with these encoders for these spaces. Close it when done."""
        return type(self)(self.home, self.settings.model_copy(update=dict(choices)))

    def must_be_current(self) -> None:
        """Raises EncodersSwitched when the home was switched to other encoders since this service was made."""
        if Switched.read(self.home.root).serving != self._switched.serving:
            raise EncodersSwitched(
                "the encoders of this home were switched while this process ran; it still answers with the earlier ones. "
                "Restart it"
            )

    def close(self) -> None:
        """End child processes and give connections back."""
        if self._follower is not None:
            self._follower.stop()
        for part in (*self.__dict__.get("extractors", ()), *map(self.__dict__.get, ("renderer", "registry"))):
            if part is not None:
                part.close()

    # --- truth -----------------------------------------------------------------------------------------------------

    @cached_property
    def registry(self) -> Registry:
        """Documents, passages and cases."""
        return open_registry(self.home, self.settings)

    @cached_property
    def locks(self) -> Locks:
        """Who may do what alone."""
        return locks_of(self.home, self.registry)

    @cached_property
    def keys(self) -> KeyRing:
        """Who may do what."""
        return KeyRing(self.registry.keys)

    @cached_property
    def blobs(self) -> BlobStore:
        """Stored files."""
        return blobs_of(self.storage, self.home)

    @cached_property
    def storage(self) -> ObjectStorage | None:
        """What several machines share, where they do."""
        return storage_of(self.settings)

    @property
    def copies_gone_within_s(self) -> float | None:
        """How long after a deletion other machines may keep a copy of an index; None: there are none."""
        return None if self.settings.storage_url is None else self.settings.deletion_seconds

    @cached_property
    def extractors(self) -> tuple[PdfExtractor, ...]:
        """Read uploaded PDFs, each in a child of its own that starts with its first file."""
        return tuple(PdfExtractor(self.pdf_limits) for _ in range(self.settings.parsers))

    @cached_property
    def renderer(self) -> PdfExtractor:
        """Draws pages. A child of its own: a reader who opens a page must not wait for a long upload."""
        return PdfExtractor(self.pdf_limits)

    @property
    def pdf_limits(self) -> PdfLimits:
        """What one PDF may cost."""
        settings = self.settings
        return PdfLimits(
            bytes=settings.pdf_megabytes * 1_000_000, pages=settings.pdf_pages, seconds=settings.pdf_seconds,
            ocr_pages=settings.ocr_pages, ocr_seconds=settings.ocr_seconds,
        )  # fmt: skip

    @property
    def picture_limits(self) -> PictureLimits:
        """What one picture may cost."""
        settings = self.settings
        return PictureLimits(
            bytes=settings.picture_megabytes * 1_000_000, pixels=settings.picture_megapixels * 1_000_000
        )

    def admit(self, data: bytes) -> Picture:
        """One picture of a caller, within the limits. Raises PictureRefused."""
        return admit_picture(data, self.picture_limits)

    def stored_pixels(self, digest: str) -> NDArray[np.uint8]:
        """RGB pixels of a stored picture."""
        return stored_pixels(self.blobs.get(digest))

    # --- derived ---------------------------------------------------------------------------------------------------

    @cached_property
    def cards(self) -> dict[str, EncoderCard]:
        """The encoder card of each space. Raises SettingsRefused where strategy A would compare two spaces."""
        cards = {space: card_of(self._choice(space)) for space in SPACES}
        if self.settings.strategy == "A" and not share_a_space(cards["pictures"], cards["captions"]):
            raise SettingsRefused(
                f"strategy A compares pictures with captions in one space, and {cards['pictures'].name} and "
                f"{cards['captions'].name} have two; choose strategy B, or one encoder for both"
            )
        return cards

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprint of each space's encoder; looks at the weights, does not load them."""
        return {space: locate(card, self._choice(space).folder).fingerprint for space, card in self.cards.items()}

    @property
    def encoders(self) -> Encoders:
        """The encoders, loaded once however many threads ask first."""
        with self._loading:
            if self._encoders is None:
                with quick_loading():
                    self._encoders = self._load_encoders()
            return self._encoders

    def _load_encoders(self) -> Encoders:
        """Spaces with the same encoder share one."""
        pictures, captions, passages = (self._choice(space) for space in SPACES)
        caption_encoder = load_text_encoder(self.cards["captions"], captions.folder)
        shared = passages == captions
        return Encoders(
            pictures=load_image_encoder(self.cards["pictures"], pictures.folder),
            captions=caption_encoder,
            passages=caption_encoder if shared else load_text_encoder(self.cards["passages"], passages.folder),
        )

    @cached_property
    def reranker(self) -> Reranker | None:
        """Reads texts again, where one is configured."""
        choice = self.settings.reranker
        return load_reranker(card_of(choice), choice.folder) if choice else None

    @cached_property
    def embeddings(self) -> EmbeddingStore:
        """Vectors by content."""
        return embeddings_of(self.home, self.registry)

    @cached_property
    def index(self) -> IndexFolder:
        """The index generations of the configured encoders."""
        dimensions = {space: card.dimension for space, card in self.cards.items()}
        names = {space: card.name for space, card in self.cards.items()}
        return index_of(
            self.storage, self.home.indexes, self.settings, self.registry, self.fingerprints, dimensions, names
        )

    @cached_property
    def reader(self) -> IndexReader:
        """Hands out what is searched."""
        return IndexReader(self.index, self.registry, self.embeddings, exact_below=self.settings.exact_below)

    def follow(self) -> None:
        """Keep up, in a thread, with the index that a writer elsewhere publishes. For servers; once is enough."""
        if self._follower is None and isinstance(self.index, SharedIndex):
            self._follower = Follower(self.index, self.reader.view, self._let_go)
            self._follower.start()

    def _let_go(self) -> None:
        """A new index may come from a deletion elsewhere."""
        if "shelf" in self.__dict__:
            self.shelf.retain(self.registry.blobs_in_use())

    # --- answers ---------------------------------------------------------------------------------------------------

    @cached_property
    def models(self) -> ServedModels:
        """The served models. Raises SettingsRefused when one cannot be asked as it is set up."""
        return served_models(self.settings, self.home.calibrations)

    @property
    def models_in_use(self) -> ServedModels:
        """Those that were made by now; makes none."""
        made: ServedModels = self.__dict__.get("models", ServedModels())
        return made

    async def close_models(self) -> None:
        """Give up their connections, in the event loop that used them; they are made again when they are needed."""
        models: ServedModels | None = self.__dict__.pop("models", None)
        self.__dict__.pop("pipeline", None)
        for engine in dict.fromkeys(one.engine for one in models.all) if models else ():
            await engine.aclose()

    @cached_property
    def shelf(self) -> ReferenceShelf:
        """Pictures of reference cases as models see them."""
        return ReferenceShelf(self.stored_pixels)

    @cached_property
    def pipeline(self) -> Pipeline:
        """Answers consultations. Raises SettingsRefused when a served model cannot be asked as it is set up."""
        models = self.models  # first: it says what is wrong without waiting for encoders
        gathering = GatheringSettings(
            shown_cases=self.settings.shown_cases,
            passages_per_query=self.settings.passages_per_query,
            cases=self.case_options,
            passages=self._passage_options,
        )
        thresholds = Thresholds(probability=self.settings.probability_floor, label_mass=self.settings.label_mass_floor)
        return Pipeline(
            Gatherer(self.reader, self.encoders, self.registry, gathering, self.reranker),
            CitationVerifier(self.registry, self.blobs),
            self.shelf,
            PipelineSettings(gathering, thresholds, self.settings.workers),
            self.configuration,
            models,
            Keeper(self.registry) if self.settings.keep_answers else None,
            self.observer,
        )

    @cached_property
    def lookup(self) -> Lookup:
        """Answers plain searches."""
        return Lookup(
            self.reader, self.encoders, self.registry, self.case_options, self._passage_options, self.reranker
        )

    @property
    def document_ingest(self) -> DocumentIngest:
        """Takes documents in. The caller holds the writer lock."""
        return DocumentIngest(self.registry, self.blobs, self.extractors[0], self._preparation)

    @property
    def case_ingest(self) -> CaseIngest:
        """Takes cases in. The caller holds the writer lock."""
        return self.case_ingest_with(None)

    def case_ingest_with(self, elsewhere: Elsewhere | None) -> CaseIngest:
        """The same, with pictures admitted and prepared elsewhere."""
        return CaseIngest(self.registry, self.blobs, self._preparation, self.picture_limits, elsewhere)

    @property
    def _preparation(self) -> Preparation:
        return preparation(lambda: self.encoders, self.embeddings)

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """What every answer says of the service that gave it."""
        return description(self.settings, self.cards, self.fingerprints, self.models)

    @property
    def case_options(self) -> CaseOptions:
        """How cases are searched."""
        return CaseOptions(alpha=self.settings.alpha, strategy=self.settings.strategy)

    @property
    def _passage_options(self) -> HybridOptions:
        return HybridOptions(cosine_floor=self.settings.cosine_floor)

    def _choice(self, space: str) -> EncoderChoice:
        choice: EncoderChoice = getattr(self.settings, space)
        return choice


def open_service(home: Path, settings: Settings, encoders: Encoders | None = None) -> Service:
    """The service of a home folder, which is made when it is not there.

    `encoders`, already loaded and those of the settings, spare a second service of this process the loading.
    """
    return Service(Home(home), settings, encoders)
