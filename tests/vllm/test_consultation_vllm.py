"""Whole consultations on a real vLLM server: retrieval, three stages, verification, and what happens when it fails.

The model's weights are random, so what it says means nothing; that it is asked the right thing, held to its labels,
scored, streamed, cancelled and survived does. Thresholds are set so that a random model is allowed to answer.
"""

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import TaskGroup
from PIL import Image
from transformers import AutoProcessor

from inference.admission import ServedModels
from inference.engines import ChatRequest
from inference.engines import openai_wire as wire
from inference.engines.errors import ConstraintIgnored, ContextTooLong, EngineTimedOut, EngineUnreachable
from inference.engines.openai_engine import EngineLimits, OpenAIEngine
from inference.events import Event, ReportPiece
from inference.pipeline import Pipeline
from inference.profiles import Layout
from inference.prompts import Message, TextPart
from inference.served import ServedModel
from inference.types import (
    Abstention,
    Consultation,
    EngineFailure,
    GroupUse,
    ReportMode,
    Verdict,
)
from retrieval.search import Encoders
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests.vllm.asking import NOTE, alike, ask, diagnosis, served
from tests.vllm.server import MODEL, ROOT, VllmServer

KEYS = ("E1", "E2", "E3")  # what the three references are called
TOLERANCE = 2e-3  # nats over one answer, as in test_engine_vllm
# Keeps a model busy for many seconds that would otherwise end after a few tokens.
LONG = {"type": "object", "properties": {"text": {"type": "string", "minLength": 3000}}, "required": ["text"]}
Draw = Callable[[str, int], bytes]
Open = Callable[..., Service]

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


@pytest.fixture
async def opened(sample_service: Service, encoders: Encoders, vllm_server: VllmServer) -> AsyncIterator[Open]:
    """Opens services on the sample that ask the server. Read only: they share its home."""
    made: list[Service] = []

    def make(reporter: str = "hikari-vega", mass: float = 0.0, **choice: Any) -> Service:
        home, given = sample_service.home.root, served(vllm_server.url, reporter, **choice)
        made.append(open_service(home, load_settings(home, **given | {"label_mass_floor": mass}), encoders))
        return made[-1]

    yield make
    for service in made:
        await service.close_models()


# --- three stages ----------------------------------------------------------------------------------------------------


async def test_three_stages_answer_with_evidence(opened: Open, draw: Draw) -> None:
    answer = diagnosis(await ask(opened(), draw("psoriasis", 9), note=NOTE))
    model, group = answer.opinions.disease, answer.opinions.group
    assert model is not None
    assert group is not None
    assert (model.method, group.method) == ("constrained", "constrained")
    assert len(model.shares) == len(answer.candidates) == 10
    assert len(group.shares) == 4
    assert sum(one.probability for one in model.shares) == pytest.approx(1)
    assert model.stated in {one.label for one in model.shares}
    assert model.label_mass is not None
    assert 0 <= model.label_mass < 1e-3  # a random model would rather say anything else, and the mass shows it
    assert answer.opinions.neighbours[0].label == "psoriasis"
    assert answer.narrative is not None
    assert (answer.narrative.mode, answer.narrative.guided_by) == (ReportMode.GUIDED, answer.candidates[0].label)
    assert all(statement.verdict is not Verdict.UNSUPPORTED for statement in answer.report)
    assert [stage.stage for stage in answer.trace.stages] == ["group", "disease", "report (guided)"]
    assert any("strong prior" in warning for warning in answer.warnings)


async def test_references_stand_in_the_ledger_and_say_where_they_were_used(opened: Open, draw: Draw) -> None:
    answer = await ask(opened(), draw("nevus", 9))
    stage = next(one for one in answer.trace.stages if one.stage == "disease")
    assert (stage.layout, stage.prompt, len(stage.references), stage.dropped) == ("evaluation", "P0", 3, ())
    assert [item.key for item in answer.ledger if "disease" in item.used_in] == list(stage.references)
    assert stage.references == ("E1", "E2", "E3")
    assert stage.requests == 1 + 10  # one answer, one score a label
    assert stage.prompt_tokens is not None
    assert stage.prompt_tokens > 11 * 4 * 16  # four pictures of 128 px each time


