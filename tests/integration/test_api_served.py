"""The HTTP interface with served models: answers in steps, failures as problem documents, callers who leave."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from api.problems import PROBLEM_JSON
from inference.admission import ServedModels
from inference.engines.errors import EngineOverloaded, EngineTimedOut, EngineUnreachable, MalformedAnswer
from runtime.service import Service
from tests.fakes import FakeEngine, naming, served

Client = TestClient[Litestar]
Draw = Callable[[str, int], bytes]

HERE = "http://127.0.0.1:8000"
SECRET = "Ms Example from Exampleton"
TEXT = "A red plaque with silvery scale. Psoriasis is likely."
STREAM = {"Accept": "text/event-stream"}


def models(*, fails: dict[str, Exception] | None = None, delay: float = 0.0, text: str = TEXT) -> ServedModels:
    given: Any = fails or {}
    return ServedModels(
        served("hikari-subaru", FakeEngine(naming("Inflammatory"), {"Inflammatory": 0.9})),
        served("hikari-sirius", FakeEngine(naming("psoriasis"), {"psoriasis": 0.9}, fails=given, delay=delay)),
        served("hikari-vega", FakeEngine(text)),
    )


def use(service: Service, asked: ServedModels) -> None:
    """Give the service these models in place of those of its settings."""
    service.__dict__["models"] = asked


@contextmanager
def client_of(service: Service, asked: ServedModels) -> Iterator[Client]:
    use(service, asked)
    with TestClient(create_app(service), base_url=HERE) as client:
        yield client


def diagnose(client: Client, picture: bytes, headers: dict[str, str] | None = None, **request: Any) -> Response:
    files = [("images", (f"{SECRET}.png", picture, "image/png"))]
    return client.post("/v1/diagnoses", files=files, data={"request": json.dumps(request)}, headers=headers or {})


def events_of(response: Response) -> list[tuple[str, Any]]:
    """Name and data of each event, read as a browser reads them."""
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.replace("\r\n", "\n").split("\n\n"):
        fields = [line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")]
        if fields:
            names = [value for name, value in fields if name == "event"]
            found.append((names[0], json.loads("\n".join(value for name, value in fields if name == "data"))))
    return found


def problem_of(response: Response, status: int, reason: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["reason"]) == (status, reason)
    assert response.headers["content-type"] == PROBLEM_JSON
    return problem


# --- in steps


def test_an_answer_comes_in_steps_and_the_last_is_the_answer(own_service: Service, draw: Draw) -> None:
    with client_of(own_service, models()) as client:
        events = events_of(diagnose(client, draw("psoriasis", 7), STREAM, note="scaly plaque"))
        whole = diagnose(client, draw("psoriasis", 7), note="scaly plaque").json()
    names = [name for name, _ in events]
    words = [data["text"] for name, data in events if name == "report"]
    assert names == [
        "evidence", "group", "disease", "evidence", *["report"] * len(words), "citations", "outcome",
    ]  # fmt: skip
    assert "".join(words) == TEXT
    outcome = events[-1][1]
    assert {**outcome, "trace": {**outcome["trace"], "timings_ms": {}}} == {
        **whole, "trace": {**whole["trace"], "timings_ms": {}},
    }  # fmt: skip
    assert outcome["opinions"]["disease"]["stated"] == "psoriasis"
    assert outcome["narrative"]["text"] == TEXT
    shown = [item["key"] for name, data in events if name == "evidence" for item in data["evidence"]]
    assert shown == [item["key"] for item in outcome["ledger"]]


def test_a_failure_on_the_way_is_the_last_event(own_service: Service, draw: Draw) -> None:
    with client_of(own_service, models(fails={"complete": EngineUnreachable("nobody answers")})) as client:
        response = diagnose(client, draw("psoriasis", 7), STREAM, note=SECRET)
    assert response.status_code == 200
    events = events_of(response)
    assert [name for name, _ in events] == ["evidence", "group", "error"]
    problem = events[-1][1]
    assert (problem["status"], problem["reason"]) == (503, "engine_unreachable")
    assert "inference server" in problem["detail"]
    assert problem["instance"].startswith("urn:uuid:")


@pytest.mark.parametrize("options", [{"references": 9}, {"report": "grounded"}, {"prompt": "P9"}, {"layout": "single"}])
def test_a_refused_option_is_a_problem_before_the_stream_begins(
    own_service: Service, draw: Draw, options: dict[str, Any]
) -> None:
    asked = models()
    with client_of(own_service, asked) as client:
        for headers in ({}, STREAM):
            problem = problem_of(
                diagnose(client, draw("psoriasis", 7), headers, options=options), 422, "consultation_refused"
            )
            assert problem["detail"]
    assert not any(model.engine.asked for model in asked.all)  # type: ignore[attr-defined]


def test_an_unknown_option_is_refused_by_its_name(own_service: Service, draw: Draw) -> None:
    with client_of(own_service, models()) as client:
        response = diagnose(client, draw("psoriasis", 7), STREAM, options={"refernces": 1, "group": "maybe"})
    problem = problem_of(response, 400, "invalid_request")
    assert {fault["field"] for fault in problem["errors"]} == {"options.refernces", "options.group"}


# --- options


def test_options_reach_the_models(own_service: Service, draw: Draw) -> None:
    asked = models()
    options = {
        "references": 1, "layout": "training", "prompt": "T1", "group": "soft", "constrain": False, "seed": 5,
        "report": "plain",
    }  # fmt: skip
    with client_of(own_service, asked) as client:
        answer = diagnose(client, draw("psoriasis", 7), options=options).json()
    group, disease, report = answer["trace"]["stages"]
    assert (disease["prompt"], disease["layout"], disease["references"]) == ("T1", "training", ["E1"])
    assert (group["stage"], report["stage"]) == ("group", "report (plain)")
    assert answer["trace"]["configuration"]["options"]["seed"] == 5
    assert asked.disease is not None
    assert asked.disease.engine.completed[0].choice is None  # type: ignore[attr-defined]
    assert answer["trace"]["configuration"]["models"]["hikari-sirius"]["served_as"] == "served-hikari-sirius"


def test_a_failure_can_be_answered_by_the_embedded_way(own_service: Service, draw: Draw) -> None:
    asked = models(fails={"complete": EngineUnreachable("nobody answers")})
    with client_of(own_service, asked) as client:
        answer = diagnose(client, draw("psoriasis", 7), options={"on_engine_failure": "exemplar"}).json()
        declined = diagnose(client, draw("psoriasis", 7), options={"on_engine_failure": "abstain"}).json()
    assert answer["outcome"] == "diagnosis"
    assert any("stage 2 failed (engine_unreachable)" in warning for warning in answer["warnings"])
    assert (declined["outcome"], declined["reason"]) == ("abstention", "engine_unreachable")


# --- failures


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (EngineUnreachable("nobody answers"), 503, "engine_unreachable"),
        (EngineTimedOut("too long"), 504, "engine_timed_out"),
        (MalformedAnswer("no answer"), 502, "malformed_answer"),
    ],
)
def test_a_failure_is_a_problem_document(
    own_service: Service, draw: Draw, error: Exception, status: int, reason: str
) -> None:
    with client_of(own_service, models(fails={"complete": error})) as client:
        response = diagnose(client, draw("psoriasis", 7), note=SECRET)
    problem_of(response, status, reason)
    assert "retry-after" not in response.headers
    assert SECRET not in response.text


def test_a_busy_engine_says_when_to_come_again_whatever_was_asked_for(own_service: Service, draw: Draw) -> None:
    asked = models(fails={"complete": EngineOverloaded("the queue is full", retry_after=2.4)})
    with client_of(own_service, asked) as client:
        response = diagnose(client, draw("psoriasis", 7), options={"on_engine_failure": "exemplar"})
    problem_of(response, 503, "engine_overloaded")
    assert response.headers["retry-after"] == "3"


@pytest.mark.parametrize(
    "fails", [{}, {"complete": EngineUnreachable("nobody answers")}, {"complete": OSError(SECRET)}]
)
@pytest.mark.parametrize("headers", [{}, STREAM])
def test_neither_note_nor_name_nor_what_a_model_wrote_is_logged(
    own_service: Service, draw: Draw, caplog: pytest.LogCaptureFixture, fails: dict[str, Exception],
    headers: dict[str, str],
) -> None:  # fmt: skip
    picture = draw("psoriasis", 7)
    with caplog.at_level(logging.DEBUG), client_of(own_service, models(fails=fails)) as client:
        diagnose(client, picture, headers, note=SECRET, body_site=SECRET)
    logged = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    for secret in (SECRET, "silvery scale", "This image shows", "base64", str(picture[:16])):
        assert secret not in logged


# --- who leaves


def test_a_service_that_ends_gives_up_its_connections_to_models(own_service: Service, draw: Draw) -> None:
    asked = models()
    with client_of(own_service, asked) as client:
        diagnose(client, draw("psoriasis", 7))
        assert not any(model.engine.closed for model in asked.all)  # type: ignore[attr-defined]
    assert all(model.engine.closed for model in asked.all)  # type: ignore[attr-defined]


def asgi_request(picture: bytes, accept: str) -> tuple[dict[str, Any], bytes]:
    """An upload as a server hands it to the application."""
    upload = httpx.Request(
        "POST", f"{HERE}/v1/diagnoses", files=[("images", ("a.png", picture, "image/png"))], headers={"Accept": accept}
    )
    body = upload.read()
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": "/v1/diagnoses", "raw_path": b"/v1/diagnoses", "root_path": "", "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in upload.headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    return scope, body


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_closed_connection_cancels_the_request_at_the_engine(own_service: Service, draw: Draw, accept: str) -> None:
    asked = models(delay=60)
    use(own_service, asked)
    assert asked.disease is not None
    engine = asked.disease.engine
    assert isinstance(engine, FakeEngine)
    scope, body = asgi_request(draw("psoriasis", 7), accept)
    app = create_app(own_service)

    async def leave() -> None:
        left, sent = anyio.Event(), [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if sent:
                return sent.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            await anyio.sleep(0)

        async with app.lifespan(), anyio.create_task_group() as group:
            group.start_soon(partial(app, scope, receive, send))  # type: ignore[arg-type]
            with anyio.fail_after(60):
                while engine.at_work == 0:
                    await anyio.sleep(0.01)
                left.set()
                while engine.at_work:
                    await anyio.sleep(0.01)

    anyio.run(leave)
    assert engine.at_work == 0
    assert len(engine.completed) == 1
