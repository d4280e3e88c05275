"""A registry on a real PostgreSQL: locks that die with their holder, restarts in the middle, a bound on connections, and the
same answers as from a file."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import knowledge
from knowledge.errors import StorageFailed
from knowledge.registry import LockTaken, NewVersion, Registry
from knowledge.registry.jobs import JobKind, JobState, NewItem
from knowledge.types import Cut, Source
from retrieval.search import Encoders
from runtime.checking import findings
from runtime.curation import Curator
from runtime.doctor import examine
from runtime.errors import KeyRefused, SettingsRefused, WriterBusy
from runtime.exporting import export_archive
from runtime.importing import import_archive
from runtime.job_worker import JobWorker
from runtime.jobs import JobRunner, Upload
from runtime.keys import KeyRing, Role
from runtime.service import Service, open_service
from runtime.settings import load_settings
from runtime.tarring import ArchiveFailed
from runtime.truth import ServerLocks
from tests.postgres_server import PASSWORD, PostgresServer
from tests.sample import SOURCE, guideline, write_cases

PROJECT = Path(knowledge.__file__).parent.parent
SECRET = "zyxomethasone of a named patient"
HOLD = """
import sys, time
from knowledge.registry import Registry
registry = Registry(sys.stdin.readline().strip(), 4)
with registry.locks.held(sys.argv[1]):
    print("holding", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def registry(postgres_url: str) -> Iterator[Registry]:
    opened = Registry(postgres_url, 4)
    yield opened
    opened.close()


@contextmanager
def another_process_holding(name: str, url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, name]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{url}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "holding\n"
        try:
            yield process
        finally:
            process.kill()


def locks_of(registry: Registry) -> ServerLocks:
    assert registry.locks is not None
    return ServerLocks(registry.locks)


# --- locks -------------------------------------------------------------------------------------------------------------


def test_a_killed_writer_is_followed_at_once(registry: Registry, postgres_url: str) -> None:
    locks, told = locks_of(registry), threading.Event()
    with another_process_holding("writer", postgres_url) as holder:
        with pytest.raises(WriterBusy, match="has been writing"), locks.writing(patience_s=0):
            pass
        holder.send_signal(signal.SIGSTOP)  # alive and silent: nobody may take its place
        with pytest.raises(WriterBusy), locks.writing(patience_s=0.1):
            pass

        def follow() -> None:
            with locks.writing(told.set):
                registry.audit.record("me", "follow", "index", "x")

        thread = threading.Thread(target=follow)
        thread.start()
        assert told.wait(60)
        holder.kill()
        thread.join(60)
    assert [entry.action for entry in registry.audit.entries()] == ["follow"]


def test_a_writer_whose_session_ended_writes_nothing_more_and_its_follower_does(
    registry: Registry, postgres_server: PostgresServer, postgres_url: str
) -> None:
    database = postgres_url.rpartition("/")[2]
    follower = Registry(postgres_url, 4)
    with locks_of(registry).writing():
        registry.audit.record("me", "before", "index", "x")
        holders = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        assert postgres_server.execute(holders, database) == [(True,)]
        with locks_of(follower).writing():  # while the first one still believes to be the writer
            for _ in range(2):
                with pytest.raises(StorageFailed):
                    registry.audit.record("me", "late", "index", "x")
                with pytest.raises(StorageFailed):
                    registry.confirm_locks()
            follower.audit.record("other", "after", "index", "x")
            assert registry.counts()["documents"] == 0  # reads go on
    registry.audit.record("me", "free again", "index", "x")
    assert [entry.action for entry in registry.audit.entries()] == ["before", "after", "free again"]
    follower.close()


def test_threads_of_one_process_exclude_each_other_and_one_may_hold_several_locks(registry: Registry) -> None:
    assert registry.locks is not None
    locks, inside, most = registry.locks, 0, 0
    counted = threading.Lock()

    def write(_: int) -> None:
        nonlocal inside, most
        with locks.held("writer"), locks.held("files"):
            with counted:
                inside += 1
                most = max(most, inside)
            registry.audit.record("me", "write", "index", "x")
            with counted:
                inside -= 1

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(write, range(18)))
    assert (most, len(registry.audit.entries())) == (1, 18)
    with locks.held("job 1", 0), locks.held("job 2", 0), pytest.raises(ZeroDivisionError), locks.held("job 3", 0):
        raise ZeroDivisionError
    with ThreadPoolExecutor(1) as thread, locks.held("job 3", 0), pytest.raises(LockTaken):
        thread.submit(lambda: locks.held("job 3", 0).__enter__()).result()