async def test_without_the_range_of_a_label_there_is_no_answer(opened: Open, draw: Draw) -> None:
    answer = await ask(opened(mass=0.05), draw("psoriasis", 9))
    assert isinstance(answer, Abstention)
    assert answer.reason == "outside_labels"
    assert answer.opinions.disease is not None


async def test_four_pictures_are_asked_one_by_one(opened: Open, draw: Draw) -> None:
    pictures = [draw("acne", number) for number in range(6, 10)]
    answer = await ask(opened(), *pictures, references=1, layout=Layout.TRAINING)
    stage = next(one for one in answer.trace.stages if one.stage == "disease")
    assert (stage.pictures, stage.requests, len(stage.raw)) == (4, 4 * 11, 4)


@pytest.mark.parametrize("use", list(GroupUse))
async def test_a_group_is_shown_passed_on_or_weighed(opened: Open, draw: Draw, use: GroupUse) -> None:
    answer = diagnosis(await ask(opened(), draw("psoriasis", 9), group=use))
    stage = next(one for one in answer.trace.stages if one.stage == "disease")
    assert answer.opinions.group is not None
    likeliest = answer.opinions.group.shares[0].label
    assert stage.prompt == ("P0g" if use is GroupUse.USED else "P0")
    assert stage.group == (likeliest if use is GroupUse.USED else None)
    assert answer.opinions.disease is not None
    shares = [(one.label, one.probability) for one in answer.opinions.disease.shares]
    weighed = [(one.label, one.probability) for one in answer.candidates]
    assert (weighed == shares) is (use is not GroupUse.SOFT)


async def test_free_text_of_a_random_model_is_unparsed_and_never_a_guess(opened: Open, draw: Draw) -> None:
    answer = await ask(opened(), draw("psoriasis", 9), constrain=False)
    assert isinstance(answer, Abstention)
    assert answer.reason == "unparsed"
    assert answer.opinions.disease is not None
    assert answer.opinions.disease.stated is None
    assert len(answer.opinions.disease.shares) == 10  # scored all the same


async def test_an_instruct_model_is_held_to_the_form_of_a_cited_report(opened: Open, draw: Draw) -> None:
    service = opened(reporter="qwen3-vl-8b-instruct")
    answer = await ask(service, draw("psoriasis", 9), note="scale", on_engine_failure=EngineFailure.EXEMPLAR)
    # A random model may run out of tokens inside the object: then that is said, and quotes answer.
    answer = diagnosis(answer)
    if answer.narrative is None:
        assert any("stage 3 failed (malformed_answer)" in warning for warning in answer.warnings)
    else:
        assert answer.narrative.mode is ReportMode.GROUNDED
        assert all(one.verdict is not Verdict.UNSUPPORTED for one in answer.report)
    assert answer.report


# --- the prompt, and a second engine ---------------------------------------------------------------------------------


class Recorder:
    """Passes everything on to an engine and keeps what was asked."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.requests: list[ChatRequest] = []
        self.scored: list[ChatRequest] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def complete(self, request: ChatRequest) -> Any:
        self.requests.append(request)
        return await self._engine.complete(request)

    def stream(self, request: ChatRequest) -> Any:
        self.requests.append(request)
        return self._engine.stream(request)

    async def score(self, request: ChatRequest, continuations: Any) -> Any:
        self.scored.append(request)
        return await self._engine.score(request, continuations)


def recording(service: Service) -> tuple[Pipeline, list[Recorder]]:
    """The service's pipeline with a recorder before each engine."""
    recorders: list[Recorder] = []

    def watched(model: ServedModel | None) -> ServedModel | None:
        assert model is not None
        recorders.append(Recorder(model.engine))
        return replace(model, engine=recorders[-1])

    models = service.pipeline.models
    watching = ServedModels(watched(models.group), watched(models.disease), watched(models.report))
    return service.pipeline.asking(watching), recorders


