"""What an operator sees of a real service: numbers, spans, lines, and how it ends."""

import json
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from inference.engines.errors import EngineUnreachable
from knowledge.registry.jobs import JobState
from runtime import extras
from runtime.errors import SettingsRefused
from runtime.service import Service, open_service
from tests.integration.test_api import HERE, SECRET, diagnose, upload, wait_until_ready
from tests.integration.test_api_served import models, use
from tests.misbehaving_server import says
from tests.model_server import answering
from tests.otlp_receiver import receiving
from tests.served_process import Server, serving

Draw = Callable[[str, int], bytes]
Samples = dict[tuple[str, ...], float]


def samples(client: TestClient[Litestar], name: str) -> Samples:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert SECRET not in response.text
    families = text_string_to_metric_families(response.text)
    found = (sample for family in families for sample in family.samples)
    return {tuple(one.labels.values()): one.value for one in found if one.name == name}


# --- numbers -------------------------------------------------------------------------------------------------------------


def test_consultations_are_counted_by_their_outcome(own_service: Service, draw: Draw) -> None:
    failing = models(fails={"complete": EngineUnreachable("gone"), "score": EngineUnreachable("gone")})
    use(own_service, failing)
    with TestClient(create_app(own_service), base_url=HERE) as client:
        picture = draw("psoriasis", 7)
        assert (
            diagnose(client, picture, note=SECRET, options={"on_engine_failure": "exemplar"}).json()["outcome"]
            == "diagnosis"
        )
        assert (
            diagnose(client, picture, note=SECRET, options={"on_engine_failure": "abstain"}).json()["outcome"]
            == "abstention"
        )
        assert diagnose(client, picture, note=SECRET).status_code == 503
        assert (
            diagnose(client, picture, note=SECRET, options={"references": 99}).status_code == 400
        )  # never became a consultation
        assert samples(client, "dermacite_consultations_total") == {
            ("diagnosis", ""): 1, ("abstention", "engine_unreachable"): 1, ("failed", "engine_unreachable"): 1,
        }  # fmt: skip
        assert samples(client, "dermacite_model_failures_total") == {("hikari-sirius", "engine_unreachable"): 3}
        steps = samples(client, "dermacite_step_seconds_count")
        assert steps[("disease",)] == steps[("group",)] == 3
        requests = samples(client, "dermacite_requests_total")
        assert requests["POST", "/v1/diagnoses", "200"] == 2


def test_studies_of_an_answer_are_no_consultations(own_service: Service, draw: Draw) -> None:
    with TestClient(create_app(own_service), base_url=HERE) as client:
        files = [("images", ("a.png", draw("nevus", 7), "image/png"))]
        words = {"request": json.dumps({"counterfactual": {"items": 1, "shuffles": 0}})}
        assert client.post("/v1/diagnoses/counterfactual", files=files, data=words).status_code == 200
        assert sum(samples(client, "dermacite_consultations_total").values()) == 1


def test_the_state_of_the_evidence_is_told(own_service: Service, make_guideline: Callable[[str, str], bytes]) -> None:
    with TestClient(create_app(own_service), base_url=HERE) as client:
        wait_until_ready(client)
        before = samples(client, "dermacite_corpus_generation")[()]
        behind = own_service.registry.changes_since(own_service.index.corpus_generation() or 0)
        assert samples(client, "dermacite_index_behind") == {(): behind}
        assert upload(client, make_guideline("Eczema", "Offer an emollient twice daily.")).status_code == 201
        assert samples(client, "dermacite_corpus_generation")[()] == before + 1
        assert samples(client, "dermacite_index_behind")[()] > behind
        assert samples(client, "dermacite_jobs")[(str(JobState.DONE),)] == len(
            own_service.registry.jobs.ids([JobState.DONE])
        )
        assert samples(client, "dermacite_ready") == {(): 1}
        assert samples(client, "dermacite_disk_free_bytes")[()] > 0
        work = samples(client, "dermacite_work")
        assert {kind for kind, _ in work} == {"answers", "writes", "reads", "drawings", "consultations", "turns"}
        assert work["reads", "running"] == 1  # this very question
    own_service.close()


# --- spans ---------------------------------------------------------------------------------------------------------------


def traced(service: Service, url: str) -> Service:
    settings = service.settings.model_copy(update={"otlp_endpoint": url})
    return open_service(service.home.root, settings, service.encoders)


