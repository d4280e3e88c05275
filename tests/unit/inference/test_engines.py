"""Engines without a model: what is refused, how failures are named, who waits, and what a wrong server can do."""

import base64
import io
import logging
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Any

import anyio
import httpx2
import numpy as np
import openai
import pytest
from PIL import Image

from inference.engines import ChatRequest, LabelScore, errors, label_mass
from inference.engines import openai_wire as wire
from inference.engines.checking import check_continuations
from inference.engines.errors import EngineError
from inference.engines.gate import Gate, time_limit
from inference.engines.openai_engine import EngineLimits, EngineTimeouts, OpenAIEngine
from inference.engines.openai_errors import engine_error, translated
from inference.engines.spelling import Speller
from inference.errors import InferenceError
from inference.prompts import ImagePart, Message, TextPart
from tests.misbehaving_server import MisbehavingServer, Reply, misbehaving, refuses, says, streams

NOTE = "Ms Example's note"
QUICK = EngineLimits(attempts=3, first_pause=0.01, longest_pause=0.02)
REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


def asked(*, opening: str = "", **fields: Any) -> ChatRequest:
    messages = [Message("user", (TextPart(NOTE),))]
    if opening:
        messages.append(Message("assistant", (TextPart(opening),)))
    given: dict[str, Any] = {"messages": tuple(messages), "model": "m", "max_new_tokens": 8}
    return ChatRequest(**(given | fields))


# --- requests


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": ()},
        {"messages": (Message("user", ()),)},
        {"messages": (Message("system", (TextPart("Be brief."),)),)},
        {"messages": (Message("user", (TextPart("?"),)), Message("assistant", (TextPart(""),)))},
        {"messages": (Message("user", (ImagePart(np.zeros((8, 8), np.uint8)),)),)},
        {"messages": (Message("user", (ImagePart(np.zeros((8, 8, 3), np.float32)),)),)},
        {"messages": (Message("user", (ImagePart(np.zeros((0, 8, 3), np.uint8)),)),)},
        {"max_new_tokens": 0},
        {"temperature": -0.1},
        {"top_p": 0.0},
        {"top_k": -1},
        {"choice": ()},
        {"choice": ("a", "")},
        {"choice": ("a", "a")},
        {"choice": ("a", "b"), "json_schema": {}},
        {"choice": ("a", "b"), "logprobs": True},
        {"json_schema": {}, "logprobs": True},
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(errors.InputRefused):
        asked(**fields)


@pytest.mark.parametrize("texts", [(), ("a", ""), ("a", "a"), ("nevus", "psoriasis", "nevus flammeus")])
def test_continuations_that_overlap_are_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(errors.InputRefused):
        check_continuations(texts)


def test_mass_is_the_sum_of_the_probabilities() -> None:
    scores = [LabelScore("a", np.log(0.25), 1, 9), LabelScore("b", np.log(0.5), 2, 9)]
    assert label_mass(scores) == pytest.approx(0.25 + 0.5)
    assert label_mass([]) == 0


