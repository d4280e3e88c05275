"""A service of several processes on real parts, what it is asked, and who asks it while something of it dies.

Three API servers over PostgreSQL, an S3-compatible server, a Chroma server and two vLLM servers. How long something takes to
come back is printed (`pytest -s`) and never asserted.
"""

import itertools
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from knowledge.registry.locks import key_of
from retrieval.search import Encoders
from retrieval.sketches import SKETCHER
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.chroma_server import ChromaServer
from tests.postgres_server import PostgresServer
from tests.sample import drawn, guideline
from tests.served_process import PATIENCE_S, Server, serving
from tests.vllm.asking import alike, served
from tests.vllm.server import VllmServer

ASKED = (("psoriasis", 9), ("nevus", 6), ("acne", 7))
NOTE = "itchy plaque with silvery scale for some weeks"
EXACT = "searches are exact, and slower"
CLOSE = 2e-6  # texts of several documents encoded together differ from those encoded alone in the seventh digit
ENDING_S = 10
WAITING_S = 900  # a busy machine is no failure; a test that hangs is ended by its own limit
PAUSE_S = 2.0  # of a worker's reader, between two questions
LONG_PAUSE_S = 8.0  # beside a bulk ingest, which wants the processors for minutes
MERGE_ABOVE = 4  # passages: what a test takes in makes a new generation
# What is asked again and again: whatever guidelines come in, there is one right answer; and a model's report costs most.
QUIET: Mapping[str, Any] = {"passages": False, "report": "extractive"}
# What may be said instead of an answer while a part is away.
STATED = {502, 503, 504}
REASONS = {"storage_failed", "engine_unreachable", "engine_overloaded", "engine_timed_out", "too_busy"}

Asked = tuple[str, int]
Answers = Mapping[Asked, dict[str, Any]]


@dataclass
class Cluster:
    """`settings` are what every process of it is started with."""

    settings: dict[str, Any]
    postgres: PostgresServer
    chroma: ChromaServer
    replicas: Sequence[VllmServer]
    folder: Path
    stack: ExitStack
    workers: list[Server] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)  # guidelines that it was given beside the sample

    def start(self, number: int) -> Server:
        """A worker with a home of its own, the same when it is started again."""
        home = self.folder / f"worker {number}"
        home.mkdir(exist_ok=True)
        server = self.stack.enter_context(serving(home, **environment_of(self.settings)))
        server.wait_until_ready()
        return server

    def kill(self, worker: Server) -> int:
        """kill -9; its number."""
        number = self.workers.index(worker)
        worker.process.kill()
        return number

    def replace(self, number: int) -> None:
        """Start a killed worker again."""
        self.workers[number] = self.start(number)

    def opened(self, home: Path, encoders: Encoders) -> Service:
        """A service in this process, as a curator's machine has one: without served models."""
        settings = {name: value for name, value in self.settings.items() if name not in models(self.replicas)}
        return open_service(home, load_settings(home, configuration="embedded", **settings), encoders)

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask its database."""
        return self.postgres.execute(statement, self.settings["registry_url"].rpartition("/")[2], values)

    def writer(self) -> Server:
        """The worker that holds the writer's lock, as soon as one does."""
        key = key_of("writer") & 0xFFFF_FFFF_FFFF_FFFF
        ports: list[int] = []

        def held() -> bool:
            rows = self.execute(
                "SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)"
                " WHERE locktype = 'advisory' AND granted AND classid::bigint = %s AND objid::bigint = %s",
                key >> 32,
                key & 0xFFFF_FFFF,
            )
            ports[:] = [row[0] for row in rows]
            return bool(ports)

        until(held)
        return next(one for one in self.workers if connected_from(one.process.pid, ports[0]))


def environment_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings as environment variables carry them."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}


def models(servers: Sequence[VllmServer]) -> dict[str, Any]:
    """Settings that let these vLLM servers play every role."""
    found = served([one.url for one in servers]) if len(servers) > 1 else served(servers[0].url)
    return {name: value for name, value in found.items() if name != "configuration"}


def connected_from(pid: int, port: int) -> bool:
    """Whether the process has a TCP connection from this port of its own."""
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    sockets = {f"socket:[{line.split()[9]}]" for line in lines if line.split()[1].endswith(f":{port:04X}")}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if str(descriptor.readlink()) in sockets:
                return True
    return False


# --- asking --------------------------------------------------------------------------------------------------------------


def client_of(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=PATIENCE_S)


def diagnosed(client: httpx.Client, asked: Asked, **options: Any) -> httpx.Response:
    request = json.dumps({"note": NOTE, "options": options})
    return client.post("/v1/diagnoses", files={"images": ("p.png", drawn(*asked))}, data={"request": request})


def answered(response: httpx.Response) -> dict[str, Any]:
    """An answer without what may differ between two services that know the same: clocks, how often the corpus was changed,
    the name that a build gave itself, and that an index was just replaced, so that Chroma was not asked."""
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    del answer["trace"]["timings_ms"], answer["trace"]["configuration"]["index"]
    answer["warnings"] = [one for one in answer["warnings"] if EXACT not in one]
    return answer


