"""Around every request: its id, its line, its numbers, and what it hears when the server ends."""

import asyncio
import json
import logging
import threading
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, get, post
from litestar.params import FromPath
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.draining import Draining
from api.metrics import Metrics
from api.problems import HANDLERS
from api.tracing import Tracing
from api.watching import HEADER, Watchers, watch
from runtime.service import Service, open_service
from runtime.settings import load_settings

SECRET = "Ms-Example"
Client = TestClient[Litestar]


@get("/things/{name:str}")
async def thing(name: FromPath[str]) -> str:
    if name == "broken":
        raise ZeroDivisionError(SECRET)
    return "here"


@get("/health/ready")
async def ready() -> str:
    return "yes"


class Slow:
    """Requests that wait, and say when they do."""

    begun = threading.Semaphore(0)

    @classmethod
    async def for_ever(cls) -> AsyncGenerator[ServerSentEventMessage, None]:
        yield ServerSentEventMessage(event="first", data="1")
        cls.begun.release()
        await asyncio.sleep(3_600)


@get("/events")
async def follow() -> ServerSentEvent:
    return ServerSentEvent(Slow.for_ever())


@post("/events", status_code=200)
async def tell() -> ServerSentEvent:
    return ServerSentEvent(Slow.for_ever())


@post("/slow")
async def slow() -> str:
    Slow.begun.release()
    await asyncio.sleep(3_600)
    return "never"


class Watched:
    """An application with its watchers."""

    def __init__(self, service: Service, seconds: float = 5) -> None:
        self.draining = Draining(seconds)
        self.metrics = Metrics(service)
        self.app = Litestar([thing, ready, follow, tell, slow], exception_handlers=HANDLERS, logging_config=None)
        watch(self.app, Watchers(self.draining, self.metrics, Tracing(None)))

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """Values of a metric by their labels."""
        families = text_string_to_metric_families(self.metrics.told().decode())
        samples = (sample for family in families for sample in family.samples)
        return {tuple(one.labels.values()): one.value for one in samples if one.name == name}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    service = open_service(tmp_path, load_settings(tmp_path))
    yield Watched(service)
    service.close()


@pytest.fixture
def client(watched: Watched) -> Iterator[Client]:
    with TestClient(watched.app, raise_server_exceptions=False) as client:
        yield client


def fields_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [one.fields for one in caplog.records if one.name == "dermacite.requests"]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _from_info_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="dermacite.requests")


# --- lines ---------------------------------------------------------------------------------------------------------------


def test_a_probe_that_went_well_leaves_no_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert client.get("/health/ready").status_code == 200
    assert fields_of(caplog) == []
    caplog.set_level(logging.DEBUG, logger="dermacite.requests")
    client.get("/health/ready")
    assert [one["route"] for one in fields_of(caplog)] == ["/health/ready"]


def test_every_request_is_one_line_with_its_template(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get(f"/things/{SECRET}?note={SECRET}")
    client.get("/things/broken")
    client.get(f"/{SECRET}")
    client.put(f"/things/{SECRET}")
    shown = [(one["method"], one["route"], one["status"]) for one in fields_of(caplog)]
    assert shown == [
        ("GET", "/things/{name}", 200), ("GET", "/things/{name}", 500), ("GET", "(none)", 404), ("PUT", "(none)", 405),
    ]  # fmt: skip
    assert all(one["event"] == "request" and one["duration_ms"] >= 0 for one in fields_of(caplog))
    assert SECRET not in " ".join(one.getMessage() + str(one.__dict__) for one in caplog.records if one.name != "httpx")


def test_every_answer_names_its_request(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answers = [client.get("/things/a"), client.get("/things/a"), client.get("/nothing")]
    ids = [answer.headers[HEADER] for answer in answers]
    assert len({uuid.UUID(one) for one in ids}) == 3
    assert [one["request_id"] for one in fields_of(caplog)] == ids


@pytest.mark.parametrize("given", [SECRET, "x" * 4_000, "{12345678-1234-4234-8234-123456789012}", "1" * 32, ""])
def test_an_id_that_is_no_plain_uuid_is_not_taken_over(
    client: Client, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    answered = client.get("/things/a", headers={HEADER: given}).headers[HEADER]
    assert str(uuid.UUID(answered)) == answered
    assert [one["request_id"] for one in fields_of(caplog)] == [answered]
    assert answered not in given


def test_a_callers_uuid_is_kept_so_that_both_logs_agree(client: Client) -> None:
    given = str(uuid.uuid4())
    assert client.get("/things/a", headers={HEADER: given}).headers[HEADER] == given


# --- numbers -------------------------------------------------------------------------------------------------------------


def test_no_caller_invents_a_label(client: Client, watched: Watched) -> None:
    for number in range(50):
        client.get(f"/things/{SECRET}{number}")
        client.get(f"/{SECRET}{number}/x")
        client.request(f"{SECRET}{number}".upper(), "/things/a")
    labels = {key[:2]: value for key, value in watched.samples("dermacite_requests_total").items()}
    assert labels == {("GET", "/things/{name}"): 50, ("GET", "(none)"): 50, ("OTHER", "(none)"): 50}
    assert SECRET.lower() not in watched.metrics.told().decode().lower()
    counted = watched.samples("dermacite_request_seconds_count")
    assert sum(counted.values()) == 150
    assert watched.samples("dermacite_requests_running") == {(): 0}


# --- the end -------------------------------------------------------------------------------------------------------------


def test_new_requests_hear_that_the_server_ends(client: Client, watched: Watched) -> None:
    watched.draining.begin()
    answer = client.post("/slow")
    assert (answer.status_code, answer.json()["reason"]) == (503, "server_ending")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) == answer.json()["retry_after"] > 0
    assert answer.headers["connection"] == "close"
    assert client.get("/health/ready").text == "yes"
    assert watched.draining.running == 0


def ended_meanwhile(watched: Watched, call: Callable[[Client], Any], *moments: float) -> Any:
    """What a request gets that runs while its server ends."""
    with ThreadPoolExecutor(1) as threads, TestClient(watched.app) as client:
        answer = threads.submit(call, client)
        assert Slow.begun.acquire(timeout=30)
        watched.draining.begin()
        for moment in moments:
            client.blocking_portal.call(watched.draining.tick, moment)
        return answer.result(30)


def test_what_is_not_done_in_time_hears_so(watched: Watched) -> None:
    answer = ended_meanwhile(watched, lambda client: client.post("/slow"), 0, 5)
    assert (answer.status_code, answer.json()["reason"]) == (503, "server_ending")


@pytest.mark.parametrize(("method", "moments"), [("GET", [0]), ("POST", [0, 5])])
def test_a_stream_ends_with_an_event(watched: Watched, method: str, moments: list[float]) -> None:
    answer = ended_meanwhile(watched, lambda client: client.request(method, "/events"), *moments)
    blocks = [block for block in answer.text.replace("\r\n", "\n").split("\n\n") if block]
    assert blocks[0] == "event: first\ndata: 1"
    name, data = blocks[-1].split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["reason"] == "server_ending"