@pytest.mark.parametrize(
    ("reporter", "options"),
    [
        ("hikari-vega", {"report": ReportMode.PLAIN, "references": 0}),
        ("hikari-vega", {"references": 1, "layout": Layout.TRAINING, "prompt": "T2"}),
        ("hikari-vega", {"group": GroupUse.USED, "captions": "masked"}),
        ("qwen3-vl-8b-instruct", {"report": ReportMode.GROUNDED}),
    ],
)
async def test_the_server_sees_the_tokens_that_transformers_renders(
    opened: Open, draw: Draw, tiny_checkpoint: Path, vllm_server: VllmServer, reporter: str, options: dict[str, Any]
) -> None:
    service = opened(reporter=reporter)
    asking, recorders = recording(service)
    await ask(service, draw("psoriasis", 9), asking=asking, on_engine_failure=EngineFailure.EXEMPLAR, **options)
    asked = [request for recorder in recorders for request in (*recorder.requests, *recorder.scored)]
    assert len(asked) == 5  # group and disease answered and scored, one report
    untyped: Any = AutoProcessor
    processor = untyped.from_pretrained(tiny_checkpoint)
    for request in asked:
        body = wire.body(request)
        sent = {**body, "return_token_ids": True, "max_completion_tokens": 1}
        sent.pop("structured_outputs", None)
        sent.pop("response_format", None)
        async with httpx.AsyncClient(timeout=120) as client:
            response = await client.post(f"{vllm_server.url}/chat/completions", json=sent)
        assert response.json()["prompt_token_ids"] == rendered(processor, request)


def rendered(processor: Any, request: ChatRequest) -> list[int]:
    """The prompt's ids as the checkpoint's own template and processor make them."""
    turns = [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image"}
                for part in message.parts
            ],
        }
        for message in request.messages
    ]
    begun = bool(request.opening)
    text = processor.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=not begun, continue_final_message=begun
    )
    images = [
        Image.fromarray(part.rgb)
        for message in request.messages
        for part in message.parts
        if not isinstance(part, TextPart)
    ]
    return list(processor(text=[text], images=images)["input_ids"][0])


async def test_the_engine_in_this_process_answers_the_same(
    opened: Open, draw: Draw, sample_service: Service, encoders: Encoders, tiny_checkpoint: Path
) -> None:
    local = open_service(
        sample_service.home.root,
        load_settings(
            sample_service.home.root,
            **{
                **served(""),
                "models": {
                    name: {"engine": "transformers", "folder": tiny_checkpoint, "model": MODEL}
                    for name in ("hikari-subaru", "hikari-sirius", "hikari-vega")
                },
            },
        ),
        encoders,
    )
    picture = draw("psoriasis", 9)
    ours, theirs = await ask(opened(), picture), await ask(local, picture)
    await local.close_models()
    one, other = ours.opinions.disease, theirs.opinions.disease
    assert one is not None
    assert other is not None
    assert (one.stated, one.method) == (other.stated, other.method)
    assert [share.label for share in one.shares] == [share.label for share in other.shares]
    # Probabilities are ratios of exp(log-probabilities) that may each be off by the tolerance.
    assert [share.probability for share in one.shares] == pytest.approx(
        [share.probability for share in other.shares], rel=4 * TOLERANCE, abs=1e-12
    )
    group, other_group = ours.opinions.group, theirs.opinions.group
    assert group is not None
    assert other_group is not None
    assert (group.stated, group.shares[0].label) == (other_group.stated, other_group.shares[0].label)
    assert diagnosis(ours).narrative is not None
    assert diagnosis(ours).narrative.text == diagnosis(theirs).narrative.text  # type: ignore[union-attr]