def is_stated(response: httpx.Response) -> bool:
    """An error that a caller is told to expect while a part is away."""
    return response.status_code in STATED and response.json()["reason"] in REASONS


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Evidence to the byte, the rest but for the last digits of what a model computed."""
    ledgers = [json.dumps(answer["ledger"], sort_keys=True, default=str) for answer in (one, other)]
    return ledgers[0] == ledgers[1] and alike(one, other)


def found(server: Server, text: str) -> set[str]:
    """Ids of documents whose passages a search finds."""
    with client_of(server) as client:
        response = client.post("/v1/search", json={"text": text, "k": 20})
    assert response.status_code == 200, response.text
    return {one["document_id"] for one in response.json()["passages"]}


# --- taking in -----------------------------------------------------------------------------------------------------------


def doses(name: str, count: int) -> list[bytes]:
    """Guidelines of three pages, no two alike."""
    return [
        guideline(
            tuple((f"{name} {n}, part {page}", f"For {name} {n} give {n + page} mg a day. " * 8) for page in range(3))
        )
        for n in range(count)
    ]


def sent(server: Server, files: Sequence[bytes]) -> str:
    """The id of a job that the server acknowledged before it began."""
    parts = [("files", (f"{number}.pdf", file)) for number, file in enumerate(files)]
    with client_of(server) as client:
        response = client.post("/v1/documents?background=true", files=parts)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def ended(server: Server, job_id: str) -> dict[str, Any]:
    """The job, once it is at its end, as this server tells it."""
    with client_of(server) as client:
        told: list[dict[str, Any]] = []

        def over() -> bool:
            response = client.get(f"/v1/jobs/{job_id}")
            if response.status_code != 200:
                assert is_stated(response), response.text
                return False
            told[:] = [response.json()]
            return told[0]["state"] in {"done", "failed", "cancelled"}

        until(over)
        return told[0]


def all_in(cluster: Cluster, job_id: str, files: Sequence[bytes]) -> None:
    """The job took every file in, and each worker knows each of them."""
    cluster.files += files
    job = ended(cluster.workers[0], job_id)
    assert [one["outcome"]["state"] for one in job["items"]] == ["added"] * len(files), job
    documents = {one["outcome"]["id"] for one in job["items"]}
    assert len(documents) == len(files)
    for worker in cluster.workers:
        assert documents <= documents_of(worker)


def documents_of(server: Server) -> set[str]:
    """Ids of the documents that the server lists."""
    with client_of(server) as client:
        response = client.get("/v1/documents")
    assert response.status_code == 200, response.text
    return {one["id"] for one in response.json()["documents"]}


def assert_same_vectors(one: Service, other: Service) -> None:
    """The other knows each input of the first under the same encoders, with the same vectors."""
    for fingerprint in {*one.fingerprints.values(), SKETCHER}:
        mine, theirs = (store.embeddings.get_bytes(fingerprint, one.embeddings.keys()) for store in (one, other))
        assert mine.keys() == theirs.keys()
        kind = np.uint8 if fingerprint == SKETCHER else np.float32
        for key, row in mine.items():
            np.testing.assert_allclose(np.frombuffer(row, kind), np.frombuffer(theirs[key], kind), rtol=0, atol=CLOSE)


# --- asking while something dies ------------------------------------------------------------------------------------------


class Heard:
    """What one worker said: when a question that it then answered rightly was asked and answered, and what else came."""

    def __init__(self) -> None:
        self.right: list[tuple[float, float]] = []
        self.stated: Counter[str] = Counter()
        self.wrong: list[str] = []


class Readers:
    """Consultations at every worker, one after another, until the block ends; no answer may be wrong, no error unstated.

    They are QUIET; `expected` are the right answers.
    """

    def __init__(self, workers: Sequence[Server], expected: Answers, pause_s: float = PAUSE_S) -> None:
        self._expected = expected
        self._pause_s = pause_s
        self._over = threading.Event()
        self._heard = {id(worker): Heard() for worker in workers}
        self._workers = list(workers)
        self._threads = [threading.Thread(target=self._ask, args=(worker,)) for worker in workers]

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def recovered(self, since: float) -> float:
        """Wait until each living worker answered a question that was asked after `since`; seconds until the last did."""
        latest: list[float] = []

        def all_answered() -> bool:
            alive = [self._heard[id(one)] for one in self._workers if one.process.poll() is None]
            firsts = [[end for start, end in heard.right if start >= since][:1] for heard in alive]
            latest[:] = [first[0] for first in firsts if first]
            return len(latest) == len(alive)

        until(all_answered)
        return max(latest) - since

    def told(self) -> str:
        """How many answers were right, and which errors came; fails where one was wrong."""
        heard = self._heard.values()
        wrong = [one for each in heard for one in each.wrong]
        assert not wrong, wrong
        stated = sum((each.stated for each in heard), Counter())
        return f"{sum(len(each.right) for each in heard)} right answers, errors {dict(stated) or 'none'}"

    def _ask(self, worker: Server) -> None:
        heard = self._heard[id(worker)]
        with client_of(worker) as client:
            for asked in itertools.cycle(ASKED):
                if self._over.wait(self._pause_s):  # leaves the processors to what is being taken in
                    return
                started = time.monotonic()
                try:
                    response = diagnosed(client, asked, **QUIET)
                except httpx.TransportError as error:
                    if lives(worker):
                        heard.wrong.append(f"a worker that lives broke off: {type(error).__name__}")
                    return
                self._judge(heard, asked, response, started)

    def _judge(self, heard: Heard, asked: Asked, response: httpx.Response, started: float) -> None:
        if response.status_code == 200:
            if same(answered(response), dict(self._expected[asked])):
                heard.right.append((started, time.monotonic()))
            else:
                heard.wrong.append(response.text)
        elif is_stated(response):
            heard.stated[response.json()["reason"]] += 1
        else:
            heard.wrong.append(response.text)


def lives(worker: Server) -> bool:
    """Whether it goes on. Of one that is killed the connections end a moment before the process does."""
    try:
        worker.process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        return True
    return False


# --- time ------------------------------------------------------------------------------------------------------------------


def told(line: str) -> None:
    """For who reads along; nothing hangs on it."""
    print(f"\n{line}")  # noqa: T201 (a figure of this machine, shown by pytest -s)


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    told(f"{what}: {time.monotonic() - started:.1f} s")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAITING_S
    while not true():
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.05)