def test_a_picture_travels_without_loss_metadata_address_or_cache_key() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    body = wire.body(asked(messages=(Message("user", (ImagePart(rgb), TextPart("?"))),)))
    first, second = body["messages"][0]["content"]
    assert set(first) == {"type", "image_url"}
    assert set(first["image_url"]) == {"url"}
    assert second == {"type": "text", "text": "?"}
    kind, data = first["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.info == {}
        assert (np.asarray(image) == rgb).all()


def test_decoding_is_always_said() -> None:
    body = wire.body(asked(seed=7))
    assert (body["temperature"], body["top_p"], body["seed"], body["max_completion_tokens"]) == (0.0, 1.0, 7, 8)
    assert (body["top_k"], body["repetition_penalty"]) == (0, 1.0)


def test_an_opening_is_continued_by_the_answer() -> None:
    body = wire.body(asked(opening="This image"))
    assert body["messages"][-1] == {"role": "assistant", "content": "This image"}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False


def test_scoring_asks_for_the_prompt_and_constrains_nothing() -> None:
    request = asked(opening="This image", choice=("a", "b"), temperature=0.7)
    body, other = wire.scoring_bodies(request, [" shows psoriasis.", " shows acne."])
    assert [message["content"] for message in body["messages"][1:]] == ["This image shows psoriasis."]
    assert [message["content"] for message in other["messages"][1:]] == ["This image shows acne."]
    assert body["messages"][0] is other["messages"][0]  # pictures are encoded once
    assert body["temperature"] == 0
    assert body["max_completion_tokens"] == 1
    assert body["prompt_logprobs"] == 0
    assert "structured_outputs" not in body


# --- errors


def _status(status: int, headers: dict[str, str] | None = None, **body: Any) -> openai.APIStatusError:
    response = httpx2.Response(status, headers=headers, request=REQUEST)
    return openai.APIStatusError(NOTE, response=response, body={"message": NOTE, **body})


def _caused(error: openai.APIError, cause: Exception) -> openai.APIError:
    error.__cause__ = cause
    return error


NAMED: list[tuple[openai.OpenAIError, type[EngineError]]] = [
    (openai.APITimeoutError(REQUEST), errors.EngineTimedOut),
    (_caused(openai.APITimeoutError(REQUEST), httpx2.ReadTimeout(NOTE)), errors.EngineTimedOut),
    (_caused(openai.APITimeoutError(REQUEST), httpx2.ConnectTimeout(NOTE)), errors.EngineUnreachable),
    (openai.APIConnectionError(message=NOTE, request=REQUEST), errors.EngineUnreachable),
    (_status(400), errors.InputRefused),
    (_status(400, param="input_tokens"), errors.ContextTooLong),
    (_status(400, code="context_length_exceeded"), errors.ContextTooLong),
    (_status(400, type="exceed_context_size_error"), errors.ContextTooLong),
    (_status(401), errors.EngineMisconfigured),
    (_status(403), errors.EngineMisconfigured),
    (_status(404), errors.EngineMisconfigured),
    (_status(405), errors.EngineMisconfigured),
    (_status(408), errors.EngineTimedOut),
    (_status(409), errors.InputRefused),
    (_status(413), errors.InputRefused),
    (_status(422), errors.InputRefused),
    (_status(429), errors.EngineOverloaded),
    (_status(500), errors.EngineUnreachable),
    (_status(502), errors.EngineUnreachable),
    (_status(503), errors.EngineOverloaded),
    (_status(504), errors.EngineTimedOut),
    (openai.APIError(NOTE, REQUEST, body=None), errors.EngineUnreachable),
]


@pytest.mark.parametrize(("error", "kind"), NAMED, ids=lambda value: getattr(value, "__name__", None))
def test_failures_are_named(error: openai.OpenAIError, kind: type[EngineError]) -> None:
    with pytest.raises(EngineError) as caught, translated():
        raise error
    assert type(caught.value) is kind
    assert "Example" not in "".join(traceback.format_exception(caught.value))


def test_no_error_of_the_client_escapes() -> None:
    """Every class the client has, also those of its next release, becomes an error of ours that is not the root."""
    kinds = [
        kind for kind in list(vars(openai).values()) if isinstance(kind, type) and issubclass(kind, openai.OpenAIError)
    ]
    assert len(kinds) > 12
    for kind in kinds:
        error = kind.__new__(kind)
        error.__dict__ |= {"status_code": 400, "param": None, "code": None, "type": None}
        assert type(engine_error(error)) in EngineError.__subclasses__() + errors.InputRefused.__subclasses__()


@pytest.mark.parametrize(
    ("said", "waits"), [("7", 7.0), ("0.5", 0.5), ("3600", 60.0), ("soon", 1.0), ("-1", 1.0), ("nan", 1.0)]
)
def test_a_busy_server_says_when_to_come_again(said: str, waits: float) -> None:
    assert engine_error(_status(429, {"retry-after": said})).retry_after == waits


def test_every_error_carries_its_policy() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EngineError)]
    assert len({kind.reason for kind in kinds}) == len(kinds)
    assert len({kind.help for kind in kinds}) == len(kinds)
    assert {kind for kind in kinds if kind.retryable} == {errors.EngineUnreachable, errors.EngineOverloaded}
    assert issubclass(EngineError, InferenceError)


# --- the queue


@pytest.mark.anyio
async def test_the_queue_is_bounded_and_moves_on() -> None:
    gate, release, order = Gate(concurrent=2, waiting=1), anyio.Event(), list[int]()

    async def call(number: int) -> None:
        async with gate.admitted(), gate.slot():
            order.append(number)
            await release.wait()

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(call, number)
        await anyio.wait_all_tasks_blocked()
        assert order == [0, 1]
        with pytest.raises(errors.EngineOverloaded) as caught:
            await call(3)
        assert caught.value.retry_after == 1  # one waits, two at work, 1 s each as long as nothing is known
        release.set()
    assert order == [0, 1, 2]
    await call(4)  # every place is free again


