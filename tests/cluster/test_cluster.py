"""A service of several processes on real parts: three API servers, PostgreSQL, an S3-compatible server and a Chroma server.

What they answer is held to one embedded server on the same evidence. Recovery times are printed (`pytest -s`), never asserted.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from retrieval.search import Encoders
from runtime.curation import Curator
from runtime.jobs import Upload
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.chroma_server import ChromaServer
from tests.object_storage import S3Server
from tests.postgres_server import PostgresServer
from tests.sample import SOURCE, Draw, guideline, write_cases
from tests.served_process import PATIENCE_S, Server, serving

pytestmark = pytest.mark.timeout(1_800)

ASKED = (("psoriasis", 9), ("nevus", 6), ("acne", 7))
NOTE = "itchy plaque with silvery scale for some weeks"
EXACT = "searches are exact, and slower"
STATED = frozenset({502, 503, 504})


@dataclass
class Cluster:
    """`settings` are what every process of it is started with."""

    workers: list[Server]
    settings: dict[str, str]
    postgres: PostgresServer
    chroma: ChromaServer
    folder: Path
    stack: ExitStack

    def start(self, name: str) -> Server:
        """One more worker, with a home of its own."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        return self.stack.enter_context(serving(home, **self.settings))


@pytest.fixture(scope="module")
def cluster(s3_server: S3Server, encoders: Encoders, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    postgres, chroma = PostgresServer(), ChromaServer(folder / "chroma")
    settings = {
        "registry_url": postgres.fresh(), "registry_connections": "8", "chroma_url": chroma.url, "exact_below": "0",
        "storage_url": s3_server.bucket(f"b{uuid.uuid4().hex}"), "storage_endpoint": s3_server.endpoint,
    }  # fmt: skip
    with ExitStack() as stack:
        stack.callback(postgres.remove)
        stack.callback(chroma.stop)
        made = Cluster([], settings, postgres, chroma, folder, stack)
        fill(made, encoders)
        made.workers = [made.start(f"worker {number}") for number in range(3)]
        for worker in made.workers:
            worker.wait_until_ready()
        yield made


def fill(cluster: Cluster, encoders: Encoders) -> None:
    """Take the sample in as `sample_service` does, from a machine that serves nobody."""
    home = cluster.folder / "curator"
    service = open_service(home, load_settings(home, configuration="embedded", **cluster.settings), encoders)
    curator = Curator(service)
    curator.ingest_cases(write_cases(cluster.folder / "cases"), "sample")
    curator.ingest_documents([Upload("sample.pdf", guideline, SOURCE)])
    service.close()


@pytest.fixture(scope="module")
def expected(
    sample_service: Service, draw: Draw, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], str]:
    """What one embedded server answers."""
    home = tmp_path_factory.mktemp("embedded") / "home"
    shutil.copytree(sample_service.home.root, home, symlinks=True)
    with serving(home, exact_below="0") as server:
        server.wait_until_ready()
        return {asked: answered(diagnosed(server, draw(*asked))) for asked in ASKED}


def diagnosed(server: Server, picture: bytes) -> httpx.Response:
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        request = json.dumps({"note": NOTE})
        return client.post("/v1/diagnoses", files={"images": ("p.png", picture)}, data={"request": request})


def answered(response: httpx.Response) -> str:
    """An answer without what may differ between two services that know the same: clocks, how often the corpus was changed,
    the name that a build gave itself, and that an index was just replaced, so that Chroma was not asked."""
    assert response.status_code == 200, response.text
    answer = response.json()
    del answer["trace"]["timings_ms"], answer["trace"]["configuration"]["index"]
    answer["warnings"] = [one for one in answer["warnings"] if EXACT not in one]
    return json.dumps(answer, sort_keys=True)


def found(server: Server, text: str) -> set[str]:
    """Ids of documents whose passages a search finds."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        response = client.post("/v1/search", json={"text": text, "k": 20})
    assert response.status_code == 200, response.text
    return {one["document_id"] for one in response.json()["passages"]}


def sent(server: Server, *files: bytes) -> dict[str, Any]:
    """A job that the server acknowledged before it began."""
    parts = [("files", (f"{number}.pdf", file)) for number, file in enumerate(files)]
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        response = client.post("/v1/documents?background=true", files=parts)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    return job


def ended(server: Server, job_id: str) -> dict[str, Any]:
    """The job, once it is at its end, as another server tells it."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
            if job["state"] in {"done", "failed", "cancelled"}:
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.1)


def told(line: str) -> None:
    """For who reads along; nothing hangs on it."""
    print(f"\n{line}")  # noqa: T201 (a figure of this machine, shown by pytest -s)


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    told(f"{what}: {time.monotonic() - started:.1f} s")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