# --- restarts and refusals ---------------------------------------------------------------------------------------------


def test_a_restart_in_the_middle_of_a_write_leaves_nothing_of_it_and_everything_of_before(
    own_postgres: PostgresServer,
) -> None:
    registry = Registry(own_postgres.fresh(), 4)
    registry.audit.record("me", "acknowledged", "index", "x")

    def interrupted() -> None:
        with registry._database.write() as connection:
            connection.exec_driver_sql("UPDATE corpus SET generation = 7")
            own_postgres.stop()
            connection.exec_driver_sql("UPDATE corpus SET generation = 8")

    with pytest.raises(StorageFailed, match="cannot be used"):
        interrupted()
    for ask in (registry.corpus_generation, lambda: registry.audit.record("me", "down", "index", "x")):
        with pytest.raises(StorageFailed, match="What was acknowledged before is safe") as refused:
            ask()
        assert PASSWORD not in str(refused.value)
        assert str(own_postgres.port) not in str(refused.value)
    own_postgres.start()
    assert registry.corpus_generation() == 0
    assert [entry.action for entry in registry.audit.entries()] == ["acknowledged"]
    with registry.snapshot():
        assert registry.corpus_generation() == 0
    own_postgres.restart()
    assert registry.corpus_generation() == 0  # a connection that died in the pool is no failure
    registry.close()


def test_errors_say_neither_rows_nor_address(registry: Registry, postgres_server: PostgresServer) -> None:
    def add(passage: str) -> None:
        cuts = [(passage, Cut(0, 1, SECRET, 1, 1, (), 1))] * 2
        registry.add_version(NewVersion("a" * 64, Source("A"), 1, "b" * 64, (), cuts))

    for passage, kind in ((SECRET, "UniqueViolation, 23505"), (SECRET * 3, "StringDataRightTruncation, 22001")):
        with pytest.raises(StorageFailed, match=kind) as refused:
            add(passage)
        assert SECRET not in str(refused.value)
        assert refused.value.__suppress_context__
    assert registry.counts()["passages"] == 0
    for url, why in (
        (postgres_server.url("nowhere"), "no such database"),
        (postgres_server.url("postgres", "another-password"), "refused the user or the password"),
        ("postgresql://u:another-password@127.0.0.1:1/x", "nothing listens there"),
        ("postgresql://u:another-password@127.0.0.1:port/x", "is no address"),
    ):
        with pytest.raises(StorageFailed, match=why) as refused:
            Registry(url, 4)
        assert "another-password" not in str(refused.value)
        assert "127.0.0.1" not in str(refused.value)


def test_more_threads_than_connections_wait_for_each_other(postgres_server: PostgresServer) -> None:
    url = postgres_server.fresh()
    registry = Registry(url, 6)
    seen: list[int] = []
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dermacite'"

    def work(number: int) -> None:
        with registry._database.read() as connection:
            seen.append(connection.exec_driver_sql(mine).scalar_one())
        if number % 3 == 0:
            with locks_of(registry).working_on(str(number % 2)):
                registry.audit.record("me", "work", "job", str(number))

    with ThreadPoolExecutor(24) as threads:
        list(threads.map(work, range(72)))
    assert max(seen) <= 6
    assert len(registry.audit.entries()) == 24
    registry.close()


def test_text_is_ordered_byte_by_byte_in_whatever_language_the_server_speaks(
    registry: Registry, postgres_server: PostgresServer, postgres_url: str
) -> None:
    foreign = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND data_type IN "
        "('text', 'character varying') AND table_name <> 'alembic_version' AND collation_name IS DISTINCT FROM 'C'"
    )
    assert postgres_server.execute(foreign, postgres_url.rpartition("/")[2]) == []


# --- keys and rates ----------------------------------------------------------------------------------------------------


def test_a_revoked_key_and_its_sessions_end_in_every_process_at_once(registry: Registry, postgres_url: str) -> None:
    other = Registry(postgres_url, 4)
    here, there = KeyRing(registry.keys), KeyRing(other.keys)
    text, key = here.create("ada", Role.READER, 1, "me")
    session = here.sign_in(text)
    assert there.check(text).id == there.signed_in(session.token).id == key.id
    registry.keys.revoke(key.id, "me")
    with pytest.raises(KeyRefused):
        there.check(text)
    with pytest.raises(KeyRefused):
        there.signed_in(session.token)
    other.close()


