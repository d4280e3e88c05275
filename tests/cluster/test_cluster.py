"""A service of several processes answers what one embedded server answers, whatever of it dies meanwhile.

The tests stand in the order of a story (tests/conftest.py keeps it): what they take in stays until the last one deletes it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from inference.types import Answer
from knowledge.types import FileOutcome, Outcome
from retrieval.search import Encoders
from runtime.bulk.engine import RayEngine
from runtime.curation import Curator
from runtime.doctor import examine
from runtime.jobs import Upload
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests import hostile
from tests.cluster.cluster import (
    ASKED,
    EXACT,
    LONG_PAUSE_S,
    NOTE,
    QUIET,
    Answers,
    Asked,
    Cluster,
    Readers,
    all_in,
    answered,
    assert_same_vectors,
    client_of,
    diagnosed,
    documents_of,
    doses,
    ended,
    environment_of,
    found,
    is_stated,
    models,
    same,
    sent,
    timed,
    told,
    until,
)
from tests.object_storage import S3Server
from tests.ray_nodes import Nodes
from tests.sample import drawn, guideline
from tests.served_process import ROOT, Server, serving
from tests.vllm.asking import ask
from tests.vllm.server import VllmServer

pytestmark = pytest.mark.timeout(1_800)

FILES = 3  # of each job
HANGING_S = 10  # longer than a connection may take, shorter than a request


@pytest.fixture(scope="module")
def home(sample_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample's home, for an embedded service that asks Chroma as the cluster does."""
    home = tmp_path_factory.mktemp("embedded") / "home"
    shutil.copytree(sample_service.home.root, home, symlinks=True)
    return home


@pytest.fixture(scope="module")
def embedded(home: Path, vllm_server: VllmServer) -> tuple[Answers, Answers]:
    """What one embedded server with one vLLM server answers: in full, and to QUIET questions."""
    with serving(home, **environment_of({"exact_below": 0, **models([vllm_server])})) as server:
        server.wait_until_ready()
        with client_of(server) as client:
            full, quiet = (
                {asked: answered(diagnosed(client, asked, **options)) for asked in ASKED} for options in ({}, QUIET)
            )
    return full, quiet


@pytest.fixture(scope="module")
def expected(embedded: tuple[Answers, Answers]) -> Answers:
    return embedded[0]


@pytest.fixture(scope="module")
def quiet(embedded: tuple[Answers, Answers]) -> Answers:
    return embedded[1]


# --- the same answers ----------------------------------------------------------------------------------------------------


def test_every_worker_answers_what_one_embedded_server_answers(cluster: Cluster, expected: Answers) -> None:
    for worker in cluster.workers:
        with client_of(worker) as client:
            for asked, answer in expected.items():
                assert same(answered(diagnosed(client, asked)), dict(answer))
    assert {answer["outcome"] for answer in expected.values()} >= {"diagnosis"}
    assert all(replica.metric("vllm:request_success_total") > 0 for replica in cluster.replicas)


def test_without_served_models_answers_are_the_same_to_the_byte(
    cluster: Cluster, home: Path, encoders: Encoders, tmp_path: Path
) -> None:
    here = open_service(home, load_settings(home, configuration="embedded", exact_below=0), encoders)
    there = cluster.opened(tmp_path / "home", encoders)
    for asked in ASKED:
        answers = [json.dumps(in_process(one, asked), sort_keys=True, default=str) for one in (here, there)]
        assert answers[0] == answers[1]
    here.close()
    there.close()


def in_process(service: Service, asked: Asked) -> dict[str, Any]:
    answer: dict[str, Any] = asdict(anyio.run(ask_with_note, service, drawn(*asked)))
    del answer["trace"]["timings_ms"], answer["trace"]["configuration"]["index"]
    assert answer["ledger"]
    return answer


async def ask_with_note(service: Service, picture: bytes) -> Answer:
    return await ask(service, picture, note=NOTE)


# --- what one takes in, all find -----------------------------------------------------------------------------------------


def test_what_one_worker_takes_in_and_another_deletes_is_found_and_gone_at_a_third(cluster: Cluster) -> None:
    first, second, _ = cluster.workers
    text = "Treat scabies with permethrin 5 % cream, again after 7 days."
    job = ended(second, sent(first, [guideline((("Scabies", text),))]))
    [outcome] = job["items"]
    assert outcome["outcome"]["state"] == "added"
    document = outcome["outcome"]["id"]
    assert all(document in found(worker, "permethrin for scabies") for worker in cluster.workers)
    with client_of(second) as client:
        receipt = client.delete(f"/v1/documents/{document}").json()
    assert receipt["copies_gone_within_s"] is not None
    assert not any(document in found(worker, "permethrin for scabies") for worker in cluster.workers)


# --- what dies while guidelines are taken in and consultations are answered -------------------------------------------------


