"""Jobs: work that is stored before it is acknowledged, and goes on after whatever stops it.

Each job has a lock that dies with its process: who gets it works on the job. Files are read ahead, in children, and encoded
several at once; each document becomes visible by itself.
A killed job is taken up by the next server, or by `dermacite jobs run`.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from platform import node

from knowledge.case_ingest import Progress
from knowledge.document_ingest import Cuts, Intent, refusal
from knowledge.errors import DocumentRefused, KnowledgeError
from knowledge.registry.jobs import Job, JobItem, JobKind, JobState, NewItem
from knowledge.types import ExtractedText, FileOutcome, Outcome, Source, VersionState
from retrieval.errors import RetrievalError
from runtime.dataset_report import told_at_ingest
from runtime.errors import ClusterFailed, EncodersSwitched, RuntimeRefused, WriterBusy
from runtime.home import JobTaken
from runtime.reading_ahead import TOLD_EVERY_S, Read
from runtime.writing import Writer

_log = logging.getLogger("dermacite.jobs")

GIVE_WAY_S = 0.06  # longer than the pause between two looks of who waits for the writer's lock
ATTEMPTS = 10  # a job that ends its process every time must not do so for ever
PASSING = frozenset({"timed_out", "parser_died"})  # refusals that another attempt may not meet: the bytes are kept
NOT_READABLE = "The file cannot be read. Check that it is still there and that this user may read it."
NOT_MERGED = "What came in is found, but no new index could be made; the next job tries again."
GONE = "The stored file was deleted before it was read. Send it again."

Done = Callable[[FileOutcome], None]


def utc_now() -> datetime:
    """The time by which things are kept."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Upload:
    """One PDF to take in: the name to report it by, how to read its bytes, and what is known of its source."""

    name: str
    read: Callable[[], bytes]
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """Who is told of a job's progress."""

    done: Done
    progress: Progress


def _nobody(*_: object) -> None:
    """Nobody is told."""


class _Stopped(Exception):
    """The process ends; the job goes on later."""


