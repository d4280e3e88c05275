"""Work that was accepted: durable from the moment it is acknowledged until its end.

    queued -> running -> done | failed | cancelled

A process that dies leaves a job running; whoever gets its lock next (see runtime.jobs) takes it up where its items say. An item
is received, extracting, indexing, and then what became of it: draft, live or superseded, or failed.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from knowledge.errors import NotFound, TransitionRefused
from knowledge.registry.audit import record
from knowledge.registry.database import Database
from knowledge.registry.rows import insert_all, now, source_values
from knowledge.registry.tables import JOB_ITEMS, JOBS
from knowledge.types import FileOutcome, Outcome, PageOutcome, PageState, Source, VersionState


class JobKind(StrEnum):
    """What a job does."""

    DOCUMENTS = "ingest_documents"
    CASES = "ingest_cases"


class JobState(StrEnum):
    """How far a job is. The last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.QUEUED, JobState.RUNNING)
ENDS = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class NewItem:
    """One file of a new job: the name to report it by, the sha256 of its bytes, what is known of its source.

    One that cannot even be stored comes with its `outcome`.
    """

    name: str
    file: str | None = None
    source: Source | None = None
    outcome: FileOutcome | None = None


@dataclass(frozen=True, slots=True)
class ItemEnd:
    """What became of one file of a job, to be written in the very transaction that made it so."""

    job_id: str
    number: int
    outcome: FileOutcome