@contextmanager
def at_work(cluster: Cluster, expected: Answers, name: str) -> Iterator[Readers]:
    """An acknowledged job, and consultations at every worker, while the body lets something die and come back.

    Afterwards every file of the job is in and listed by each worker, each answer was right, each error a stated one.
    """
    with Readers(cluster.workers, expected) as readers:
        readers.recovered(time.monotonic())
        files = doses(name, FILES)
        job_id = sent(cluster.workers[0], files)
        yield readers
        all_in(cluster, job_id, files)
        readers.recovered(time.monotonic())
    told(f"{name}: {readers.told()}")


def test_the_writer_that_is_killed_is_followed_by_another(cluster: Cluster, quiet: Answers) -> None:
    with at_work(cluster, quiet, "writer") as readers:
        number = cluster.kill(cluster.writer())
        told(f"the writer killed: the others answer {readers.recovered(time.monotonic()):.1f} s later")
        with timed("and a new process is ready after"):
            cluster.replace(number)


def test_a_worker_that_is_killed_costs_its_own_requests(cluster: Cluster, quiet: Answers) -> None:
    with at_work(cluster, quiet, "worker") as readers:
        writer = cluster.writer()
        number = cluster.kill(next(one for one in reversed(cluster.workers) if one is not writer))
        told(f"a worker killed: the others answer {readers.recovered(time.monotonic()):.1f} s later")
        with timed("and a new process is ready after"):
            cluster.replace(number)


def test_a_database_that_restarts_costs_stated_errors(cluster: Cluster, quiet: Answers) -> None:
    with at_work(cluster, quiet, "database") as readers:
        cluster.writer()
        cluster.postgres.stop()
        for worker in cluster.workers:
            with client_of(worker) as client:
                refused = diagnosed(client, ASKED[0])
                assert is_stated(refused), refused.text
        cluster.postgres.start()
        told(f"PostgreSQL back: every worker answers {readers.recovered(time.monotonic()):.1f} s later")


def test_without_the_chroma_server_answers_are_exact_and_say_so(cluster: Cluster, quiet: Answers) -> None:
    with at_work(cluster, quiet, "vectors") as readers:
        cluster.writer()
        cluster.chroma.hang()
        told(f"the Chroma server hangs: every worker answers {readers.recovered(time.monotonic()):.1f} s later")
        cluster.chroma.kill()
        told(f"it is killed: every worker answers {readers.recovered(time.monotonic()):.1f} s later")
        for worker in cluster.workers:
            until(lambda worker=worker: is_exact(worker))  # type: ignore[misc]
        cluster.chroma.start()
        with timed("started again: every worker asks it after"):
            for worker in cluster.workers:
                until(lambda worker=worker: not is_exact(worker))  # type: ignore[misc]


def is_exact(worker: Server) -> bool:
    """Whether it says that it did not ask the Chroma server."""
    with client_of(worker) as client:
        response = diagnosed(client, ASKED[2], **QUIET)
    assert response.status_code == 200, response.text
    return EXACT in response.text


def test_object_storage_that_hangs_costs_time(cluster: Cluster, s3_server: S3Server, quiet: Answers) -> None:
    with at_work(cluster, quiet, "storage") as readers:
        cluster.writer()
        s3_server.hang()
        time.sleep(HANGING_S)
        s3_server.go_on()
        answering = readers.recovered(time.monotonic())
        told(f"object storage hung for {HANGING_S} s: every worker answers {answering:.1f} s after it goes on")


def test_a_model_server_that_is_killed_is_asked_no_more_until_it_generates_again(
    cluster: Cluster, quiet: Answers
) -> None:
    with at_work(cluster, quiet, "model") as readers:
        victim = at_work_now(cluster)
        victim.kill()
        try:
            told(f"a vLLM server killed: every worker answers {readers.recovered(time.monotonic()):.1f} s later")
            for worker in cluster.workers:
                until(lambda worker=worker: not in_use(worker, victim))  # type: ignore[misc]
                assert any(in_use(worker, one) for one in cluster.replicas if one is not victim)
        finally:
            with timed("started again: it generates after"):
                victim.start()
        with timed("and every worker asks it after"):
            for worker in cluster.workers:
                until(lambda worker=worker: in_use(worker, victim))  # type: ignore[misc]


def at_work_now(cluster: Cluster) -> VllmServer:
    """A model server that works on a request; questions have favourites, so that it may be either."""
    busy: list[VllmServer] = []

    def found() -> bool:
        busy[:] = [one for one in cluster.replicas if one.metric("vllm:num_requests_running") > 0]
        return bool(busy)

    until(found)
    return busy[0]


def in_use(worker: Server, replica: VllmServer) -> bool:
    """Whether the worker counts the replica among those it asks, by its metrics."""
    with client_of(worker) as client:
        lines = client.get("/metrics").text.splitlines()
    mine = [line for line in lines if line.startswith("dermacite_replica_up{") and f":{replica.port}" in line]
    assert mine
    return all(float(line.rsplit(" ", 1)[1]) == 1 for line in mine)