def test_a_rate_is_one_for_all_processes_and_refused_requests_cost_nothing(
    registry: Registry, postgres_url: str
) -> None:
    other = Registry(postgres_url, 4)
    assert registry.rates is not None
    assert other.rates is not None
    spent = [one.spend("a", 4) for one in (registry.rates, other.rates) * 4]
    assert spent[:4] == [None] * 4
    assert all(wait is not None and 0 < wait <= 120 for wait in spent[4:])
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: other.rates and other.rates.spend("b", 10), range(40)))
    assert waits.count(None) == 10
    other.close()


# --- the whole ---------------------------------------------------------------------------------------------------------


def service_at(home: Path, encoders: Encoders, url: str | None, **given: Any) -> Service:
    return open_service(home, load_settings(home, configuration="embedded", registry_url=url, **given), encoders)


def found(service: Service, text: str) -> tuple[Any, ...]:
    """Without the times it took."""
    result = service.lookup.search(text)
    return result.passages, result.cases, result.cases_by, result.warnings


def lived(service: Service, folder: Path) -> dict[str, Any]:
    """Ingest, search, supersede, delete; what was seen of it, without times."""
    curator = Curator(service, actor="ada")
    seen: dict[str, Any] = {}
    cases = curator.ingest_cases(folder / "cases", "sample")
    [first] = curator.ingest_documents([Upload("sample.pdf", guideline, SOURCE)])
    newer = guideline((("Acne", "Offer adapalene 0.3% in place of adapalene 0.1% for papules of the face."),))
    [second] = curator.ingest_documents([Upload("newer.pdf", lambda: newer, SOURCE)], document_id=first.id)
    [third] = curator.ingest_documents([Upload("third.pdf", lambda: guideline((("Zoster", "Give aciclovir."),)))])
    seen["outcomes"] = [*cases, first, second, third]
    question = "adapalene for papules"
    seen["before"] = found(service, question)
    seen["passages"] = service.registry.passage_texts()
    seen["cases"] = service.registry.case_captions()
    assert third.id is not None
    receipt = curator.delete_document(third.id)
    case = service.registry.case_captions()[0][0]
    seen["receipts"] = [receipt.versions, receipt.absent_from, curator.delete_case(case).absent_from]
    seen["after"] = found(service, question)
    seen["audit"] = [(one.actor, one.action, one.kind, one.details) for one in service.registry.audit.entries()]
    seen["counts"] = (service.registry.counts(), service.registry.corpus_generation())
    return seen


@pytest.fixture(scope="session")
def a_life(
    postgres_server: PostgresServer, encoders: Encoders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, Service, dict[str, Any], dict[str, Any]]]:
    """The same life in a file and on a server."""
    folder = tmp_path_factory.mktemp("life")
    write_cases(folder / "cases")
    here = service_at(folder / "here", encoders, None)
    there = service_at(folder / "there", encoders, postgres_server.fresh())
    yield here, there, lived(here, folder), lived(there, folder)
    for service in (here, there):
        service.close()


def without_jobs(seen: list[Any]) -> str:
    return "\n".join(line for line in map(repr, seen) if "'job'" not in line)


def test_a_service_on_postgresql_is_the_embedded_one(
    a_life: tuple[Service, Service, dict[str, Any], dict[str, Any]],
) -> None:
    here, there, seen, also = a_life
    assert seen["before"][0]
    for name in ("outcomes", "before", "passages", "cases", "receipts", "after", "counts"):
        assert repr(seen[name]) == repr(also[name]), name
    assert without_jobs(seen["audit"]) == without_jobs(also["audit"])
    assert not list(there.home.root.glob("*.sqlite3*"))
    assert not list(there.home.root.glob("*.lock"))
    assert here.embeddings.keys() == there.embeddings.keys()
    with pytest.raises(SettingsRefused, match="every host reads its encoders from its own settings"):
        Curator(there).roll_back()


