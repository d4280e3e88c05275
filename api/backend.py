"""The service as handlers see it: blocking work goes to threads here, and only here, so that nothing stalls the loop."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from inference.pipeline import Pipeline
from runtime.curation import Curator
from runtime.job_worker import JobWorker
from runtime.service import Service

T = TypeVar("T")

READERS = 8  # look-ups at once; each is one small query or file
DRAWINGS = 2  # pages drawn or waiting for the one child that draws; others wait without a thread


class Backend:
    """One service and a bound for each kind of work, so that no kind takes the threads of another."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.worker = JobWorker(Curator(service))
        self._answers = anyio.CapacityLimiter(service.settings.workers)
        self._writes = anyio.CapacityLimiter(1)  # there is one writer in any case
        self._reads = anyio.CapacityLimiter(READERS)
        self._drawings = anyio.CapacityLimiter(DRAWINGS)

    def load(self) -> dict[str, tuple[int, int]]:
        """How much of each kind of work is done now, and how much waits."""
        limiters = {"answers": self._answers, "writes": self._writes, "reads": self._reads, "drawings": self._drawings}
        load = {name: (int(one.borrowed_tokens), one.statistics().tasks_waiting) for name, one in limiters.items()}
        pipeline: Pipeline | None = self.service.__dict__.get("pipeline")  # asking for it would make it
        return {**load, "consultations": pipeline.load if pipeline else (0, 0)}

    async def answer(self, work: Callable[[], T]) -> T:
        """Work that takes a processor: decoding pictures, encoding, searching."""
        return await anyio.to_thread.run_sync(work, limiter=self._answers)

    async def write(self, work: Callable[[], T]) -> T:
        """Ingest and deletion."""
        return await anyio.to_thread.run_sync(work, limiter=self._writes)

    async def read(self, work: Callable[[], T]) -> T:
        """Look-ups in the registry and the blob store."""
        return await anyio.to_thread.run_sync(work, limiter=self._reads)

    async def draw(self, work: Callable[[], T]) -> T:
        """Pages as pictures."""
        return await anyio.to_thread.run_sync(work, limiter=self._drawings)