# --- the same answers --------------------------------------------------------------------------------------------------


def test_every_worker_answers_what_one_embedded_server_answers(
    cluster: Cluster, expected: dict[tuple[str, int], str], draw: Draw
) -> None:
    for asked, answer in expected.items():
        for worker in cluster.workers:
            assert answered(diagnosed(worker, draw(*asked))) == answer
    assert '"psoriasis"' in expected[ASKED[0]]


# --- what one takes in, all find -----------------------------------------------------------------------------------------


def test_what_one_worker_takes_in_and_another_deletes_is_found_and_gone_at_a_third(cluster: Cluster) -> None:
    first, second, _ = cluster.workers
    text = "Treat scabies with permethrin 5 % cream, again after 7 days."
    job = ended(second, sent(first, guideline((("Scabies", text),)))["id"])
    [outcome] = job["items"]
    assert outcome["outcome"]["state"] == "added"
    document = outcome["outcome"]["id"]
    assert all(document in found(worker, "permethrin for scabies") for worker in cluster.workers)
    with httpx.Client(base_url=second.url, timeout=PATIENCE_S) as client:
        receipt = client.delete(f"/v1/documents/{document}").json()
    assert receipt["copies_gone_within_s"] is not None
    assert not any(document in found(worker, "permethrin for scabies") for worker in cluster.workers)
    assert cluster.postgres.execute("SELECT count(*) FROM jobs WHERE state NOT IN ('done')", database(cluster)) == [
        (0,)
    ]


# --- what dies -----------------------------------------------------------------------------------------------------------


def test_a_worker_killed_in_the_middle_of_a_job_costs_nothing(
    cluster: Cluster, expected: dict[tuple[str, int], str], draw: Draw
) -> None:
    victim = cluster.workers.pop()
    files = [
        guideline(tuple((f"Dose {n}.{page}", f"Give {n + page} mg a day. " * 8) for page in range(3))) for n in range(6)
    ]
    job = sent(victim, *files)
    victim.process.kill()
    with timed("a killed worker: its job is done by another after"):
        finished = ended(cluster.workers[0], job["id"])
    assert [one["outcome"]["state"] for one in finished["items"]] == ["added"] * len(files)
    documents = {one["outcome"]["id"] for one in finished["items"]}
    assert len(documents) == len(files)
    for document in documents:
        with httpx.Client(base_url=cluster.workers[1].url, timeout=PATIENCE_S) as client:
            assert client.delete(f"/v1/documents/{document}").status_code == 200
    for worker in cluster.workers:
        assert answered(diagnosed(worker, draw(*ASKED[0]))) == expected[ASKED[0]]
    cluster.workers.append(cluster.start("worker 2"))  # the same home as before
    cluster.workers[-1].wait_until_ready()
    assert answered(diagnosed(cluster.workers[-1], draw(*ASKED[0]))) == expected[ASKED[0]]


def test_a_database_that_restarts_costs_stated_errors_and_no_wrong_answer(
    cluster: Cluster, expected: dict[tuple[str, int], str], draw: Draw
) -> None:
    cluster.postgres.stop()
    for worker in cluster.workers:
        refused = diagnosed(worker, draw(*ASKED[1]))
        assert refused.status_code in STATED
        assert refused.json()["reason"] == "storage_failed"
    with timed("PostgreSQL back: every worker answers after"):
        cluster.postgres.start()
        for worker in cluster.workers:
            until(lambda worker=worker: diagnosed(worker, draw(*ASKED[1])).status_code == 200)  # type: ignore[misc]
            assert answered(diagnosed(worker, draw(*ASKED[1]))) == expected[ASKED[1]]


def test_without_the_chroma_server_answers_are_exact_and_say_so(
    cluster: Cluster, expected: dict[tuple[str, int], str], draw: Draw
) -> None:
    evidence = [one["id"] for one in json.loads(expected[ASKED[2]])["ledger"]]
    cluster.chroma.stop()
    for worker in cluster.workers:
        answer = diagnosed(worker, draw(*ASKED[2])).json()
        assert [one["id"] for one in answer["ledger"]] == evidence
        assert any(EXACT in warning for warning in answer["warnings"])
    with timed("the Chroma server back: every worker asks it again after"):
        cluster.chroma.start()
        for worker in cluster.workers:
            until(lambda worker=worker: EXACT not in diagnosed(worker, draw(*ASKED[2])).text)  # type: ignore[misc]
            assert answered(diagnosed(worker, draw(*ASKED[2]))) == expected[ASKED[2]]


def database(cluster: Cluster) -> str:
    return cluster.settings["registry_url"].rpartition("/")[2]
