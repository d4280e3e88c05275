"""The engine that lets a Ray cluster read, decode and encode. Registry, files, vectors and index are written here as ever."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from typing import Any

from knowledge.case_ingest import CASE_BATCH, Admitted, CaseIngest, NewPicture
from knowledge.document_ingest import Cuts
from knowledge.errors import CasesRefused, DocumentRefused, NotFound, PictureRefused
from knowledge.registry.jobs import JobItem
from knowledge.types import ExtractedText, VersionState
from retrieval.embedder import LoadPicture, Progress, by_key, missing
from retrieval.sketches import SKETCHER
from runtime.bulk.cluster import AGAIN, Cluster, Run
from runtime.bulk.orders import SPACES_OF, Order, PreparedPictures, ReadDocument, Refused, Space, Work
from runtime.engines import Embedding, Reading
from runtime.errors import ClusterFailed
from runtime.reading_ahead import AT_ONCE, TOGETHER, Prepared, Read, ReadingAhead
from runtime.service import Service


class RayEngine:
    """See runtime.engines.Engine. `address` of the cluster's head; None is a cluster of this machine alone."""

    def __init__(self, address: str | None = None) -> None:
        self._cluster = Cluster(address)

    def check(self) -> None:
        """See Cluster.check."""
        self._cluster.check()

    def reading(self, service: Service) -> Reading:
        """See Engine."""
        return _Reading(service, self._cluster)

    def case_ingest(self, service: Service) -> CaseIngest:
        """See Engine."""
        return service.case_ingest_with(partial(_pictures_elsewhere, self._cluster, service))

    def embedder(self, service: Service) -> Embedding:
        """See Engine."""
        return _Embedding(service, self._cluster)


def order_of(service: Service, work: Work) -> Order:
    """What nodes must know of a service."""
    folders = {space: getattr(service.settings, space).folder for space in SPACES_OF[work]}
    spaces = {
        space: Space(service.cards[space], folder, service.fingerprints[space]) for space, folder in folders.items()
    }
    return Order(work, version("dermacite"), spaces, service.pdf_limits, service.picture_limits)


# --- documents ---------------------------------------------------------------------------------------------------------


class _Reading(ReadingAhead):
    """Files of jobs, read, cut and encoded by the cluster."""

    def __init__(self, service: Service, cluster: Cluster) -> None:
        super().__init__(service)
        self._cluster = cluster

    def batches(self, job_id: str, items: Sequence[JobItem]) -> Iterator[list[Read]]:
        """See ReadingAhead. Where nothing is to be read no cluster is asked."""
        if not any(self._wanted(item) for item in items):
            yield from ([Read(item, None)] for item in items)
            return
        pieces = (self._piece(job_id, item) for item in items)
        with self._cluster.run(order_of(self._service, Work.DOCUMENTS), len(items), pieces) as run:
            numbers, results = iter(items), _with_gaps(run, len(items))
            for batch in _together(run, results):
                yield [_read(next(numbers), one) for one in batch]

    def _wanted(self, item: JobItem) -> bool:
        return item.file is not None and not self._service.registry.has_version(item.file)

    def _piece(self, job_id: str, item: JobItem) -> bytes:
        if item.file is None or not self._wanted(item):
            return b""
        self._jobs.move_item(job_id, item.number, VersionState.EXTRACTING)
        with suppress(NotFound):  # somebody deleted it: the job says so
            return self._service.blobs.get(item.file)
        return b""


_END = object()


class _Died:
    """Stands for a piece that every worker that tried it died of."""


def _with_gaps(run: Run, total: int) -> Iterator[Any]:
    """A result for each number."""
    expected = 0
    for number, value in run:
        yield from (_Died() for _ in range(expected, number))
        yield value
        expected = number + 1
    yield from (_Died() for _ in range(expected, total))


def _together(run: Run, results: Iterator[Any]) -> Iterator[list[Any]]:
    """What is there already comes at once, so that the writer's lock is taken seldom, but not for long."""
    for first in results:
        batch, size = [first], _size(first)
        while len(batch) < AT_ONCE and size < TOGETHER and run.is_ready:
            if (more := next(results, _END)) is _END:
                break
            batch.append(more)
            size += _size(more)
        yield batch


