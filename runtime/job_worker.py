"""Takes up open jobs in a thread of a server, and keeps to the times after which things are forgotten."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from knowledge.errors import KnowledgeError
from retrieval.errors import RetrievalError
from runtime.errors import RuntimeRefused
from runtime.jobs import JobRunner, utc_now
from runtime.writing import Writer

_log = logging.getLogger("dermacite.jobs")

POLL_S = 2.0  # between two looks for jobs that another process accepted
TIDY_EVERY = timedelta(hours=1)  # a server runs for months; what is kept for days must go although nobody restarts it


class JobWorker:
    """Takes up open jobs one after the other in a thread of its own, those that were interrupted first."""

    def __init__(self, writer: Writer, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now
        self._tidied: datetime | None = None
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._runner = JobRunner(writer, self._stopping, now)
        self._ids = writer.service.registry.jobs.ids
        self._thread = threading.Thread(target=self._loop, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is a new job."""
        self._woken.set()

    def stop(self, patience_s: float) -> bool:
        """End after the file at hand; False when that took longer than `patience_s`."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _loop(self) -> None:
        while not self._stopping.is_set():
            self._tidy_if_due()
            for job_id in self._open():
                self._run(job_id)
            self._woken.wait(POLL_S)
            self._woken.clear()

    def _tidy_if_due(self) -> None:
        now = self._now()
        if self._tidied is not None and abs(now - self._tidied) < TIDY_EVERY:  # also after a clock was put back
            return
        self._tidied = now
        try:
            self._runner.tidy()
        except KnowledgeError as error:
            _log.error("what was kept for long enough cannot be forgotten now: %s", error.reason)
        except OSError as error:
            _log.error("what was kept for long enough cannot be forgotten now: %s", type(error).__qualname__)

    def _open(self) -> list[str]:
        try:
            return self._ids()
        except KnowledgeError as error:
            _log.error("jobs cannot be listed: %s", error.reason)
            return []

    def _run(self, job_id: str) -> None:
        if self._stopping.is_set():
            return
        try:
            if not self._runner.is_elsewhere(job_id):
                self._runner.run(job_id, wait=False)
        except (KnowledgeError, RetrievalError, RuntimeRefused) as error:
            _log.error("job %s: %s", job_id, error.reason)
        except Exception as error:
            # The class alone: a message can hold anything. The job stays running and is taken up again.
            _log.error("job %s: unexpected %s", job_id, type(error).__qualname__)