@pytest.mark.anyio
async def test_a_failure_and_a_cancellation_give_their_place_back() -> None:
    gate = Gate(concurrent=1, waiting=0)
    for _ in range(3):
        with suppress(RuntimeError):
            async with gate.admitted(), gate.slot():
                raise RuntimeError
        with anyio.move_on_after(0.01):
            async with gate.admitted(), gate.slot():
                await anyio.sleep_forever()
    async with gate.admitted(), gate.slot():
        with pytest.raises(errors.EngineTimedOut):
            async with gate.slot(anyio.current_time() + 0.01):
                pass
    async with gate.admitted(), gate.slot():
        pass


@pytest.mark.anyio
async def test_a_time_limit_names_its_end() -> None:
    with pytest.raises(errors.EngineTimedOut), time_limit(anyio.current_time() + 0.01):
        await anyio.sleep_forever()


@pytest.mark.parametrize(("concurrent", "waiting"), [(0, 1), (1, -1)])
def test_a_gate_lets_somebody_in(concurrent: int, waiting: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Gate(concurrent, waiting)


# --- choices spelt by tokens

TOKENS = ("<end>", "n", "ne", "nevus", "vus", " f", "lammeus", "acne", "x", "")


@pytest.mark.parametrize(
    ("written", "allowed"),
    [
        ([], {"n", "ne", "nevus", "acne"}),
        (["ne"], {"vus"}),
        (["nevus"], {" f", "<end>"}),
        (["nevus", " f"], {"lammeus"}),
        (["acne"], {"<end>"}),
    ],
)
def test_only_what_stays_within_a_choice_is_allowed(written: list[str], allowed: set[str]) -> None:
    speller = Speller(["", *TOKENS[1:]])
    ids = speller.next_tokens(("nevus", "nevus flammeus", "acne"), map(TOKENS.index, written), [0])
    assert {TOKENS[number] for number in ids} == allowed


def test_what_the_vocabulary_cannot_spell_is_refused() -> None:
    with pytest.raises(errors.InputRefused):
        Speller(TOKENS).next_tokens(("wart",), [], [0])


# --- a server that does not keep to the protocol

Connect = Callable[..., OpenAIEngine]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes engines and closes them."""
    made: list[OpenAIEngine] = []

    def make(server: MisbehavingServer, limits: EngineLimits = QUICK, **timeouts: float) -> OpenAIEngine:
        made.append(OpenAIEngine(server.url, "m", timeouts=EngineTimeouts(**timeouts), limits=limits))
        return made[-1]

    yield make
    for engine in made:
        await engine.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "request_", "kind"),
    [
        (says("urticaria"), asked(choice=("nevus", "acne")), errors.ConstraintIgnored),
        (says("It is a nevus"), asked(choice=("nevus", "acne")), errors.ConstraintIgnored),
        (says("a nevus"), asked(json_schema={"type": "object"}), errors.ConstraintIgnored),
        (says(None), asked(), errors.MalformedAnswer),
        (says("x", choices=[]), asked(), errors.MalformedAnswer),
        (says("x", choices=None), asked(), errors.MalformedAnswer),
        (says("x", usage=None), asked(), errors.MalformedAnswer),
        (Reply(b"<html>Ms Example's note</html>"), asked(), errors.MalformedAnswer),
        (Reply(b"\xff\xfe"), asked(), errors.MalformedAnswer),
        (Reply(b""), asked(), errors.MalformedAnswer),
        (Reply(b'{"id": ', breaks_off=True), asked(), errors.EngineUnreachable),
        (refuses(400, param="input_tokens"), asked(), errors.ContextTooLong),
        (refuses(500), asked(), errors.EngineUnreachable),
    ],
)
async def test_a_wrong_answer_is_named(
    reply: Reply, request_: ChatRequest, kind: type[EngineError], connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with misbehaving(reply) as server:
        with pytest.raises(EngineError) as caught:
            await connect(server).complete(request_)
    assert type(caught.value) is kind
    assert "Example" not in "".join(traceback.format_exception(caught.value))
    assert "Example" not in caplog.text
    assert len(server.requests) == (QUICK.attempts if kind.retryable else 1)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (streams("urti", "caria"), errors.ConstraintIgnored),
        (streams("ne", "vus", finish_reason=None), errors.MalformedAnswer),
        (streams("ne", finish_reason=None, ends=False), errors.MalformedAnswer),
        (streams("ne", ends=False, finish_reason=None, breaks_off=True), errors.EngineUnreachable),
        (Reply(b"data: nonsense\n\n", headers={"content-type": "text/event-stream"}), errors.MalformedAnswer),
        (Reply(b'data: {"error": {"message": "Ms Example"}}\n\n'), errors.EngineUnreachable),
        (refuses(429), errors.EngineOverloaded),
    ],
)
async def test_a_wrong_stream_is_named(reply: Reply, kind: type[EngineError], connect: Connect) -> None:
    async with misbehaving(reply) as server:
        with pytest.raises(EngineError) as caught:
            async with aclosing(connect(server).stream(asked(choice=("nevus", "acne")))) as pieces:
                assert [piece async for piece in pieces]
    assert type(caught.value) is kind
    assert "Example" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.anyio
async def test_a_failure_that_passes_is_not_noticed(connect: Connect) -> None:
    async with misbehaving(refuses(503), refuses(500), says("nevus")) as server:
        assert (await connect(server).complete(asked(choice=("nevus",)))).text == "nevus"
        assert server.requests[0] == server.requests[2]
    async with (
        misbehaving(refuses(500), streams("ne", "vus")) as server,
        aclosing(connect(server).stream(asked())) as pieces,
    ):
        assert [piece async for piece in pieces] == ["ne", "vus"]


@pytest.mark.anyio
async def test_the_pause_a_server_asks_for_is_kept(connect: Connect) -> None:
    async with misbehaving(refuses(429, {"retry-after": "0.3"}), says("nevus")) as server:
        started = time.perf_counter()
        await connect(server).complete(asked())
    assert time.perf_counter() - started >= 0.3


@pytest.mark.anyio
async def test_the_pause_a_server_asks_for_does_not_outlast_the_call(connect: Connect) -> None:
    async with misbehaving(refuses(429, {"retry-after": "30"})) as server:
        with pytest.raises(errors.EngineTimedOut):
            await connect(server, total=0.2).complete(asked())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (says("x"), errors.MalformedAnswer),  # the server does not know the field that asks for them
        (says("x", prompt_logprobs=[None, {"5": {"logprob": -1.0, "decoded_token": "The a"}}]), errors.InputRefused),
        (says("x", prompt_logprobs=[None, {}]), errors.InputRefused),
        (says("x", prompt_logprobs=[None, {"5": {"logprob": "-1", "other": "a"}}]), errors.MalformedAnswer),
        (refuses(404), errors.EngineMisconfigured),
    ],
)
async def test_a_score_is_exact_or_absent(reply: Reply, kind: type[EngineError], connect: Connect) -> None:
    async with misbehaving(reply) as server:
        with pytest.raises(EngineError) as caught:
            await connect(server).score(asked(), ["a", "b", "c"])
    assert type(caught.value) is kind


@pytest.mark.anyio
async def test_a_score_is_the_sum_over_the_tokens_of_the_continuation(connect: Connect) -> None:
    tokens = [("What is it? This", -9.0), (" image", -8.0), (" pso", -0.5), ("riasis", -0.25), (".", -0.125)]
    entries = [{str(number): {"logprob": p, "decoded_token": t}} for number, (t, p) in enumerate(tokens)]
    async with misbehaving(says("x", prompt_logprobs=[None, *entries])) as server:
        (score,) = await connect(server).score(asked(opening="This image"), [" psoriasis."])
    assert score == LabelScore(" psoriasis.", -0.5 - 0.25 - 0.125, 3, 9)


@pytest.mark.anyio
async def test_a_probe_that_generates_nothing_is_none(connect: Connect) -> None:
    async with misbehaving(says("", usage={"prompt_tokens": 5, "completion_tokens": 0})) as server:
        with pytest.raises(errors.MalformedAnswer, match="without generating"):
            await connect(server).probe()
        assert server.requests[0]["max_completion_tokens"] == 1
    with pytest.raises(errors.EngineUnreachable):
        await connect(server).probe()


@pytest.mark.anyio
async def test_the_key_of_the_environment_stays_here(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    async with misbehaving(says("nevus")) as server:
        engine = connect(server)
        assert (await engine.complete(asked())).text == "nevus"
    assert engine._client.api_key == "none"