@dataclass(frozen=True, slots=True)
class JobItem:
    """One file of a job. `file` is gone once nothing more will be read from it; `outcome` is there once it is at its end."""

    number: int
    name: str
    file: str | None
    source: Source | None
    state: VersionState
    pages_done: int
    page_count: int | None
    outcome: FileOutcome | None


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of accepted work. `cancelled`: somebody asked for its end.

    `attempts` is how often it was taken up since one of its files last came to its end: what a poisonous file costs.
    """

    id: str
    kind: JobKind
    state: JobState
    actor: str
    options: dict[str, Any]
    created_at: str
    started_at: str | None
    finished_at: str | None
    cancelled: bool
    attempts: int
    reason: str | None
    message: str | None
    items: tuple[JobItem, ...]

    @property
    def open_items(self) -> tuple[JobItem, ...]:
        """Those not at their end."""
        return tuple(one for one in self.items if one.outcome is None)

    @property
    def outcomes(self) -> list[FileOutcome]:
        """Of the items that are at their end, in order."""
        return [one.outcome for one in self.items if one.outcome is not None]


class Jobs:
    """The jobs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- changes ---------------------------------------------------------------------------------------------------

    def submit(self, kind: JobKind, items: Sequence[NewItem], actor: str, **options: Any) -> Job:
        """Accept work whose files are stored. When this returns, a kill can no longer lose it."""
        job_id = _new_id()
        rows = (
            {"job_id": job_id, "number": number, "name": one.name, "file": one.file,
             "source": source_values(one.source) if one.source else None,
             "state": VersionState.FAILED if one.outcome else VersionState.RECEIVED,
             "pages_done": 0, "page_count": None, "outcome": asdict(one.outcome) if one.outcome else None}
            for number, one in enumerate(items, start=1)
        )  # fmt: skip
        values = {"id": job_id, "kind": kind, "state": JobState.QUEUED, "actor": actor, "options": options,
                  "created_at": now(), "cancelled": False, "attempts": 0}  # fmt: skip
        with self._database.write() as connection:
            connection.execute(insert(JOBS).values(**values))
            insert_all(connection, JOB_ITEMS, rows)
            record(connection, actor, "submit", "job", job_id, work=kind, items=len(items))
        return self.job(job_id)

    def start(self, job_id: str) -> Job | None:
        """Take a job up. None when it is at its end, or was cancelled before anybody began."""
        with self._database.write() as connection:
            job = _job(connection, job_id)
            if job.state not in OPEN:
                return None
            values = {"state": JobState.RUNNING, "attempts": job.attempts + 1, "started_at": job.started_at or now()}
            _change(connection, job_id, **values)
        return self.job(job_id)

    def move_item(
        self, job_id: str, number: int, state: VersionState, pages_done: int = 0, page_count: int | None = None
    ) -> None:
        """Say how far one file is."""
        values = {"state": state, "pages_done": pages_done, "page_count": page_count}
        with self._database.write() as connection:
            connection.execute(update(JOB_ITEMS).where(_item(job_id, number)).values(**values))

    def end_item(self, job_id: str, number: int, state: VersionState, outcome: FileOutcome, *, keep: bool) -> None:
        """Say what became of one file. `keep` its stored bytes where another attempt may read them."""
        with self._database.write() as connection:
            write_end(connection, ItemEnd(job_id, number, outcome), state, keep=keep)

    def end(self, job_id: str, state: JobState, reason: str | None = None, message: str | None = None) -> Job:
        """Bring a job to its end; files that are not at theirs keep their bytes, for another attempt."""
        with self._database.write() as connection:
            _change(connection, job_id, state=state, finished_at=now(), reason=reason, message=message)
            record(connection, _job(connection, job_id).actor, str(state), "job", job_id)
        return self.job(job_id)

    def lay_down(self, job_id: str) -> None:
        """Stop working on a job that goes on later: the process ends before it does, which is no failed attempt."""
        with self._database.write() as connection:
            _change(connection, job_id, state=JobState.QUEUED, attempts=JOBS.c.attempts - 1)

    def cancel(self, job_id: str, actor: str) -> Job:
        """Ask for a job's end: at once where nobody works on it, else after the file at hand. Raises TransitionRefused."""
        with self._database.write() as connection:
            job = _job(connection, job_id)
            if job.state not in OPEN:
                raise TransitionRefused("job_ended", f"the job is {job.state}; there is nothing to cancel")
            values: dict[str, Any] = {"cancelled": True}
            if job.state is JobState.QUEUED:
                values.update(state=JobState.CANCELLED, finished_at=now())
            _change(connection, job_id, **values)
            record(connection, actor, "cancel", "job", job_id)
        return self.job(job_id)

    def retry(self, job_id: str, actor: str) -> Job:
        """Queue a failed or cancelled job again, or the files of a done one whose bytes were kept for it.

        Raises TransitionRefused where nothing is left to try.
        """
        with self._database.write() as connection:
            job = _job(connection, job_id)
            again = [one for one in job.items if one.file is not None or job.kind is JobKind.CASES]
            if job.state not in ENDS or not again:
                why = f"is {job.state}" if job.state not in ENDS else "has no file left that could be read again"
                raise TransitionRefused("nothing_to_retry", f"the job {why}; send its files again as a new one")
            for one in again:
                fresh = {"state": VersionState.RECEIVED, "outcome": None, "pages_done": 0}
                connection.execute(update(JOB_ITEMS).where(_item(job_id, one.number)).values(**fresh))
            queued = {
                "state": JobState.QUEUED,
                "finished_at": None,
                "cancelled": False,
                "attempts": 0,
                "reason": None,
                "message": None,
            }
            _change(connection, job_id, **queued)
            record(connection, actor, "retry", "job", job_id, items=len(again))
        return self.job(job_id)

    def forget(self, before: str) -> int:
        """Forget jobs that ended before a moment (ISO 8601, UTC), with the files they kept; returns how many."""
        old = select(JOBS.c.id).where(JOBS.c.finished_at < before, JOBS.c.state.in_(ENDS))
        with self._database.write() as connection:
            ids = list(connection.execute(old).scalars())
            connection.execute(delete(JOB_ITEMS).where(JOB_ITEMS.c.job_id.in_(ids)))
            connection.execute(delete(JOBS).where(JOBS.c.id.in_(ids)))
        return len(ids)

    # --- reads -----------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """One job with its items. Raises NotFound."""
        with self._database.read() as connection:
            return _job(connection, job_id)

    def jobs(self, states: Sequence[JobState] = tuple(JobState), limit: int = 100) -> list[Job]:
        """The newest jobs in one of these states, newest first."""
        newest = JOBS.c.created_at.desc(), JOBS.c.id.desc()
        query = select(JOBS.c.id).where(JOBS.c.state.in_(states)).order_by(*newest).limit(limit)
        with self._database.read() as connection:
            return [_job(connection, job_id) for job_id in connection.execute(query).scalars().all()]

    def ids(self, states: Sequence[JobState] = OPEN) -> list[str]:
        """Jobs in one of these states, by default all that are to be done, the oldest first."""
        query = select(JOBS.c.id).where(JOBS.c.state.in_(states)).order_by(JOBS.c.created_at, JOBS.c.id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def is_cancelled(self, job_id: str) -> bool:
        """Whether somebody asked for its end."""
        with self._database.read() as connection:
            return bool(connection.execute(select(JOBS.c.cancelled).where(JOBS.c.id == job_id)).scalar_one())


def write_end(connection: Connection, end: ItemEnd, state: VersionState, *, keep: bool) -> None:
    """See Jobs.end_item. The caller's transaction decides whether it happened."""
    values: dict[str, Any] = {"state": state, "outcome": asdict(end.outcome), "page_count": end.outcome.pages or None}
    if not keep:
        values["file"] = None
    connection.execute(update(JOB_ITEMS).where(_item(end.job_id, end.number)).values(**values))
    _change(connection, end.job_id, attempts=1)  # it moves: what interrupts it now is not what did before


def _new_id() -> str:
    """Sorts by time of acceptance: `created_at` tells seconds, and two editions may be handed in within one."""
    return f"j-{time.time_ns():016x}{secrets.token_hex(2)}"


def _item(job_id: str, number: int) -> Any:
    return (JOB_ITEMS.c.job_id == job_id) & (JOB_ITEMS.c.number == number)


def _change(connection: Connection, job_id: str, **values: Any) -> None:
    connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(**values))


def _job(connection: Connection, job_id: str) -> Job:
    row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).first()
    if row is None:
        raise NotFound("no such job. List them: dermacite jobs list")
    items = connection.execute(select(JOB_ITEMS).where(JOB_ITEMS.c.job_id == job_id).order_by(JOB_ITEMS.c.number))
    values = {**row._mapping, "kind": JobKind(row.kind), "state": JobState(row.state)}
    return Job(**values, items=tuple(map(_item_of, items)))


def _item_of(row: Row[Any]) -> JobItem:
    return JobItem(
        row.number, row.name, row.file, Source(**row.source) if row.source else None, VersionState(row.state),
        row.pages_done, row.page_count, _outcome_of(row.outcome),
    )  # fmt: skip


def _outcome_of(values: dict[str, Any] | None) -> FileOutcome | None:
    if values is None:
        return None
    state, version_state = Outcome(values["state"]), values["version_state"]
    pages = (PageOutcome(one["page"], PageState(one["state"]), one["reason"]) for one in values["without_text"])
    return FileOutcome(
        **{**values, "state": state, "warnings": tuple(values["warnings"]), "without_text": tuple(pages),
           "version_state": VersionState(version_state) if version_state else None}
    )  # fmt: skip