# --- bulk ingest -----------------------------------------------------------------------------------------------------------


def test_a_ray_node_that_is_killed_during_a_bulk_ingest_costs_time(
    cluster: Cluster, nodes: Nodes, quiet: Answers, encoders: Encoders, tmp_path: Path
) -> None:
    bad = [Upload("broken.pdf", lambda: b"%PDF-1.7\nnothing"), Upload("bomb.pdf", hostile.page_bomb)]
    good = [Upload(f"{n}.pdf", partial(bytes, file)) for n, file in enumerate(doses("node", 8))]
    uploads = [*good[:3], *bad, *good[3:]]
    nodes.start_second()
    service = cluster.opened(tmp_path / "home", encoders)
    seen: list[FileOutcome] = []
    killed_at = 0.0

    def kill() -> None:
        nonlocal killed_at
        until(nodes.second_has_work)
        nodes.kill_second()
        killed_at = time.monotonic()

    killer = threading.Thread(target=kill)
    with Readers(cluster.workers, quiet, LONG_PAUSE_S) as readers:
        killer.start()
        outcomes = Curator(service, engine=RayEngine(nodes.address)).ingest_documents(uploads, seen.append)
        ended = time.monotonic()
        killer.join()
    told(f"a Ray node killed with a piece in hand: all {len(uploads)} files are in {ended - killed_at:.1f} s later")
    told(f"node: {readers.told()}")
    assert 0 < killed_at < ended, "it was killed too late"
    assert seen == outcomes, "each once, in order"
    here = open_service(tmp_path / "here", load_settings(tmp_path, configuration="embedded"), encoders)
    assert outcomes == Curator(here).ingest_documents(uploads)
    assert_same_vectors(here, service)
    here.close()
    service.close()
    assert {one.file for one in outcomes if one.state is Outcome.REFUSED} >= {"broken.pdf"}
    cluster.files += [one.read() for one in uploads]
    added = {one.id for one in outcomes if one.id is not None}
    assert all(added <= documents_of(worker) for worker in cluster.workers)


def test_a_bulk_ingest_that_is_killed_is_finished_by_a_worker(
    cluster: Cluster, nodes: Nodes, quiet: Answers, tmp_path: Path
) -> None:
    folder = tmp_path / "pdfs"
    folder.mkdir()
    files = doses("bulk", 8)
    for number, file in enumerate(files):
        (folder / f"{number}.pdf").write_bytes(file)
    command = [sys.executable, "-m", "runtime", "--home", str(tmp_path / "home"), "ingest", "documents", str(folder)]
    [(before,)] = cluster.execute("SELECT count(*) FROM documents")
    settings = {f"DERMACITE_{name.upper()}": value for name, value in environment_of(cluster.settings).items()}
    with (
        Readers(cluster.workers, quiet, LONG_PAUSE_S) as readers,
        subprocess.Popen(
            [*command, "--engine", "ray", "--address", nodes.address], cwd=ROOT, env={**os.environ, **settings},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process,
    ):  # fmt: skip
        until(lambda: process.poll() is not None or cluster.execute("SELECT count(*) FROM documents") > [(before,)])
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it was done too soon"
        [(job_id,)] = cluster.execute("SELECT id FROM jobs ORDER BY created_at DESC, id DESC LIMIT 1")
        with timed("a killed bulk ingest: its job is done by a worker after"):
            all_in(cluster, job_id, files)
    told(f"bulk: {readers.told()}")


# --- afterwards --------------------------------------------------------------------------------------------------------------


def test_afterwards_all_is_known_that_an_embedded_service_knows_of_the_same_files(
    cluster: Cluster, home: Path, encoders: Encoders, tmp_path: Path
) -> None:
    here = open_service(home, load_settings(home, configuration="embedded", exact_below=0), encoders)
    Curator(here).ingest_documents([Upload(f"{n}.pdf", partial(bytes, file)) for n, file in enumerate(cluster.files)])
    there = cluster.opened(tmp_path / "home", encoders)
    assert [one for one in examine(there) if not one.healthy] == []
    assert sorted(there.registry.passage_texts()) == sorted(here.registry.passage_texts())
    for service in (here, there):
        Curator(service).reindex()
    for asked in ASKED:
        answers = [in_process(one, asked) for one in (here, there)]
        for answer in answers:
            # In whose company a text was encoded shows in its last digits, and so in the order of what was left out.
            del answer["trace"]["explanations"]
        assert same(*answers)
    assert cluster.execute("SELECT DISTINCT state FROM jobs") == [("done",)]
    here.close()
    there.close()


def test_afterwards_a_deletion_is_seen_by_every_worker(cluster: Cluster) -> None:
    document = next(iter(documents_of(cluster.workers[0])))
    with client_of(cluster.workers[1]) as client:
        assert client.delete(f"/v1/documents/{document}").status_code == 200
    for worker in cluster.workers:
        assert document not in documents_of(worker)
        assert document not in found(worker, "how many mg a day")