class JobRunner:
    """Accepts jobs of one home and works on them. `stopping` (default: the service's) ends the work after the file at hand."""

    def __init__(
        self, writer: Writer, stopping: threading.Event | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._now = now
        self._writer = writer
        self._service = writer.service
        self._jobs = writer.service.registry.jobs
        self._reading = writer.engine.reading(writer.service)
        self._stopping = stopping or writer.service.stopping

    # --- accepting -------------------------------------------------------------------------------------------------

    def accept_documents(self, uploads: Iterable[Upload], intent: Intent) -> Job:
        """Store the files of an ingest; when this returns, a kill can no longer lose them. Raises StorageFailed."""
        options = {"approve": intent.approve, "document": intent.document_id}
        stored: set[str] = set()
        with self._service.locks.files():  # nothing sweeps what is stored and not yet announced
            try:
                # One after the other: a folder may hold more than fits into memory.
                items = [self._item(upload, stored) for upload in uploads]
                return self._jobs.submit(JobKind.DOCUMENTS, items, intent.actor, **options)
            except KnowledgeError:
                # What was stored and could not be announced must not keep a full disk full.
                with suppress(KnowledgeError):
                    self._writer.drop_held_files(stored)
                raise

    def _item(self, upload: Upload, stored: set[str]) -> NewItem:
        name = _storable(upload.name)
        try:
            read = upload.read()
        except OSError:
            return NewItem(name, outcome=FileOutcome(name, Outcome.REFUSED, "not_readable", NOT_READABLE))
        stored.add(digest := self._service.blobs.put(read))
        return NewItem(name, digest, upload.source)

    def accept_cases(self, path: Path, dataset: str | None, actor: str) -> Job:
        """A collection of cases in a folder of this machine, which must stay until the job is done."""
        options = {"path": str(path.resolve()), "dataset": dataset}
        if self._service.settings.registry_url is not None:
            options["host"] = node()  # the folder is of this one
        return self._jobs.submit(JobKind.CASES, [NewItem(_storable(path.name))], actor, **options)

    # --- working ---------------------------------------------------------------------------------------------------

    def run(self, job_id: str, done: Done | None = None, *, progress: Progress | None = None, wait: bool = True) -> Job:
        """Work on a job to its end and return it; of one that somebody else works on, wait for that end or not.

        `done` is told each outcome, `progress` how many rows of a collection of cases are read.

        What stops the whole job is written into it and raised: KnowledgeError, RetrievalError, RuntimeRefused. So is what
        keeps the index from being replaced afterwards, which leaves the job as its files ended.
        """
        try:
            with self._service.locks.working_on(job_id, wait=wait):
                job = self._jobs.start(job_id)
                if job is None:
                    return self._jobs.job(job_id)
                return self._worked(job, _Told(done or _nobody, progress or _nobody))
        except JobTaken:
            return self._jobs.job(job_id)

    def is_elsewhere(self, job_id: str) -> bool:
        """Whether it reads a folder of another host, which takes it up by itself. Raises NotFound."""
        return self._jobs.job(job_id).options.get("host") not in {None, node()}

    def _worked(self, job: Job, told: "_Told") -> Job:
        if job.attempts > ATTEMPTS:
            return self._jobs.end(job.id, JobState.FAILED, "gave_up", f"it was interrupted {ATTEMPTS} times")
        state: JobState | None = None
        try:
            work = {JobKind.DOCUMENTS: self._documents, JobKind.CASES: self._cases}[job.kind]
            state = work(job, told)
            self._writer.merge_if_due()
        except _Stopped:
            self._jobs.lay_down(job.id)
            return self._jobs.job(job.id)
        except (WriterBusy, EncodersSwitched, ClusterFailed):
            # No fault of the job: another process, or this one after a restart, goes on with it.
            self._jobs.lay_down(job.id)
            raise
        except (KnowledgeError, RetrievalError, RuntimeRefused) as error:
            message = str(error) if state is None else f"{NOT_MERGED} {error}"
            with suppress(KnowledgeError):  # a disk that is full takes no last word; the job is then taken up again
                self._jobs.end(job.id, state or JobState.FAILED, error.reason, message)
            raise
        return self._jobs.end(job.id, state)

    def _documents(self, job: Job, told: "_Told") -> JobState:
        intent = Intent(job.actor, job.options["document"], job.options["approve"])
        for outcome in (item.outcome for item in job.items if item.outcome is not None):
            told.done(outcome)
        for batch in self._reading.batches(job.id, job.open_items):
            outcomes: list[FileOutcome] = []
            try:
                for outcome in self._take_in(job, intent, batch):
                    outcomes.append(outcome)
            finally:
                for outcome in outcomes:
                    told.done(outcome)
            if len(outcomes) < len(batch):
                if self._stopping.is_set():
                    raise _Stopped
                return JobState.CANCELLED
            time.sleep(GIVE_WAY_S)  # else a deletion would wait for the whole job: the lock goes to who asks next
        return JobState.DONE

    def _take_in(self, job: Job, intent: Intent, batch: Sequence[Read]) -> Iterator[FileOutcome]:
        """One file after the other, until somebody ends the job. What comes out is told outside the writer's lock."""
        with self._writer.writing():
            if self._ends(job):
                return
            cuts = self._prepared(job, batch)
            for one in batch:
                if self._ends(job):
                    return
                outcome = self._outcome(job, one, intent, cuts)
                if outcome.state is not Outcome.ADDED:  # else it was written together with the version
                    state = outcome.version_state or VersionState.FAILED
                    keep = outcome.state is Outcome.REFUSED and outcome.reason in PASSING
                    self._jobs.end_item(job.id, one.item.number, state, outcome, keep=keep)
                if outcome.state is Outcome.REFUSED and one.item.file is not None:
                    self._writer.drop_files([one.item.file])
                yield outcome

    def _ends(self, job: Job) -> bool:
        return self._stopping.is_set() or self._jobs.is_cancelled(job.id)

    def _prepared(self, job: Job, batch: Sequence[Read]) -> dict[int, Cuts]:
        """The encoded passages of those files that have a text and are still wanted, by their number."""
        wanted: dict[int, ExtractedText] = {}
        prepared: dict[int, Cuts] = {}
        for one in batch:
            known = one.item.file is not None and self._service.registry.has_version(one.item.file)
            if isinstance(one.reading, ExtractedText) and self._is_there(one.item) and not known:
                pages = len(one.reading.pages)
                self._jobs.move_item(job.id, one.item.number, VersionState.INDEXING, pages, pages)
                if one.prepared is None:
                    wanted[one.item.number] = one.reading
                    continue
                for vectors in one.prepared.vectors:
                    self._service.embeddings.put(*vectors)
                prepared[one.item.number] = one.prepared.cuts
        return prepared | dict(zip(wanted, self._service.document_ingest.prepared([*wanted.values()]), strict=True))

    def _is_there(self, item: JobItem) -> bool:
        # Nobody deletes while we are the writer; before, somebody may have, after it was read.
        return item.file is not None and self._service.blobs.has(item.file)

    def _outcome(self, job: Job, one: Read, intent: Intent, prepared: Mapping[int, Cuts]) -> FileOutcome:
        ingest, item, reading = self._service.document_ingest, one.item, one.reading
        if item.file is not None and self._service.registry.has_version(item.file):
            return ingest.unchanged(item.file, item.name)
        if item.file is None or not self._is_there(item):
            return FileOutcome(item.name, Outcome.REFUSED, "file_gone", GONE)
        try:
            if reading is None:  # it was a version when it should have been read, and was deleted since
                reading = self._reading.read_now(item)
            if isinstance(reading, DocumentRefused):
                raise reading
            cuts = prepared[item.number] if item.number in prepared else ingest.prepared([reading])[0]
            return ingest.stored(item.file, item.name, item.source, intent, reading, cuts, (job.id, item.number))
        except DocumentRefused as error:
            return refusal(item.name, error)

    def _cases(self, job: Job, told: "_Told") -> JobState:
        [item] = job.items
        if self._jobs.is_cancelled(job.id):
            return JobState.CANCELLED
        last = time.monotonic()

        def progress(rows: int, of: int) -> None:
            nonlocal last
            told.progress(rows, of)
            if rows == of or time.monotonic() - last > TOLD_EVERY_S:
                last = time.monotonic()
                self._jobs.move_item(job.id, item.number, VersionState.EXTRACTING, rows, of)

        with self._writer.writing():
            path, dataset = Path(job.options["path"]), job.options["dataset"]
            ingest = self._writer.engine.case_ingest(self._service)
            outcomes = ingest.cases(path, dataset, progress, actor=job.actor)
        new = {one.id for one in outcomes if one.state in {Outcome.ADDED, Outcome.REPLACED} and one.id}
        warnings = told_at_ingest(self._service, new)
        if outcomes and warnings:  # of the collection, hence behind its last row
            outcomes[-1] = replace(outcomes[-1], warnings=(*outcomes[-1].warnings, *warnings))
        for outcome in outcomes:
            told.done(outcome)
        usable = sum(one.cases for one in outcomes)
        rejected = sum(one.rejected for one in outcomes)
        state = Outcome.REFUSED if not usable else Outcome.ADDED if new else Outcome.UNCHANGED
        whole = FileOutcome(item.name, state, cases=usable, rejected=rejected, warnings=warnings)
        self._jobs.end_item(
            job.id, item.number, VersionState.LIVE if usable else VersionState.FAILED, whole, keep=False
        )
        return JobState.DONE

    # --- keeping order ---------------------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Forget jobs that ended long ago with their locks, and answers kept for long enough."""
        now = self._now()
        kept = now - timedelta(days=self._service.settings.answer_days)
        self._service.registry.answers.forget_before(kept.isoformat(timespec="seconds"))
        before = now - timedelta(days=self._service.settings.job_days)
        self._jobs.forget(before.isoformat(timespec="seconds"))
        locks = list(self._service.home.jobs.glob("*.lock"))  # first: a job that comes in meanwhile must keep its own
        known = {f"{one}.lock" for one in self._jobs.ids([*JobState])}
        for lock in locks:
            if lock.name not in known:
                lock.unlink(missing_ok=True)


def _storable(name: str) -> str:
    """A name as UTF-8 text: a file's may be bytes that are none."""
    return name.encode("utf-8", "replace").decode()