# --- budget ----------------------------------------------------------------------------------------------------------


async def test_references_that_do_not_fit_are_dropped_whole_and_counted_exactly(opened: Open, draw: Draw) -> None:
    service = opened()
    models, picture = service.pipeline.models, draw("psoriasis", 9)
    disease = models.disease
    assert disease is not None

    def within(limit: int) -> Pipeline:
        tight = replace(disease, profile=replace(disease.profile, context_length=limit))
        return service.pipeline.asking(replace(models, disease=tight))

    asking, (_, recorder, _) = recording(service)
    for shown in range(4):
        await ask(service, picture, asking=asking, references=shown, report=ReportMode.EXTRACTIVE)
    needed = []
    for request in recorder.requests:
        counted = await disease.engine.count(request)
        assert counted is not None
        needed.append(counted.prompt + request.max_new_tokens)
    assert needed == sorted(needed)
    for shown, limit in enumerate(needed):
        answer = await ask(service, picture, asking=within(limit), references=3, report=ReportMode.EXTRACTIVE)
        stage = next(one for one in answer.trace.stages if one.stage == "disease")
        assert (stage.references, stage.dropped) == (KEYS[:shown], KEYS[shown:])
        assert stage.fitted_by == "counted"
        assert (shown < 3) is any("did not fit" in warning for warning in answer.warnings)
    with pytest.raises(ContextTooLong):
        await ask(service, picture, asking=within(needed[0] - 1))


# --- failures --------------------------------------------------------------------------------------------------------


async def test_a_server_that_ignores_the_constraint_is_detected(opened: Open, draw: Draw) -> None:
    # vLLM does not know SGLang's field and answers 200 with unconstrained text, as every server does.
    service = opened(engine="sglang")
    with pytest.raises(ConstraintIgnored):
        await ask(service, draw("psoriasis", 9), group=GroupUse.USED)
    answer = await ask(
        service, draw("psoriasis", 9), on_engine_failure=EngineFailure.EXEMPLAR, report=ReportMode.EXTRACTIVE
    )
    assert diagnosis(answer).candidates[0].label == "psoriasis"
    assert any("stage 2 failed (constraint_ignored)" in warning for warning in answer.warnings)
    assert answer.trace.configuration["classifier"]["name"] == "exemplar vote"


async def test_what_takes_too_long_is_an_error_or_what_was_asked_for(opened: Open, draw: Draw) -> None:
    service = opened(total_seconds=0.02)
    with pytest.raises(EngineTimedOut):
        await ask(service, draw("psoriasis", 9))
    answer = await ask(service, draw("psoriasis", 9), on_engine_failure=EngineFailure.ABSTAIN)
    assert isinstance(answer, Abstention)
    assert answer.reason == "engine_timed_out"
    assert answer.ledger


class Cut:
    """An engine of its own that asks and follows a stream while the server is killed, beside a consultation that does too.

    One kill for both: each start of the server takes a minute.
    """

    def __init__(self, server: VllmServer) -> None:
        self.server = server
        self.engine = OpenAIEngine(server.url, MODEL, limits=EngineLimits(attempts=2))
        self.failures: list[EngineUnreachable] = []

    async def off_in_the_report(self, events: AsyncIterator[Event], group: TaskGroup) -> None:
        """Read on; when the report has begun and all three are being answered, kill the server."""
        begun = False
        async for event in events:
            if isinstance(event, ReportPiece) and not begun:
                begun = True
                group.start_soon(self.ask)
                group.start_soon(self.follow)
                while self.server.metric("vllm:num_requests_running") < 3:
                    await anyio.sleep(0.05)
                self.server.kill()

    def question(self, **fields: Any) -> ChatRequest:
        return ChatRequest((Message("user", (TextPart("What is it?"),)),), MODEL, **fields)

    async def ask(self) -> None:
        with pytest.raises(EngineUnreachable) as caught:
            await self.engine.complete(self.question(max_new_tokens=3000, json_schema=LONG))
        self.failures.append(caught.value)

    async def follow(self) -> None:
        with pytest.raises(EngineUnreachable) as caught:
            async with aclosing(self.engine.stream(self.question(max_new_tokens=3000, json_schema=LONG))) as pieces:
                assert [piece async for piece in pieces]
        self.failures.append(caught.value)


