"""The folder that holds one knowledge base, and the one rule about writing to it. Locks of several hosts: runtime.truth."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from runtime.errors import RuntimeRefused, WriterBusy

POLL_S = 0.02  # between two looks of who waits for the writer's lock
PATIENCE_S = 3_600.0  # a bulk ingest may take so long before a command line stops waiting for it


class JobTaken(Exception):
    """Somebody else works on a job."""


class Locks(Protocol):
    """Who may do what alone, across threads, processes and, with a registry on a server, hosts. Each dies with its process."""

    def files(self) -> AbstractContextManager[None]:
        """For a moment nobody else decides which stored files are in use: what is announced is not swept meanwhile."""

    def working_on(self, job_id: str, *, wait: bool = True) -> AbstractContextManager[None]:
        """Be the one who works on a job. Raises JobTaken at once where that is somebody else and nobody waits."""

    def writing(
        self, waiting: Callable[[], None] | None = None, *, patience_s: float = PATIENCE_S
    ) -> AbstractContextManager[None]:
        """Be the one writer. `waiting` is called once when another one is at work.

        Raises WriterBusy after `patience_s` seconds.
        """


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything is. Truth: registry and blobs. Derived: embeddings and indexes."""

    root: Path

    @property
    def registry(self) -> Path:
        """The folder of the registry."""
        return self.root

    @property
    def blobs(self) -> Path:
        """Documents, extracted texts and pictures, named by their sha256."""
        return self.root / "blobs"

    @property
    def embeddings(self) -> Path:
        """Vectors of everything that was ever encoded here."""
        return self.root / "embeddings.sqlite3"

    @property
    def indexes(self) -> Path:
        """Index generations, by encoders."""
        return self.root / "indexes"

    @property
    def jobs(self) -> Path:
        """Locks of the jobs at work; each dies with its process."""
        return self.root / "jobs"

    @property
    def calibrations(self) -> Path:
        """How sure served models may be believed to be: one file a profile, where it was measured."""
        return self.root / "calibrations"

    def prepare(self) -> None:
        """Make the folder. Raises RuntimeRefused when that is not possible."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RuntimeRefused(
                f"the home folder cannot be made: {error.strerror}. Name another: dermacite --home DIR ..."
            ) from error

    @contextmanager
    def files(self) -> Iterator[None]:
        """See Locks."""
        with _acquired(self.root / "files.lock"):
            yield

    @contextmanager
    def working_on(self, job_id: str, *, wait: bool = True) -> Iterator[None]:
        """See Locks."""
        try:
            self.jobs.mkdir(exist_ok=True)
        except OSError as error:
            raise _unwritable(error) from error
        with _acquired(self.jobs / f"{job_id}.lock", -1 if wait else 0):
            yield

    @contextmanager
    def writing(self, waiting: Callable[[], None] | None = None, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
        """See Locks."""
        # Not a singleton: two threads of one process must exclude each other too.
        lock = FileLock(self.root / "writer.lock", thread_local=False, is_singleton=False)
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if waiting is not None:
                    waiting()
                lock.acquire(timeout=patience_s, poll_interval=POLL_S)
        except Timeout as error:
            raise busy(patience_s) from error
        except OSError as error:
            raise _unwritable(error) from error
        try:
            yield
        finally:
            lock.release()


@contextmanager
def _acquired(file: Path, timeout_s: float = -1) -> Iterator[None]:
    lock = FileLock(file, thread_local=False, is_singleton=False)
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout as error:
        raise JobTaken from error
    except OSError as error:
        raise _unwritable(error) from error
    try:
        yield
    finally:
        lock.release()


def busy(patience_s: float) -> WriterBusy:
    """What whoever waited so long for the writer's lock is told."""
    return WriterBusy(f"another ingest or rebuild has been writing for {patience_s:.0f} s; wait for it, then try again")


def _unwritable(error: OSError) -> RuntimeRefused:
    return RuntimeRefused(f"the home folder cannot be written: {error.strerror}. Check its permissions and disk space.")
