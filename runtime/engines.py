"""Where the costly steps of an ingest are done: here, or (runtime.bulk) on a cluster. What is written is written here."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.case_ingest import CaseIngest
from knowledge.registry.jobs import JobItem
from knowledge.types import ExtractedText
from retrieval.embedder import Embedder, Progress
from runtime.reading_ahead import Read, ReadingAhead
from runtime.service import Service


class Reading(Protocol):
    """Reads the files of jobs; see ReadingAhead."""

    def batches(self, job_id: str, items: Sequence[JobItem]) -> Iterator[list[Read]]:
        """The items in their order, a few at once."""

    def read_now(self, item: JobItem) -> ExtractedText:
        """One that nobody read ahead. Raises DocumentRefused."""


class Embedding(Protocol):
    """Fills the embedding store; see retrieval.embedder.Embedder."""

    def passages(self, texts: Iterable[str], progress: Progress | None = None) -> int:
        """See Embedder."""

    def captions(self, texts: Iterable[str], progress: Progress | None = None) -> int:
        """See Embedder."""

    def pictures(
        self, pictures: Iterable[tuple[str, Callable[[], NDArray[np.uint8]]]], progress: Progress | None = None
    ) -> int:
        """See Embedder."""

    def sketches(
        self, pictures: Iterable[tuple[str, Callable[[], NDArray[np.uint8]]]], progress: Progress | None = None
    ) -> int:
        """See Embedder."""


class Engine(Protocol):
    """Reads, decodes and encodes for the one writer of a home."""

    def check(self) -> None:
        """Raises SettingsRefused or ClusterFailed where nothing could be done."""

    def reading(self, service: Service) -> Reading:
        """What reads the files of jobs."""

    def case_ingest(self, service: Service) -> CaseIngest:
        """What takes cases in."""

    def embedder(self, service: Service) -> Embedding:
        """What encodes for an index."""


class Here:
    """This process and its children."""

    def check(self) -> None:
        """Everything is here."""

    def reading(self, service: Service) -> Reading:
        """See Engine."""
        return ReadingAhead(service)

    def case_ingest(self, service: Service) -> CaseIngest:
        """See Engine."""
        return service.case_ingest

    def embedder(self, service: Service) -> Embedding:
        """See Engine."""
        return Embedder(service.encoders, service.embeddings)