async def test_a_server_killed_in_mid_answer_is_survived_and_works_again(
    opened: Open, draw: Draw, vllm_server: VllmServer
) -> None:
    service, cut = opened(), Cut(vllm_server)
    consultation = Consultation((service.admit(draw("psoriasis", 9)),), NOTE)
    before = diagnosis(await ask(service, draw("psoriasis", 9), note=NOTE))
    said = await cut.engine.complete(cut.question(max_new_tokens=8))
    try:
        with anyio.fail_after(300):
            await killed_while_all_write(service, consultation, cut)
        assert [failure.retryable for failure in cut.failures] == [True, True]
        with pytest.raises(EngineUnreachable):
            await cut.engine.probe()
        fallen = diagnosis(await ask(service, draw("psoriasis", 9), on_engine_failure=EngineFailure.EXEMPLAR))
        assert fallen.opinions.disease is None
        assert fallen.candidates[0].label == "psoriasis"
        declined = await ask(service, draw("psoriasis", 9), on_engine_failure=EngineFailure.ABSTAIN)
        assert isinstance(declined, Abstention)
        assert declined.reason == "engine_unreachable"
    finally:
        vllm_server.start()
    assert (await cut.engine.complete(cut.question(max_new_tokens=8))).text == said.text
    assert math.isfinite(await cut.engine.probe())
    await cut.engine.aclose()
    after = await ask(service, draw("psoriasis", 9), note=NOTE)
    assert after.opinions.disease is not None
    assert before.opinions.disease is not None
    assert alike(asdict(after.opinions.disease), asdict(before.opinions.disease))


async def killed_while_all_write(service: Service, consultation: Consultation, cut: Cut) -> None:
    # Texts so long that they are still being written when the kill arrives, however busy the machine is.
    models = service.pipeline.models
    assert models.report is not None
    profile = models.report.profile
    patient = replace(profile, decoding=replace(profile.decoding, max_new_tokens=3_000), context_length=4_096)
    talking = service.pipeline.asking(replace(models, report=replace(models.report, profile=patient)))
    async with anyio.create_task_group() as group, aclosing(talking.events(consultation)) as events:
        with pytest.raises(EngineUnreachable):
            await cut.off_in_the_report(events, group)


async def test_leaving_in_the_middle_ends_the_work_at_the_server(
    opened: Open, draw: Draw, vllm_server: VllmServer
) -> None:
    service = opened()
    consultation = Consultation((service.admit(draw("psoriasis", 9)),), NOTE)
    last = None
    async with aclosing(service.pipeline.events(consultation)) as events:
        async for last in events:
            if isinstance(last, ReportPiece):
                break
    assert isinstance(last, ReportPiece)
    await idle(vllm_server)
    with anyio.move_on_after(0.2):
        await service.pipeline.diagnose(consultation)
    await idle(vllm_server)


async def idle(server: VllmServer) -> None:
    """The server stops working soon; a caption takes it longer than that."""
    with anyio.fail_after(5):
        while await anyio.to_thread.run_sync(lambda: server.metric("vllm:num_requests_running")) > 0:
            await anyio.sleep(0.05)


# --- over HTTP -------------------------------------------------------------------------------------------------------


