"""Reads the PDFs of a job ahead of the one who takes them in, and hands over as many at once as are worth encoding together."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from knowledge.document_ingest import Cuts
from knowledge.errors import DocumentRefused, NotFound
from knowledge.pdf import PdfExtractor
from knowledge.registry.jobs import JobItem
from knowledge.types import ExtractedText, VersionState
from runtime.service import Service

TOLD_EVERY_S = 0.5  # pages of a file are counted this often
AHEAD, MOST_AHEAD = 16, 1_000_000  # files, and code points of them, that wait, read, for their turn
# Code points handed over at once, about 150 passages: enough for the encoder to find texts of one length, few enough that
# another writer waits some seconds only.
TOGETHER = 100_000
AT_ONCE = AHEAD // 2  # files: the other half is read meanwhile

Reading = (
    ExtractedText | DocumentRefused | None
)  # None where there is nothing to read: bytes gone, or a version already


@dataclass(frozen=True, slots=True)
class Prepared:
    """The passages of a document, cut already, and their vectors, which nobody has stored yet (see EmbeddingStore.put)."""

    cuts: Cuts
    vectors: Sequence[tuple[str, Sequence[str], NDArray[np.float32 | np.uint8]]]


@dataclass(frozen=True, slots=True)
class Read:
    """One file of a job, read; where another engine did more, with what it prepared."""

    item: JobItem
    reading: Reading
    prepared: Prepared | None = None

    @property
    def size(self) -> int:
        """Code points of its text."""
        return len(self.reading.text) if isinstance(self.reading, ExtractedText) else 0


class ReadingAhead:
    """Reads the files of jobs of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._jobs = service.registry.jobs

    def batches(self, job_id: str, items: Sequence[JobItem]) -> Iterator[list[Read]]:
        """The items in their order: each with those behind it that are read already, as long as they are small."""
        extractors = cycle(self._service.extractors)
        waiting: deque[tuple[JobItem, Future[Reading]]] = deque()
        unread = deque(items)
        with ThreadPoolExecutor(len(self._service.extractors)) as pool:
            try:
                while unread or waiting:
                    while unread and (not waiting or (len(waiting) < AHEAD and _size(waiting) < MOST_AHEAD)):
                        item = unread.popleft()
                        waiting.append((item, pool.submit(self._read, job_id, item, next(extractors))))
                    yield _ready(waiting)
            finally:
                pool.shutdown(cancel_futures=True)

    def read_now(self, item: JobItem) -> ExtractedText:
        """The same for one file that nobody read ahead. Raises DocumentRefused."""
        with self._service.blobs.local(item.file or "") as file:
            return self._service.extractors[0].extract(file)

    def _read(self, job_id: str, item: JobItem, extractor: PdfExtractor) -> Reading:
        if item.file is None or self._service.registry.has_version(item.file):
            return None
        told = time.monotonic()

        def progress(pages: int, of: int) -> None:
            nonlocal told
            if time.monotonic() - told > TOLD_EVERY_S:
                told = time.monotonic()
                self._jobs.move_item(job_id, item.number, VersionState.EXTRACTING, pages, of)

        self._jobs.move_item(job_id, item.number, VersionState.EXTRACTING)
        try:
            with self._service.blobs.local(item.file) as file:
                return extractor.extract(file, progress)
        except DocumentRefused as error:
            return error
        except NotFound:  # deleted since it was listed
            return None


def _size(waiting: Iterable[tuple[JobItem, "Future[Reading]"]]) -> int:
    """Code points of what is read already."""
    return sum(Read(item, future.result()).size for item, future in waiting if future.done() and not future.exception())


def _ready(waiting: deque[tuple[JobItem, "Future[Reading]"]]) -> list[Read]:
    """Waits for the first, and takes along what is done already."""
    item, future = waiting.popleft()
    batch = [Read(item, future.result())]
    size = batch[0].size
    while waiting and len(batch) < AT_ONCE and waiting[0][1].done():
        item, future = waiting[0]
        next_one = Read(item, future.result())
        size += next_one.size
        if size > TOGETHER:
            break
        waiting.popleft()
        batch.append(next_one)
    return batch