def test_spans_tell_the_way_of_a_consultation_and_nothing_of_it(own_service: Service, draw: Draw) -> None:
    with receiving() as receiver:
        service = traced(own_service, receiver.url)
        use(service, models(fails={"complete": EngineUnreachable(SECRET), "score": EngineUnreachable(SECRET)}))
        with TestClient(create_app(service), base_url=HERE) as client:
            words = {"request": json.dumps({"note": SECRET, "options": {"on_engine_failure": "exemplar"}})}
            files = [("images", (f"{SECRET}.png", draw("psoriasis", 7), "image/png"))]
            assert client.post(f"/v1/diagnoses?q={SECRET}", files=files, data=words).status_code == 200
            client.get(f"/v1/documents/{SECRET}")
        spans = {span.name: span for span in receiver.spans}
    asked = spans["POST /v1/diagnoses"]
    steps = {name for name, span in spans.items() if span.parent_span_id == asked.span_id}
    assert {"step group", "step disease", "step passages", "step report", "step verify", "step narrative"} <= steps
    assert all(spans[name].trace_id == asked.trace_id for name in steps)
    assert all(asked.start_time_unix_nano <= spans[name].start_time_unix_nano + 1_000_000 for name in steps)
    told = {one.key: one.value.string_value or one.value.int_value for one in asked.attributes}
    assert told == {"http.request.method": "POST", "http.route": "/v1/diagnoses", "http.response.status_code": 200}
    failed = {one.key: one.value.string_value for one in spans["step disease"].attributes}
    assert failed == {"error.type": "EngineUnreachable"}
    assert "GET /v1/documents/{document_id}" in spans
    assert set(receiver.paths) == {"/v1/traces"}
    everything = b"".join(receiver.bodies)
    for word in (SECRET, "Example", "psoriasis", ".png"):
        assert word.encode() not in everything