@contextmanager
def serving(home: Path, server: VllmServer, **choice: Any) -> Iterator[httpx.Client]:
    """The service in a process of its own, as `dermacite serve` starts it, asking the server."""
    settings = served(server.url, **choice)
    lines = [
        f"{name} = {json.dumps(value)}" for name, value in settings.items() if name not in {"models", "configuration"}
    ]
    for name, how in settings["models"].items():
        lines += [f"[models.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in how.items())]
    (home / "settings.toml").write_text("\n".join(lines), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "api.server", "--home", str(home), "--port", "0"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if "running on" in line)
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        url = line.rpartition("running on ")[2].split()[0]
        with httpx.Client(base_url=url, timeout=120) as client:
            deadline = time.monotonic() + 240
            while client.get("/health/ready").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield client
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


def sent(picture: bytes, **options: Any) -> dict[str, Any]:
    request = {"note": "scaly plaques", "options": options}
    return {"files": {"images": ("p.png", picture, "image/png")}, "data": {"request": json.dumps(request)}}


def events_of(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Name and data of each server-sent event."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            yield name, json.loads(line.removeprefix("data:"))


def test_http_streams_overflows_fails_and_notices_who_left(
    own_service: Service, draw: Draw, vllm_server: VllmServer
) -> None:
    picture = draw("psoriasis", 9)
    with serving(own_service.home.root, vllm_server, concurrent=1, waiting=1) as client:
        whole = client.post("/v1/diagnoses", **sent(picture)).json()
        headers = {"accept": "text/event-stream"}
        with client.stream("POST", "/v1/diagnoses", headers=headers, **sent(picture)) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            told = list(events_of(response))
        names = [name for name, _ in told]
        assert names[:4] == ["evidence", "group", "disease", "evidence"]
        assert names[-2:] == ["citations", "outcome"]
        assert set(names[4:-2]) == {"report"}
        assert len(names) > 10  # words came one by one
        assert alike({**told[-1][1], "trace": None}, {**whole, "trace": None})
        keys = [item["key"] for name, data in told if name == "evidence" for item in data["evidence"]]
        assert keys == [item["key"] for item in whole["ledger"]]
        assert "".join(data["text"] for name, data in told if name == "report").strip() == whole["narrative"]["text"]

        overflow(client, picture)

        # Whoever leaves while the server works for him must not keep it from others.
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/diagnoses", timeout=0.5, **sent(picture))
        deadline = time.monotonic() + 60
        while vllm_server.metric("vllm:num_requests_running") > 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)

        # A server that dies on the way ends the stream with a problem; asked for, the embedded way answers.
        try:
            told = []
            with client.stream("POST", "/v1/diagnoses", headers=headers, **sent(picture)) as response:
                for name, data in events_of(response):
                    told.append((name, data))
                    if name == "disease":
                        vllm_server.kill()  # between two of its answers; in the middle of one: see above
            assert told[-1][0] == "error"
            assert (told[-1][1]["status"], told[-1][1]["reason"]) == (503, "engine_unreachable")
            failed = client.post("/v1/diagnoses", **sent(picture))
            assert (failed.status_code, failed.json()["reason"]) == (503, "engine_unreachable")
            assert client.get("/health/ready").status_code == 503
            fallen = client.post("/v1/diagnoses", **sent(picture, on_engine_failure="exemplar")).json()
            assert fallen["outcome"] == "diagnosis"
            assert any("engine_unreachable" in warning for warning in fallen["warnings"])
        finally:
            vllm_server.start()
        assert alike(client.post("/v1/diagnoses", **sent(picture)).json()["opinions"], whole["opinions"])


def overflow(client: httpx.Client, picture: bytes) -> None:
    """One works, one waits, the others are told at once when to come again."""
    answers: list[httpx.Response] = []

    def one() -> None:
        answers.append(client.post("/v1/diagnoses", **sent(picture, report="extractive")))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert {answer.status_code for answer in answers} == {200, 503}
    assert {answer.json()["reason"] for answer in refused} == {"engine_overloaded"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