def _size(result: Any) -> int:
    read = isinstance(result, ReadDocument) and isinstance(result.reading, ExtractedText)
    return len(result.reading.text) if read else 0


def _read(item: JobItem, result: ReadDocument | _Died | None) -> Read:
    """What the cluster made of a file. Where a parser or a worker died, the writer reads it once more (Read of None): of a node
    that is killed they die with it, and only a parser of this machine can tell that the file is at fault."""
    if result is None or isinstance(result, _Died):
        return Read(item, None)
    if isinstance(result.reading, Refused):
        died = result.reading.reason == "parser_died"
        return Read(item, None if died else _refusal_of(result.reading))
    cuts: Cuts = _refusal_of(result.cuts) if isinstance(result.cuts, Refused) else result.cuts
    return Read(item, result.reading, Prepared(cuts, result.vectors))


def _refusal_of(one: Refused) -> DocumentRefused:
    return DocumentRefused(one.reason, one.message, one.page)


# --- cases -------------------------------------------------------------------------------------------------------------


def _pictures_elsewhere(
    cluster: Cluster, service: Service, batches: Iterator[Sequence[NewPicture]], total: int
) -> Iterator[Sequence[Admitted | PictureRefused]]:
    """See knowledge.case_ingest.Elsewhere."""
    pieces = (pickle.dumps(list(batch)) for batch in batches)
    with cluster.run(order_of(service, Work.CASES), total, pieces) as run:
        for number, result in enumerate(_with_gaps(run, total)):
            if not isinstance(result, PreparedPictures):
                raise CasesRefused(
                    "worker_died",
                    f"a worker process died each time it read the rows {number * CASE_BATCH + 1} to "
                    f"{(number + 1) * CASE_BATCH}: find the picture (dermacite ingest cases without --engine), take it out",
                )
            for one in result.vectors:
                service.embeddings.put(*one)
            yield [
                PictureRefused(one.reason, one.message) if isinstance(one, Refused) else one for one in result.pictures
            ]


# --- indexes -----------------------------------------------------------------------------------------------------------


class _Embedding:
    """Fills the embedding store of a service through a cluster: the same slices as retrieval.embedder.Embedder."""

    def __init__(self, service: Service, cluster: Cluster) -> None:
        self._service = service
        self._cluster = cluster

    def passages(self, texts: Iterable[str], progress: Progress | None = None) -> int:
        """See Embedder."""
        inputs = by_key(texts)
        return self._fill(Work.PASSAGES, inputs, inputs.__getitem__, progress)

    def captions(self, texts: Iterable[str], progress: Progress | None = None) -> int:
        """See Embedder."""
        inputs = by_key(filter(None, texts))
        return self._fill(Work.CAPTIONS, inputs, inputs.__getitem__, progress)

    def pictures(self, pictures: Iterable[tuple[str, LoadPicture]], progress: Progress | None = None) -> int:
        """See Embedder; the stored bytes travel, not the pixels."""
        return self._fill(Work.PICTURES, dict(pictures), self._service.blobs.get, progress)

    def sketches(self, pictures: Iterable[tuple[str, LoadPicture]], progress: Progress | None = None) -> int:
        """See Embedder."""
        return self._fill(Work.SKETCHES, dict(pictures), self._service.blobs.get, progress)

    def _fill(
        self, work: Work, keys: Iterable[str], input_of: Callable[[str], str | bytes], progress: Progress | None
    ) -> int:
        store = self._service.embeddings
        fingerprint = SKETCHER if work is Work.SKETCHES else self._service.fingerprints[work]
        slices = missing(store, fingerprint, keys)
        total, done = sum(map(len, slices)), 0
        if not slices:
            return 0
        pieces = (pickle.dumps([input_of(key) for key in some]) for some in slices)
        with self._cluster.run(order_of(self._service, work), len(slices), pieces) as run:
            for some, vectors in zip(slices, _with_gaps(run, len(slices)), strict=True):
                if isinstance(vectors, _Died):
                    raise ClusterFailed("worker_died", f"a worker process died each time it encoded {work}. {AGAIN}")
                store.put(fingerprint, some, vectors)
                done += len(some)
                if progress is not None:
                    progress(done, total)
        return total