def test_traces_without_their_packages_name_the_command(own_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = extras.Extra("traces", ("a_module_that_is_not_there",))
    monkeypatch.setitem(extras.EXTRAS, "tracing", absent)
    service = traced(own_service, "http://127.0.0.1:4318")
    with pytest.raises(SettingsRefused, match=r'--editable "\.\[tracing\]"'):
        create_app(service)


def test_a_dead_receiver_disturbs_no_answer(own_service: Service, draw: Draw) -> None:
    service = traced(own_service, "http://127.0.0.1:9")
    with TestClient(create_app(service), base_url=HERE) as client:
        assert diagnose(client, draw("nevus", 7)).status_code == 200


# --- lines ---------------------------------------------------------------------------------------------------------------


def test_a_server_writes_one_object_a_line(own_service: Service, draw: Draw) -> None:
    with serving(own_service.home.root, log_format="json") as server:
        server.wait_until_ready()
        files = {"images": (f"{SECRET}.png", draw("nevus", 9))}
        answer = httpx.post(
            f"{server.url}/v1/diagnoses?q={SECRET}",
            files=files,
            data={"request": json.dumps({"note": SECRET})},
            timeout=60,
        )
        assert answer.status_code == 200
        assert httpx.get(f"{server.url}/{SECRET}").status_code == 404
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    requests = [line for line in server.objects() if line["event"] == "request"]
    [mine] = [line for line in requests if line["request_id"] == answer.headers["x-request-id"]]
    assert {**mine, "time": 0, "duration_ms": 0} == {
        "time": 0, "level": "info", "logger": "dermacite.requests", "event": "request", "route": "/v1/diagnoses",
        "method": "POST", "status": 200, "duration_ms": 0, "request_id": answer.headers["x-request-id"],
    }  # fmt: skip
    assert [line["status"] for line in requests if line["route"] == "(none)"] == [404]
    assert SECRET not in "".join(server.lines)


# --- the end -------------------------------------------------------------------------------------------------------------


@dataclass
class SlowModel:
    """A model server that answers probes, and holds everything else until it is let go; then it refuses it."""

    url: str = ""
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    let_go: threading.Event = field(default_factory=threading.Event)

    def answer(self, body: bytes) -> tuple[int, bytes]:
        if b"Say yes." in body:
            return 200, says("yes").body
        self.asked.release()
        self.let_go.wait(60)
        return 400, b'{"error": {"message": "no"}}'


@pytest.fixture
def slow_model() -> Iterator[SlowModel]:
    model = SlowModel()
    with answering(model.answer) as model.url:
        yield model
        model.let_go.set()


@contextmanager
def consulting(home: Path, model: SlowModel, drain_seconds: float) -> Iterator[Server]:
    asked = {"hikari-sirius": {"url": model.url}}
    with serving(
        home, classifier="hikari-sirius", models=json.dumps(asked), drain_seconds=str(drain_seconds)
    ) as server:
        server.wait_until_ready()
        yield server


def ask(server: Server, picture: bytes, **headers: str) -> httpx.Response:
    words = {"request": json.dumps({"options": {"on_engine_failure": "exemplar"}})}
    return httpx.post(f"{server.url}/v1/diagnoses", files={"images": picture}, data=words, headers=headers, timeout=60)


def refused_by(server: Server) -> httpx.Response:
    """What a new request gets, once the server has noticed that it ends."""
    while True:
        answer = httpx.post(f"{server.url}/v1/search", json={"text": "scale"}, timeout=60)
        if answer.status_code != 200:
            return answer


def test_a_running_consultation_is_finished_and_new_ones_go_elsewhere(
    own_service: Service, slow_model: SlowModel, draw: Draw
) -> None:
    with consulting(own_service.home.root, slow_model, 60) as server, ThreadPoolExecutor(1) as threads:
        running = threads.submit(ask, server, draw("nevus", 9))
        assert slow_model.asked.acquire(timeout=60)
        server.process.send_signal(signal.SIGTERM)
        refused = refused_by(server)
        assert (refused.status_code, refused.json()["reason"]) == (503, "server_ending")
        assert refused.headers["retry-after"]
        assert refused.headers["connection"] == "close"
        unready = httpx.get(f"{server.url}/health/ready", timeout=60)
        assert (unready.status_code, unready.json()["problem"]) == (503, "the server is ending; ask another")
        assert httpx.get(f"{server.url}/health/live").status_code == 200
        slow_model.let_go.set()
        answer = running.result(60)
        assert (answer.status_code, answer.json()["candidates"][0]["label"]) == (200, "nevus")
        assert server.process.wait(60) == 0


def test_what_is_not_finished_in_time_is_told_so(own_service: Service, slow_model: SlowModel, draw: Draw) -> None:
    with consulting(own_service.home.root, slow_model, 0.5) as server, ThreadPoolExecutor(2) as threads:
        whole = threads.submit(ask, server, draw("nevus", 9))
        told = threads.submit(ask, server, draw("nevus", 9), accept="text/event-stream")
        assert slow_model.asked.acquire(timeout=60)
        assert slow_model.asked.acquire(timeout=60)
        server.process.send_signal(signal.SIGTERM)
        answer, stream = whole.result(60), told.result(60)
        assert (answer.status_code, answer.json()["reason"]) == (503, "server_ending")
        assert stream.status_code == 200
        last = stream.text.replace("\r\n", "\n").rstrip("\n").split("\n\n")[-1].split("\n")
        assert last[0] == "event: error"
        assert json.loads(last[1].removeprefix("data: "))["retry_after"] > 0
        assert server.process.wait(60) == 0


def test_a_second_signal_takes_the_time_away(own_service: Service, slow_model: SlowModel, draw: Draw) -> None:
    with consulting(own_service.home.root, slow_model, 3_600) as server, ThreadPoolExecutor(1) as threads:
        running = threads.submit(ask, server, draw("nevus", 9))
        assert slow_model.asked.acquire(timeout=60)
        server.process.send_signal(signal.SIGTERM)
        refused_by(server)
        server.process.send_signal(signal.SIGTERM)
        assert running.result(60).json()["reason"] == "server_ending"
        assert server.process.wait(60) == 0


def test_a_job_goes_on_at_the_next_start_and_its_followers_are_told(
    own_service: Service, make_guideline: Callable[[str, str], bytes]
) -> None:
    home = own_service.home.root
    files = [
        ("files", (f"{n}.pdf", make_guideline(f"Topic {n}", f"Offer remedy number {n} daily."))) for n in range(20)
    ]
    with serving(home) as server:
        job = httpx.post(f"{server.url}/v1/documents?background=true", files=files, timeout=60).json()["id"]
        with httpx.stream("GET", f"{server.url}/v1/jobs/{job}/events", timeout=60) as events:
            lines = events.iter_lines()
            assert next(lines) == "event: job"
            server.process.send_signal(signal.SIGTERM)
            rest = list(lines)
        assert "event: error" in rest
        assert "event: end" not in rest
        assert server.process.wait(60) == 0
    assert own_service.registry.jobs.job(job).state is JobState.QUEUED
    with serving(home) as server, httpx.stream("GET", f"{server.url}/v1/jobs/{job}/events", timeout=120) as events:
        [end] = [line for line in events.iter_lines() if line.startswith("data: ")][-1:]
    ended: dict[str, Any] = json.loads(end.removeprefix("data: "))
    assert ended["state"] == "done"
    assert [one["outcome"]["state"] for one in ended["items"]] == ["added"] * 20
