"""Working on jobs: in order, a few files ahead, once, and on after whatever stopped it."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

import runtime.job_worker
from knowledge.blobs import LocalBlobs
from knowledge.document_ingest import NEVER_BY_ITSELF, DocumentIngest, Intent
from knowledge.errors import DocumentRefused, NotFound, StorageFailed
from knowledge.registry.jobs import Job, Jobs, JobState
from knowledge.types import ExtractedText, Outcome, Source, VersionState
from retrieval.embedder import Embedder
from runtime import reading_ahead
from runtime.curation import Curator
from runtime.errors import BuildFailed, JobStopped, WriterBusy
from runtime.job_worker import JobWorker
from runtime.jobs import ATTEMPTS, GONE, NOT_READABLE, JobRunner, Upload
from runtime.reading_ahead import AHEAD
from runtime.writing import Writer
from tests.integration.killing import KilledService, TextReader, digest_of, opened

NOBODY = Intent("ann")


class Reader(TextReader):
    """Remembers what it read; refuses, fails or waits where a text says so."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.timed_out = False
        self.broken = True
        self.gate = threading.Event()
        self.gate.set()

    def extract(self, path: Path, progress: Callable[[int, int], None] | None = None) -> ExtractedText:
        extracted = super().extract(path, progress)
        text = extracted.text
        self.read.append(text.split()[0])
        assert self.gate.wait(30)
        if text.startswith("poison") and self.broken:
            raise ZeroDivisionError("what nobody foresaw")
        if text.startswith("refused"):
            raise DocumentRefused("encrypted", "It is encrypted.")
        if text.startswith("slow") and not self.timed_out:
            raise DocumentRefused("timed_out", "It took too long.")
        return extracted


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def service(tmp_path: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Iterator[KilledService]:
    """Without indexes: `merges` counts how often one was due to be looked at."""
    monkeypatch.setattr(Writer, "merge_if_due", lambda self: None)
    one = opened(tmp_path / "home")
    one.__dict__["extractors"] = (reader, reader)
    yield one
    one.close()


@pytest.fixture
def jobs(service: KilledService) -> Jobs:
    return service.registry.jobs


@pytest.fixture
def runner(service: KilledService) -> JobRunner:
    return JobRunner(Curator(service, actor="ann"))


def text(name: str) -> str:
    return f"{name} says that plaques of the skin are treated once daily."


def uploads(*names: str, source: Source | None = None) -> list[Upload]:
    return [Upload(f"{name}.pdf", text(name).encode, source) for name in names]


def accepted(runner: JobRunner, *names: str) -> Job:
    return runner.accept_documents(uploads(*names), NOBODY)


def told(job: Job) -> list[str]:
    return [f"{one.file.removesuffix('.pdf')} {one.state}" for one in job.outcomes]


# --- accepting ---------------------------------------------------------------------------------------------------------


def test_what_is_accepted_is_stored_before_anybody_works_on_it(service: KilledService, runner: JobRunner) -> None:
    job = accepted(runner, "a", "b")
    assert set(service.blobs.digests()) == {digest_of(text("a")), digest_of(text("b"))}
    Curator(service).sweep()
    assert told(runner.run(job.id)) == ["a added", "b added"]


def test_a_file_that_cannot_be_read_is_refused_and_the_others_are_taken_in(runner: JobRunner) -> None:
    missing = Upload("gone.pdf", partial(Path("/nowhere/gone.pdf").read_bytes))
    job = runner.accept_documents([missing, *uploads("a")], NOBODY)
    ended = runner.run(job.id)
    assert told(ended) == ["gone refused", "a added"]
    assert ended.outcomes[0].message == NOT_READABLE
    assert ended.state is JobState.DONE


def test_what_could_not_be_announced_is_not_kept(
    service: KilledService, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = LocalBlobs.put
    accepted(runner, "a")

    def full(self: LocalBlobs, data: bytes) -> str:
        if data.startswith(b"c"):
            raise StorageFailed("no space")
        return put(self, data)

    monkeypatch.setattr(LocalBlobs, "put", full)
    with pytest.raises(StorageFailed):
        accepted(runner, "a", "b", "c")
    assert list(service.blobs.digests()) == [digest_of(text("a"))], "another job holds a, and nobody b"
    assert len(service.registry.jobs.ids()) == 1


# --- working -----------------------------------------------------------------------------------------------------------


def test_files_come_in_in_their_order_and_a_few_are_read_ahead(runner: JobRunner, reader: Reader) -> None:
    names = [f"n{number}" for number in range(40)]
    ahead = []
    done: list[str] = []

    def tell(outcome: object) -> None:
        done.append(outcome.file)  # type: ignore[attr-defined]
        ahead.append(len(reader.read) - len(done))

    runner.run(accepted(runner, *names).id, tell)
    assert done == [f"{name}.pdf" for name in names]
    assert sorted(reader.read) == sorted(names)
    assert 1 < max(ahead) <= AHEAD


def test_what_became_a_version_since_it_was_read_is_not_encoded_again(
    runner: JobRunner, service: KilledService, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    passages = Embedder.passages

    def counted(self: Embedder, texts: Iterable[str], progress: object = None) -> int:
        encoded.extend(wanted := list(texts))
        return passages(self, wanted)

    monkeypatch.setattr(Embedder, "passages", counted)
    job = accepted(runner, "a")
    reader.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(runner.run, job.id)
        while not reader.read:
            time.sleep(0.001)
        # Another process, with a reader of its own.
        other = DocumentIngest(service.registry, service.blobs, TextReader(), service._preparation)  # type: ignore[arg-type]
        other.document(text("a").encode(), "a.pdf")
        reader.gate.set()
        assert told(late.result()) == ["a unchanged"]
    assert len(encoded) == 1


def test_the_same_bytes_twice_in_a_job_are_added_once(runner: JobRunner, service: KilledService) -> None:
    assert told(runner.run(accepted(runner, "a", "a").id)) == ["a added", "a unchanged"]
    assert told(runner.run(accepted(runner, "a").id)) == ["a unchanged"]
    assert service.registry.counts()["documents"] == 1


def test_what_is_refused_is_not_kept_and_what_may_pass_another_time_is(
    runner: JobRunner, service: KilledService, jobs: Jobs, reader: Reader
) -> None:
    job = runner.run(accepted(runner, "refused", "slow", "a").id)
    assert told(job) == ["refused refused", "slow refused", "a added"]
    assert [one.reason for one in job.outcomes] == ["encrypted", "timed_out", None]
    assert [one.file is None for one in job.items] == [True, False, True]
    assert digest_of(text("refused")) not in set(service.blobs.digests())
    reader.timed_out = True
    reader.read.clear()
    jobs.retry(job.id, "ann")
    assert told(runner.run(job.id)) == ["refused refused", "slow added", "a added"]
    assert reader.read == ["slow"]


def test_a_stored_file_that_went_meanwhile_is_said_to_be_gone(
    runner: JobRunner, service: KilledService, reader: Reader
) -> None:
    job = accepted(runner, "a", "b")
    service.blobs.delete(digest_of(text("a")))
    ended = runner.run(job.id)
    assert told(ended) == ["a refused", "b added"]
    assert (ended.outcomes[0].reason, ended.outcomes[0].message) == ("file_gone", GONE)


def test_a_file_that_another_added_after_we_were_stopped_is_not_said_to_be_ours(runner: JobRunner, jobs: Jobs) -> None:
    job = accepted(runner, "a")
    jobs.start(job.id)
    jobs.move_item(job.id, 1, VersionState.INDEXING)  # and then it was killed
    assert told(runner.run(accepted(runner, "a").id)) == ["a added"]
    assert told(runner.run(job.id)) == ["a unchanged"]


def test_a_job_for_a_document_that_was_deleted_fails_and_takes_nothing_in(
    runner: JobRunner, service: KilledService, jobs: Jobs
) -> None:
    runner.run(accepted(runner, "a").id)
    [document] = service.registry.documents()
    job = runner.accept_documents(uploads("b"), Intent("ann", document.id))
    service.registry.delete_document(document.id)
    with pytest.raises(NotFound):
        runner.run(job.id)
    assert (jobs.job(job.id).state, jobs.job(job.id).reason) == (JobState.FAILED, "not_found")
    assert service.registry.counts()["documents"] == 0


def test_an_older_edition_never_supersedes_by_itself(runner: JobRunner, service: KilledService) -> None:
    newer, older = (Source("Psoriasis", publisher="A society", effective=f"{year}-01-01") for year in (2024, 2020))
    runner.run(runner.accept_documents(uploads("a", source=newer), NOBODY).id)
    [outcome] = runner.run(runner.accept_documents(uploads("b", source=older), NOBODY).id).outcomes
    assert (outcome.version_state, outcome.supersedes) == (VersionState.SUPERSEDED, None)
    assert NEVER_BY_ITSELF in outcome.warnings
    [document] = service.registry.documents()
    assert (document.versions, document.version.id) == (2, digest_of(text("a")))


def test_the_first_bytes_of_a_document_that_come_back_say_what_they_supersede(
    runner: JobRunner, service: KilledService
) -> None:
    runner.run(accepted(runner, "a").id)
    [document] = service.registry.documents()
    runner.run(runner.accept_documents(uploads("b"), Intent("ann", document.id)).id)
    service.registry.delete_version(digest_of(text("a")))
    [outcome] = runner.run(accepted(runner, "a").id).outcomes
    assert (outcome.id, outcome.supersedes) == (document.id, digest_of(text("b")))


# --- stopped and taken up again ----------------------------------------------------------------------------------------


def test_a_job_goes_on_where_it_was_stopped_however_often(service: KilledService, jobs: Jobs, reader: Reader) -> None:
    names = [f"n{number}" for number in range(3 * ATTEMPTS)]
    job = accepted(JobRunner(Curator(service)), *names)
    for number in range(len(names)):
        stopping = threading.Event()
        if number:
            stopping.set()  # before it could do anything
        JobRunner(Curator(service), stopping).run(job.id, partial(_set, stopping))
        assert jobs.job(job.id).state is JobState.QUEUED
    ended = JobRunner(Curator(service)).run(job.id)
    assert ended.state is JobState.DONE
    assert told(ended) == [f"{name} added" for name in names]
    assert reader.read.count("n0") == 1


def _set(event: threading.Event, _outcome: object) -> None:
    event.set()


def test_a_cancelled_job_ends_after_the_file_at_hand_and_can_be_tried_again(
    runner: JobRunner, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_ahead, "TOGETHER", 0)  # else who is told of the first may be told when all three are in
    job = accepted(runner, "a", "b", "c")

    def cancel(_outcome: object) -> None:
        if not jobs.job(job.id).cancelled:
            jobs.cancel(job.id, "bob")

    ended = runner.run(job.id, cancel)
    assert ended.state is JobState.CANCELLED
    assert told(ended) == ["a added"]
    jobs.retry(job.id, "bob")
    assert told(runner.run(job.id)) == ["a added", "b added", "c added"]


def test_cases_that_were_cancelled_before_they_were_taken_up_again_stay_out(
    runner: JobRunner, service: KilledService, jobs: Jobs, tmp_path: Path
) -> None:
    job = runner.accept_cases(tmp_path / "nowhere", None, "ann")
    jobs.start(job.id)  # and then it was killed
    jobs.cancel(job.id, "bob")
    assert runner.run(job.id).state is JobState.CANCELLED


def test_a_job_that_ends_its_process_every_time_is_given_up_and_can_be_tried_again(
    runner: JobRunner, jobs: Jobs
) -> None:
    job = accepted(runner, "a")
    for _ in range(ATTEMPTS):
        jobs.start(job.id)  # and then it was killed
    ended = runner.run(job.id)
    assert (ended.state, ended.reason) == (JobState.FAILED, "gave_up")
    jobs.retry(job.id, "ann")
    assert told(runner.run(job.id)) == ["a added"]


def test_a_full_disk_fails_the_job_keeps_its_files_and_lets_it_be_tried_again(
    runner: JobRunner, service: KilledService, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = accepted(runner, "a", "b")
    with monkeypatch.context() as full:
        full.setattr(LocalBlobs, "put", refuse)
        with pytest.raises(StorageFailed):
            runner.run(job.id)
    failed = jobs.job(job.id)
    assert (failed.state, failed.reason, failed.message) == (JobState.FAILED, "storage_failed", "no space")
    assert len(failed.open_items) == 2
    jobs.retry(job.id, "ann")
    assert told(runner.run(job.id)) == ["a added", "b added"]


def refuse(*_: object, **__: object) -> None:
    raise StorageFailed("no space")


def test_a_disk_that_takes_no_last_word_leaves_a_job_that_is_taken_up_again(
    runner: JobRunner, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = accepted(runner, "a")
    with monkeypatch.context() as full:
        full.setattr(LocalBlobs, "put", refuse)
        full.setattr(Jobs, "end", refuse)
        with pytest.raises(StorageFailed):
            runner.run(job.id)
    assert jobs.ids() == [job.id]
    assert told(runner.run(job.id)) == ["a added"]


def test_a_job_that_waited_too_long_for_another_writer_waits_on(service: KilledService, jobs: Jobs) -> None:
    runner = JobRunner(Curator(service, patience_s=0.05))
    job = accepted(runner, "a")
    with service.home.writing(), pytest.raises(WriterBusy):
        runner.run(job.id)
    assert (jobs.job(job.id).state, jobs.job(job.id).attempts) == (JobState.QUEUED, 0)
    assert told(runner.run(job.id)) == ["a added"]


def test_a_job_whose_files_are_in_is_done_though_no_new_index_could_be_made_and_says_so(
    runner: JobRunner, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_self: Writer) -> None:
        raise BuildFailed("no")

    monkeypatch.setattr(Writer, "merge_if_due", fails)
    job = accepted(runner, "a")
    with pytest.raises(BuildFailed):
        runner.run(job.id)
    ended = jobs.job(job.id)
    assert (ended.state, ended.reason, told(ended)) == (JobState.DONE, "build_failed", ["a added"])
    assert ended.message is not None
    assert ended.message.startswith("What came in is found")


# --- more than one at work ---------------------------------------------------------------------------------------------


def test_two_who_run_one_job_add_each_file_once_and_both_see_its_end(service: KilledService, jobs: Jobs) -> None:
    names = [f"n{number}" for number in range(8)]
    job = accepted(JobRunner(Curator(service)), *names)
    with ThreadPoolExecutor(2) as pool:
        ended = [pool.submit(JobRunner(Curator(service)).run, job.id) for _ in range(2)]
    assert {one.result().state for one in ended} == {JobState.DONE}
    assert {tuple(told(one.result())) for one in ended} == {tuple(f"{name} added" for name in names)}
    assert jobs.job(job.id).attempts == 1


def test_who_does_not_wait_is_shown_how_far_another_is(
    runner: JobRunner, service: KilledService, reader: Reader
) -> None:
    job = accepted(runner, "a")
    reader.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(runner.run, job.id)
        until(lambda: bool(reader.read))
        seen = JobRunner(Curator(service)).run(job.id, wait=False)
        reader.gate.set()
        assert working.result().state is JobState.DONE
    assert seen.state is JobState.RUNNING


def test_two_jobs_with_the_same_bytes_at_once_add_them_once(service: KilledService) -> None:
    runner = JobRunner(Curator(service))
    both = [accepted(runner, "a", "b"), accepted(runner, "b", "a")]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda job: JobRunner(Curator(service)).run(job.id), both))
    states = [one.state for job in ended for one in job.outcomes]
    assert sorted(states) == [Outcome.ADDED, Outcome.ADDED, Outcome.UNCHANGED, Outcome.UNCHANGED]


def test_who_waits_for_a_job_that_another_cancelled_is_told(service: KilledService, jobs: Jobs) -> None:
    curator = Curator(service)

    def cancel(_outcome: object) -> None:
        for mine in jobs.ids():
            jobs.cancel(mine, "bob")

    with pytest.raises(JobStopped, match="is cancelled"):
        curator.ingest_documents(uploads(*(f"n{number}" for number in range(AHEAD + 1))), cancel)
    assert 1 <= service.registry.counts()["documents"] <= AHEAD // 2, (
        "files that were taken in together are told of together"
    )


# --- the worker of a server --------------------------------------------------------------------------------------------


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.005)


@pytest.fixture
def worker(service: KilledService, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobWorker]:
    monkeypatch.setattr(runtime.job_worker, "POLL_S", 0.01)
    one = JobWorker(Curator(service))
    yield one
    assert one.stop(30)


def test_a_worker_takes_up_what_was_interrupted_and_what_comes(
    worker: JobWorker, runner: JobRunner, jobs: Jobs
) -> None:
    interrupted = accepted(runner, "a")
    jobs.start(interrupted.id)
    worker.start()
    until(lambda: not jobs.ids())
    later = accepted(runner, "b")
    worker.wake()
    until(lambda: not jobs.ids())
    assert [told(jobs.job(one.id)) for one in (interrupted, later)] == [["a added"], ["b added"]]


def test_a_poisonous_job_is_given_up_and_holds_up_no_other(
    worker: JobWorker, runner: JobRunner, jobs: Jobs, reader: Reader
) -> None:
    poison, good = accepted(runner, "poison"), accepted(runner, "a")
    worker.start()
    until(lambda: not jobs.ids())
    assert (jobs.job(poison.id).state, jobs.job(poison.id).reason) == (JobState.FAILED, "gave_up")
    assert reader.read.count("poison") == ATTEMPTS
    assert told(jobs.job(good.id)) == ["a added"]
    reader.broken = False
    jobs.retry(poison.id, "ann")
    until(lambda: not jobs.ids())
    assert told(jobs.job(poison.id)) == ["poison added"]


def test_a_worker_that_is_stopped_leaves_the_rest_for_the_next(
    service: KilledService, runner: JobRunner, jobs: Jobs, reader: Reader
) -> None:
    job = accepted(runner, *(f"n{number}" for number in range(6)))
    reader.gate.clear()
    worker = JobWorker(Curator(service))
    worker.start()
    until(lambda: bool(reader.read))
    assert not worker.stop(0)
    reader.gate.set()
    assert worker.stop(30)
    assert jobs.job(job.id).state is JobState.QUEUED
    assert len(told(runner.run(job.id))) == 6


def test_locks_of_forgotten_jobs_go_and_those_of_known_ones_stay(
    runner: JobRunner, service: KilledService, jobs: Jobs
) -> None:
    job = accepted(runner, "a")
    runner.run(job.id)
    old = service.home.jobs / "j-forgotten.lock"
    old.touch()
    runner.tidy()
    assert not old.exists()
    assert (service.home.jobs / f"{job.id}.lock").exists()
    jobs.forget("9999-01-01T00:00:00+00:00")
    runner.tidy()
    assert list(service.home.jobs.iterdir()) == []


# --- what is kept for a time -------------------------------------------------------------------------------------------


class Clock:
    """Says when it is, and can be put on."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time


def test_a_server_that_runs_for_months_forgets_what_was_kept_for_long_enough(
    service: KilledService, runner: JobRunner, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.job_worker, "POLL_S", 0.01)
    clock, answers = Clock(), service.registry.answers
    worker = JobWorker(Curator(service), clock)
    worker.start()
    try:
        answers.keep("a-1", "diagnosis", 1, [])
        days_of_jobs = timedelta(days=service.settings.job_days)
        clock.time += days_of_jobs - timedelta(hours=2)
        for name in ("a", "b", "c"):  # the worker has looked at the clock between the first and the last of them
            accepted(runner, name)
            worker.wake()
            until(lambda: not jobs.ids())
        assert len(jobs.ids([JobState.DONE])) == 3
        clock.time += timedelta(hours=4)
        until(lambda: not jobs.ids([JobState.DONE]))
        assert answers.kept()[0] == 1
        clock.time += timedelta(days=service.settings.answer_days) - days_of_jobs
        until(lambda: answers.kept()[0] == 0)
    finally:
        assert worker.stop(30)


def test_a_clock_that_is_put_back_stops_no_forgetting(service: KilledService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.job_worker, "POLL_S", 0.01)
    clock = Clock()
    tidied: list[datetime] = []
    monkeypatch.setattr(JobRunner, "tidy", lambda _: tidied.append(clock.time))
    worker = JobWorker(Curator(service), clock)
    worker.start()
    try:
        until(lambda: len(tidied) == 1)
        clock.time -= timedelta(days=365)
        until(lambda: len(tidied) == 2)
    finally:
        assert worker.stop(30)


def test_a_failure_to_forget_ends_no_worker(
    service: KilledService,
    runner: JobRunner,
    jobs: Jobs,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(_: JobRunner) -> None:
        raise StorageFailed("the disk is full")

    monkeypatch.setattr(runtime.job_worker, "POLL_S", 0.01)
    monkeypatch.setattr(JobRunner, "tidy", full)
    accepted(runner, "a")
    worker = JobWorker(Curator(service))
    worker.start()
    try:
        until(lambda: not jobs.ids())
    finally:
        assert worker.stop(30)
    assert "cannot be forgotten now: storage_failed" in caplog.text
