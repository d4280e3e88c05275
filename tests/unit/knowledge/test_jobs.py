"""The states of a job: accepted, taken up, moved on, ended, cancelled, tried again, forgotten."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest

from knowledge.errors import NotFound, TransitionRefused
from knowledge.registry import NewVersion, Registry
from knowledge.registry.jobs import ItemEnd, Job, JobKind, Jobs, JobState, NewItem
from knowledge.types import FileOutcome, Outcome, Page, PageOutcome, PageState, Source, VersionState

SOURCE = Source("Psoriasis", publisher="A society", tags=("adults",))
EXTRACTING, LIVE, FAILED, RECEIVED = (
    VersionState.EXTRACTING, VersionState.LIVE, VersionState.FAILED, VersionState.RECEIVED,
)  # fmt: skip


@pytest.fixture
def jobs(registry: Registry) -> Jobs:
    return registry.jobs


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def added(name: str) -> FileOutcome:
    return FileOutcome(
        name, Outcome.ADDED, id="d-1", pages=3, passages=9, warnings=("page 2: image_only",), version=sha(name),
        version_state=LIVE, without_text=(PageOutcome(2, PageState.IMAGE_ONLY, "scanned"),),
    )  # fmt: skip


def refused(name: str, reason: str = "no_text") -> FileOutcome:
    return FileOutcome(name, Outcome.REFUSED, reason, "There is no text.")


def submitted(jobs: Jobs, *names: str) -> Job:
    return jobs.submit(JobKind.DOCUMENTS, [NewItem(name, sha(name), SOURCE) for name in names], "ann", approve=True)


# --- accepted ----------------------------------------------------------------------------------------------------------


def test_an_accepted_job_keeps_its_files_sources_and_options(registry: Registry, jobs: Jobs) -> None:
    job = submitted(jobs, "a", "b")
    assert jobs.job(job.id) == job
    assert (job.kind, job.state, job.actor, job.attempts) == (JobKind.DOCUMENTS, JobState.QUEUED, "ann", 0)
    assert job.options == {"approve": True}
    assert [(one.number, one.name, one.file, one.source) for one in job.items] == [
        (1, "a", sha("a"), SOURCE), (2, "b", sha("b"), SOURCE),
    ]  # fmt: skip
    assert {one.state for one in job.items} == {RECEIVED}
    assert registry.blobs_in_use() == {sha("a"), sha("b")}
    assert [one.action for one in registry.audit.entries(job.id)] == ["submit"]


def test_a_file_that_could_not_be_read_comes_with_its_end(jobs: Jobs) -> None:
    job = jobs.submit(JobKind.DOCUMENTS, [NewItem("a", outcome=refused("a")), NewItem("b", sha("b"))], "ann")
    assert [one.state for one in job.items] == [FAILED, RECEIVED]
    assert job.outcomes == [refused("a")]
    assert [one.name for one in job.open_items] == ["b"]


def test_a_job_that_is_not_there_is_named_with_the_command_that_lists_them(jobs: Jobs) -> None:
    for ask in (jobs.job, jobs.start):
        with pytest.raises(NotFound, match="dermacite jobs list"):
            ask("j-nowhere")


def test_jobs_are_listed_the_newest_first_and_worked_on_the_oldest_first(jobs: Jobs) -> None:
    with mock.patch("knowledge.registry.jobs.now", return_value="2026-01-01T00:00:00+00:00"):  # all within one second
        ids = [submitted(jobs, name).id for name in ("a", "b", "c")]
    jobs.end(ids[1], JobState.DONE)
    assert [one.id for one in jobs.jobs()] == ids[::-1]
    assert [one.id for one in jobs.jobs(limit=1)] == ids[2:]
    assert [one.id for one in jobs.jobs([JobState.DONE])] == [ids[1]]
    assert jobs.ids() == [ids[0], ids[2]]


# --- worked on ---------------------------------------------------------------------------------------------------------


def test_a_job_is_taken_up_again_until_it_is_at_its_end(jobs: Jobs) -> None:
    job = submitted(jobs, "a")
    first = jobs.start(job.id)
    assert first is not None
    assert (first.state, first.attempts) == (JobState.RUNNING, 1)
    again = jobs.start(job.id)
    assert again is not None
    assert (again.attempts, again.started_at) == (2, first.started_at)
    ended = jobs.end(job.id, JobState.FAILED, "storage_failed", "no space")
    assert (ended.state, ended.reason, ended.message) == (JobState.FAILED, "storage_failed", "no space")
    assert ended.finished_at is not None
    assert jobs.start(job.id) is None
    assert ended.items[0].file == sha("a"), "a failed job must be able to try again"


def test_how_far_a_file_is_can_be_seen(jobs: Jobs) -> None:
    job = submitted(jobs, "a", "b")
    jobs.move_item(job.id, 2, EXTRACTING, 5, 12)
    first, second = jobs.job(job.id).items
    assert (first.state, first.pages_done) == (RECEIVED, 0)
    assert (second.state, second.pages_done, second.page_count) == (EXTRACTING, 5, 12)


def test_what_became_of_a_file_comes_back_whole_and_its_bytes_are_let_go(registry: Registry, jobs: Jobs) -> None:
    job = submitted(jobs, "a", "b")
    jobs.end_item(job.id, 1, LIVE, added("a"), keep=False)
    jobs.end_item(job.id, 2, FAILED, refused("b", "timed_out"), keep=True)
    found = jobs.job(job.id)
    assert found.outcomes == [added("a"), refused("b", "timed_out")]
    assert [(one.state, one.file) for one in found.items] == [(LIVE, None), (FAILED, sha("b"))]
    assert found.items[0].page_count == 3
    assert registry.blobs_in_use() == {sha("b")}


def test_a_version_and_the_end_of_its_file_come_in_one_step(registry: Registry, jobs: Jobs) -> None:
    job = submitted(jobs, "a")
    new = NewVersion(sha("a"), SOURCE, 1, sha("text"), (Page(1, 0, 1, PageState.TEXT),), ())
    registry.add_version(new, LIVE, "ann", ItemEnd(job.id, 1, added("a")))
    [item] = jobs.job(job.id).items
    assert (item.state, item.file, item.outcome) == (LIVE, None, added("a"))


def test_a_version_that_is_refused_leaves_its_file_open(registry: Registry, jobs: Jobs) -> None:
    job = submitted(jobs, "a")
    new = NewVersion(sha("a"), SOURCE, 1, sha("text"), (), (), document_id="d-nowhere")
    with pytest.raises(NotFound):
        registry.add_version(new, LIVE, "ann", ItemEnd(job.id, 1, added("a")))
    [item] = jobs.job(job.id).items
    assert (item.state, item.file, item.outcome) == (RECEIVED, sha("a"), None)


def test_the_file_of_a_deleted_version_is_let_go_by_the_jobs_that_hold_it(registry: Registry, jobs: Jobs) -> None:
    registry.add_version(NewVersion(sha("a"), SOURCE, 1, sha("text"), (), ()))
    job = submitted(jobs, "a", "b")
    registry.delete_version(sha("a"))
    assert [one.file for one in jobs.job(job.id).items] == [None, sha("b")]
    assert registry.blobs_in_use() == {sha("b")}


def test_attempts_count_what_brought_no_file_to_its_end(jobs: Jobs) -> None:
    job = submitted(jobs, "a", "b")
    for _ in range(4):
        jobs.start(job.id)
    jobs.end_item(job.id, 1, LIVE, added("a"), keep=False)
    assert jobs.job(job.id).attempts == 1
    jobs.start(job.id)
    assert jobs.job(job.id).attempts == 2


def test_a_job_that_was_laid_down_waits_without_a_lost_attempt(jobs: Jobs) -> None:
    job = submitted(jobs, "a")
    for _ in range(3):
        jobs.start(job.id)
        jobs.lay_down(job.id)
    assert (jobs.job(job.id).state, jobs.job(job.id).attempts) == (JobState.QUEUED, 0)


# --- cancelled and tried again -----------------------------------------------------------------------------------------


def test_a_job_that_waits_is_cancelled_at_once_and_one_at_work_is_asked_to_end(registry: Registry, jobs: Jobs) -> None:
    waits, works = submitted(jobs, "a"), submitted(jobs, "b")
    jobs.start(works.id)
    assert jobs.cancel(waits.id, "bob").state is JobState.CANCELLED
    assert jobs.start(waits.id) is None
    asked = jobs.cancel(works.id, "bob")
    assert (asked.state, asked.cancelled) == (JobState.RUNNING, True)
    assert jobs.is_cancelled(works.id)
    assert [(one.actor, one.action) for one in registry.audit.entries(waits.id)][1:] == [("bob", "cancel")]


@pytest.mark.parametrize("end", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_what_is_at_its_end_cannot_be_cancelled(jobs: Jobs, end: JobState) -> None:
    job = submitted(jobs, "a")
    jobs.end(job.id, end)
    with pytest.raises(TransitionRefused, match=f"the job is {end}") as told:
        jobs.cancel(job.id, "bob")
    assert told.value.reason == "job_ended"


def test_a_job_is_tried_again_with_the_files_that_are_left(jobs: Jobs) -> None:
    job = submitted(jobs, "a", "b", "c")
    for _ in range(11):
        jobs.start(job.id)
    jobs.end_item(job.id, 1, LIVE, added("a"), keep=False)
    jobs.end_item(job.id, 2, FAILED, refused("b", "timed_out"), keep=True)
    jobs.cancel(job.id, "bob")
    jobs.end(job.id, JobState.CANCELLED, "x", "y")
    again = jobs.retry(job.id, "bob")
    assert (again.state, again.cancelled, again.attempts) == (JobState.QUEUED, False, 0)
    assert (again.finished_at, again.reason, again.message) == (None, None, None)
    assert [(one.state, one.outcome) for one in again.items] == [(LIVE, added("a")), (RECEIVED, None), (RECEIVED, None)]


def test_there_must_be_something_to_try_again(jobs: Jobs) -> None:
    job = submitted(jobs, "a")
    with pytest.raises(TransitionRefused, match="the job is queued"):
        jobs.retry(job.id, "bob")
    jobs.end_item(job.id, 1, LIVE, added("a"), keep=False)
    jobs.end(job.id, JobState.DONE)
    with pytest.raises(TransitionRefused, match="no file left") as told:
        jobs.retry(job.id, "bob")
    assert told.value.reason == "nothing_to_retry"


def test_cases_are_read_again_from_their_folder(jobs: Jobs) -> None:
    job = jobs.submit(JobKind.CASES, [NewItem("folder")], "ann", path="/cases", dataset=None)
    jobs.end(job.id, JobState.FAILED, "not_readable", "gone")
    assert jobs.retry(job.id, "ann").state is JobState.QUEUED


def test_one_of_many_who_start_cancel_and_end_at_once_wins(jobs: Jobs) -> None:
    def outcome(job_id: str) -> str:
        try:
            return str(jobs.cancel(job_id, "bob").state)
        except TransitionRefused:
            return "refused"

    for _ in range(10):
        job = submitted(jobs, "a")
        with ThreadPoolExecutor(3) as pool:
            told = [pool.submit(outcome, job.id) for _ in range(3)]
        assert sorted(one.result() for one in told) == ["cancelled", "refused", "refused"]


def test_old_jobs_are_forgotten_with_their_files_and_open_ones_never(registry: Registry, jobs: Jobs) -> None:
    ended, waits = submitted(jobs, "a"), submitted(jobs, "b")
    jobs.end(ended.id, JobState.CANCELLED)
    assert jobs.forget("2000-01-01T00:00:00+00:00") == 0
    assert jobs.forget("9999-01-01T00:00:00+00:00") == 1
    assert jobs.ids([*JobState]) == [waits.id]
    assert registry.blobs_in_use() == {sha("b")}
    assert registry.integrity_problems() == []