def test_check_and_a_receipt_say_where_the_registry_is_and_never_its_password(
    a_life: tuple[Service, Service, dict[str, Any], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, there, _, _ = a_life
    url = there.settings.registry_url
    assert url is not None
    monkeypatch.setenv("DERMACITE_REGISTRY_URL", url.get_secret_value())
    looked = {one.name: one for one in findings(there.home.root, models=False)}
    assert looked["registry"].detail.endswith("PostgreSQL")
    assert {name for name, one in looked.items() if one.state == "error"} == set()
    assert [one.name for one in examine(there) if not one.healthy] == []
    told = repr((looked, there.settings, there.configuration))
    assert PASSWORD not in told
    monkeypatch.setenv("DERMACITE_REGISTRY_URL", url.get_secret_value().replace(PASSWORD, "wrong"))
    looked = {one.name: one for one in findings(there.home.root, models=False)}
    assert (looked["registry"].state, "refused the user" in looked["registry"].detail) == ("error", True)


def exported(service: Service, folder: Path, name: str) -> tuple[Path, str]:
    done = export_archive(Curator(service), folder / name)
    return folder / name, done.sha256


def rows_of(service: Service, folder: Path) -> dict[str, str]:
    folder.mkdir()
    service.registry.transfer.dump(folder)
    return {file.name: file.read_text("utf-8") for file in sorted(folder.iterdir())}


def test_a_knowledge_base_goes_from_a_file_to_a_server_and_back_row_by_row(
    a_life: tuple[Service, Service, dict[str, Any], dict[str, Any]], postgres_server: PostgresServer,
    encoders: Encoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    here = a_life[0]
    archive, digest = exported(here, tmp_path, "first.tar")
    url = postgres_server.fresh()
    monkeypatch.setenv("DERMACITE_REGISTRY_URL", url)
    import_archive(archive, tmp_path / "server")
    with pytest.raises(ArchiveFailed, match="the database that registry_url names is not empty"):
        import_archive(archive, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    monkeypatch.delenv("DERMACITE_REGISTRY_URL")
    server = service_at(tmp_path / "server", encoders, url)
    assert rows_of(server, tmp_path / "a") == rows_of(here, tmp_path / "b")
    assert found(server, "adapalene") == found(here, "adapalene")
    server.registry.audit.record("me", "export", "archive", "x")  # the next number is free
    second, again = exported(server, tmp_path, "second.tar")
    assert again == digest
    import_archive(second, tmp_path / "back")
    back = service_at(tmp_path / "back", encoders, None)
    assert rows_of(back, tmp_path / "c") == rows_of(here, tmp_path / "d")
    for service in (server, back):
        service.close()


def test_two_processes_take_every_job_once(
    postgres_server: PostgresServer, encoders: Encoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, taken = postgres_server.fresh(), []
    # Two hosts that share their files, as they would an object store.
    services = [service_at(tmp_path / "home", encoders, url) for _ in range(2)]
    runners = [JobRunner(Curator(one)) for one in services]
    intent = Curator(services[0]).intent()
    pdfs = [guideline(((f"T{at}", f"Give {at} mg."),)) for at in range(6)]
    uploads = [Upload(f"{at}.pdf", partial(bytes, pdf)) for at, pdf in enumerate(pdfs)]
    jobs = [runners[0].accept_documents([upload], intent).id for upload in uploads]
    start = type(services[0].registry.jobs).start

    def counted(self: Any, job_id: str) -> Any:
        taken.append(job_id)
        return start(self, job_id)

    monkeypatch.setattr(type(services[0].registry.jobs), "start", counted)
    workers = [JobWorker(Curator(one)) for one in services]
    for worker in workers:
        worker.start()
    ended = threading.Event()
    while services[0].registry.jobs.ids():
        assert not ended.wait(0.05)
    for worker in workers:
        assert worker.stop(60)
    assert sorted(set(taken)) == sorted(jobs)
    assert {services[1].registry.jobs.job(one).state for one in jobs} == {JobState.DONE}
    assert {services[1].registry.jobs.job(one).attempts for one in jobs} == {1}
    assert services[0].registry.counts()["documents"] == 6
    for service in services:
        service.close()


def test_a_collection_in_a_folder_of_another_host_is_left_to_it(
    postgres_server: PostgresServer, encoders: Encoders, tmp_path: Path
) -> None:
    service = service_at(tmp_path / "home", encoders, postgres_server.fresh())
    jobs = service.registry.jobs
    job = jobs.submit(JobKind.CASES, [NewItem("cases")], "me", path="/nowhere", dataset=None, host="another-host")
    assert JobRunner(Curator(service)).is_elsewhere(job.id)
    here = JobRunner(Curator(service)).accept_cases(tmp_path, None, "me")
    assert not JobRunner(Curator(service)).is_elsewhere(here.id)
    service.close()
