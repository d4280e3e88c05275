"""The OpenAI engine against a real vLLM server, beside the transformers engine on the same random checkpoint."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from PIL import Image
from transformers import AutoProcessor

from inference.engines import ChatRequest, Engine, label_mass
from inference.engines import openai_wire as wire
from inference.engines.errors import (
    ContextTooLong,
    EngineMisconfigured,
    EngineOverloaded,
    EngineTimedOut,
    InputRefused,
    MalformedAnswer,
)
from inference.engines.openai_engine import EngineLimits, EngineTimeouts, OpenAIEngine
from inference.engines.replica import Standing
from inference.engines.replicated import ReplicatedEngine
from inference.engines.transformers_engine import TransformersEngine
from inference.prompts import ImagePart, Message, Pixels, TextPart
from tests.vllm.server import CONTEXT, MODEL, PICTURES, VllmServer

# Both engines compute in float32 but sum in another order; over about 10 tokens that leaves this much (nats).
TOLERANCE = 2e-3
LABELS = ("psoriasis", "lichen planus", "acne vulgaris", "melanocytic nevi", "melanocytic nevus", "Sjögren rash")
ANSWERS = tuple(f"This image shows {label}." for label in LABELS)
# Keeps a model busy for many seconds that would otherwise end after a few tokens.
LONG = {"type": "object", "properties": {"text": {"type": "string", "minLength": 3000}}, "required": ["text"]}

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]  # the first test starts the server

Connect = Callable[..., OpenAIEngine]


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


@pytest.fixture
async def connect(vllm_server: VllmServer) -> AsyncIterator[Connect]:
    """Makes engines on the server and closes them."""
    made: list[OpenAIEngine] = []

    def make(timeouts: EngineTimeouts | None = None, limits: EngineLimits | None = None) -> OpenAIEngine:
        made.append(OpenAIEngine(vllm_server.url, MODEL, timeouts=timeouts, limits=limits))
        return made[-1]

    yield make
    for engine in made:
        await engine.aclose()


@pytest.fixture
def served(connect: Connect) -> OpenAIEngine:
    """The engine over HTTP."""
    return connect()


@pytest.fixture(scope="session")
def local(tiny_checkpoint: Path) -> TransformersEngine:
    """The engine in this process."""
    return TransformersEngine(tiny_checkpoint, MODEL)


@pytest.fixture
async def replicated(vllm_replicas: tuple[VllmServer, VllmServer]) -> AsyncIterator[ReplicatedEngine]:
    """The engine over two servers."""
    once = EngineLimits(attempts=1)
    engine = ReplicatedEngine(
        {str(one.port): OpenAIEngine(one.url, MODEL, limits=once) for one in vllm_replicas}, MODEL
    )
    yield engine
    assert not any(one.standing is Standing.OUT for one in engine.replicas)  # what was refused took nobody out
    await engine.aclose()


@pytest.fixture(params=["served", "local", "replicated"])
def engine(
    request: pytest.FixtureRequest, served: OpenAIEngine, local: TransformersEngine, replicated: ReplicatedEngine
) -> Engine:
    """Each of them in turn."""
    engines: dict[str, Engine] = {"served": served, "local": local, "replicated": replicated}
    return engines[request.param]


def picture(number: int, height: int = 160, width: int = 192) -> Pixels:
    """A picture of noise; the same number gives the same."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def asked(
    *pictures: int, opening: str = "", tokens: int = 8, words: str = "What is it?", **fields: object
) -> ChatRequest:
    """A question about pictures in their order."""
    parts = [part for number in pictures for part in (TextPart(f"Image {number}:"), ImagePart(picture(number)))]
    messages = [Message("system", (TextPart("Be brief."),)), Message("user", (*parts, TextPart(words)))]
    if opening:
        messages.append(Message("assistant", (TextPart(opening),)))
    return ChatRequest(tuple(messages), MODEL, tokens, **fields)  # type: ignore[arg-type] # fields by name


async def test_an_answer_says_what_it_cost(engine: Engine) -> None:
    answer = await engine.complete(asked(1, logprobs=True))
    assert answer.finish_reason == "length"
    assert answer.completion_tokens == len(answer.logprobs) == 8
    assert answer.prompt_tokens > 5 * 6  # one token for a square of 32 px, and the words
    assert 0 < answer.latency < 120
    assert all(token.logprob <= 0 for token in answer.logprobs)


async def test_what_a_prompt_will_cost_is_known_before(engine: Engine) -> None:
    for request in (asked(1), asked(1, 2, 3, opening="This image"), asked(words="psoriasis " * 40)):
        counted = await engine.count(request)
        assert counted is not None
        assert counted.prompt == (await engine.complete(request)).prompt_tokens
        assert counted.limit >= CONTEXT


async def test_both_engines_say_the_same_of_four_pictures_in_their_order(
    served: OpenAIEngine, local: TransformersEngine
) -> None:
    seen = {}
    for order in ((1, 2, 3, 4), (4, 3, 2, 1), (1, 3, 2, 4)):
        request = asked(*order, tokens=12, logprobs=True)
        one, other = await served.complete(request), await local.complete(request)
        assert one.text == other.text
        assert one.prompt_tokens == other.prompt_tokens
        ours, theirs = ([token.logprob for token in answer.logprobs] for answer in (one, other))
        assert ours == pytest.approx(theirs, abs=TOLERANCE)
        seen[order] = round(ours[0], 2)
    assert len(set(seen.values())) == 3  # the order matters to the model: nothing was sorted or repeated


async def test_the_server_sees_the_tokens_that_transformers_renders(
    vllm_server: VllmServer, tiny_checkpoint: Path
) -> None:
    request = asked(1, 2, opening="This image")
    body = wire.body(request)
    sent = {**body, "return_token_ids": True}
    answer = httpx.post(f"{vllm_server.url}/chat/completions", json=sent, timeout=120).json()
    untyped: Any = AutoProcessor
    processor = untyped.from_pretrained(tiny_checkpoint)
    turns = [
        {"role": message.role, "content": [_as_template_reads(part) for part in message.parts]}
        for message in request.messages
    ]
    text = processor.apply_chat_template(turns, tokenize=False, continue_final_message=True)
    images = [Image.fromarray(picture(number)) for number in (1, 2)]
    rendered = processor(text=[text], images=images)["input_ids"][0]
    assert answer["prompt_token_ids"] == list(rendered)
    assert text.endswith("<|im_start|>assistant\nThis image")


def _as_template_reads(part: TextPart | ImagePart) -> dict[str, str]:
    return {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image"}


@pytest.mark.parametrize("number", range(4))
async def test_a_choice_is_kept_and_equal_in_both_engines(
    served: OpenAIEngine, local: TransformersEngine, number: int
) -> None:
    request = asked(number, tokens=64, choice=LABELS)
    one, other = await served.complete(request), await local.complete(request)
    assert one.text == other.text
    assert one.text in LABELS
    assert one.finish_reason == other.finish_reason == "stop"


async def test_a_choice_continues_the_opening(engine: Engine) -> None:
    rest = tuple(f" {label}." for label in LABELS)
    answer = await engine.complete(asked(1, opening="This image shows", tokens=64, choice=rest))
    assert answer.text in rest


async def test_a_choice_that_was_cut_off_is_no_answer(engine: Engine) -> None:
    with pytest.raises(MalformedAnswer, match="cut off"):
        await engine.complete(asked(1, tokens=1, choice=("melanocytic nevi, as large as life",)))


async def test_an_answer_is_held_to_a_schema(served: OpenAIEngine) -> None:
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(LABELS)}},
        "required": ["label"],
        "additionalProperties": False,
    }
    answer = await served.complete(asked(1, tokens=64, json_schema=schema))
    assert answer.text in [f'{{"label":"{label}"}}' for label in LABELS]


async def test_this_process_cannot_hold_an_answer_to_a_schema(local: TransformersEngine) -> None:
    with pytest.raises(InputRefused, match="schema"):
        await local.complete(asked(1, json_schema={"type": "object"}))


async def test_scores_agree_and_leave_room_for_other_answers(served: OpenAIEngine, local: TransformersEngine) -> None:
    request = asked(1, 2, 3, 4)
    ours, theirs = await served.score(request, ANSWERS), await local.score(request, ANSWERS)
    assert [score.text for score in ours] == list(ANSWERS)
    assert [score.logprob for score in ours] == pytest.approx([score.logprob for score in theirs], abs=TOLERANCE)
    assert [(score.tokens, score.prompt_tokens) for score in ours] == [(s.tokens, s.prompt_tokens) for s in theirs]
    assert all(score.tokens > 3 for score in ours)
    assert 0 < label_mass(ours) < 1e-6  # a random model says none of them, and the score does not hide it


async def test_a_score_is_the_probability_with_which_the_model_says_it(engine: Engine) -> None:
    request = asked(3, tokens=1, logprobs=True)
    said = await engine.complete(request)
    (score,) = await engine.score(request, [said.text])
    assert score.logprob == pytest.approx(said.logprobs[0].logprob, abs=TOLERANCE)
    assert score.tokens == 1


async def test_scores_of_a_divided_answer_add_up(engine: Engine) -> None:
    whole = await engine.score(asked(2), ANSWERS[:3])
    (begun,) = await engine.score(asked(2), ["This image shows"])
    rest = await engine.score(asked(2, opening="This image shows"), [f" {label}." for label in LABELS[:3]])
    assert [score.logprob for score in whole] == pytest.approx(
        [begun.logprob + score.logprob for score in rest], abs=TOLERANCE
    )


async def test_a_continuation_that_the_tokenizer_joins_has_no_score(engine: Engine) -> None:
    with pytest.raises(InputRefused, match="joins"):
        await engine.score(asked(1, opening="This im"), ["age shows psoriasis."])


async def test_the_pieces_of_a_stream_are_the_answer(engine: Engine) -> None:
    request = asked(1, tokens=24)
    async with aclosing(engine.stream(request)) as pieces:
        told = [piece async for piece in pieces]
    assert "".join(told) == (await engine.complete(request)).text
    assert len(told) > 3


async def test_a_choice_can_be_streamed(engine: Engine) -> None:
    async with aclosing(engine.stream(asked(1, tokens=64, choice=LABELS))) as pieces:
        assert "".join([piece async for piece in pieces]) in LABELS
    with pytest.raises(MalformedAnswer):
        async with aclosing(engine.stream(asked(1, tokens=1, choice=("melanocytic nevi",)))) as pieces:
            assert [piece async for piece in pieces]


@asynccontextmanager
async def _left_early(server: VllmServer) -> AsyncIterator[None]:
    """What is asked inside ends at the server before it is answered, however slow either side is."""
    await anyio.sleep(0.3)  # an earlier answer is counted a moment after it was sent
    answered = _answered(server)
    yield
    while server.metric("vllm:num_requests_running") > 0:
        await anyio.sleep(0.05)
    assert _answered(server) == answered


def _answered(server: VllmServer) -> float:
    """How many requests the server worked on to their end."""
    return sum(server.metric("vllm:request_success_total", finished_reason=reason) for reason in ("stop", "length"))


async def _busy(server: VllmServer) -> None:
    while server.metric("vllm:num_requests_running") == 0:
        await anyio.sleep(0.05)


async def test_an_answer_that_is_waited_for_counts_as_one(served: OpenAIEngine, vllm_server: VllmServer) -> None:
    before = _answered(vllm_server)
    await served.complete(asked(1))
    while _answered(vllm_server) == before:  # counted a moment after the answer was sent
        await anyio.sleep(0.05)
    assert _answered(vllm_server) == before + 1


async def test_cancelling_the_caller_cancels_at_the_server(served: OpenAIEngine, vllm_server: VllmServer) -> None:
    async with _left_early(vllm_server), anyio.create_task_group() as group:
        group.start_soon(served.complete, asked(1, tokens=3000, json_schema=LONG))
        await _busy(vllm_server)
        group.cancel_scope.cancel()
    assert await served.probe() > 0  # the connection and the place are free again


async def test_closing_a_stream_cancels_at_the_server(served: OpenAIEngine, vllm_server: VllmServer) -> None:
    async with (
        _left_early(vllm_server),
        aclosing(served.stream(asked(1, tokens=3000, json_schema=LONG))) as pieces,
    ):
        assert await anext(pieces)
        assert vllm_server.metric("vllm:num_requests_running") == 1


async def test_cancelling_frees_the_engine_in_this_process(local: TransformersEngine) -> None:
    endless = asked(1, tokens=4000, choice=("k" * 4000,))
    with anyio.move_on_after(0.5) as scope:
        await local.complete(endless)
    assert scope.cancelled_caught
    async with aclosing(local.stream(endless)) as pieces:
        assert await anext(pieces)
    assert await local.probe() < 10  # the 4000 tokens take 19 s on two idle cores


@pytest.mark.parametrize("timeouts", [EngineTimeouts(read=0.5), EngineTimeouts(total=0.5)])
async def test_what_takes_too_long_is_ended(
    connect: Connect, vllm_server: VllmServer, timeouts: EngineTimeouts
) -> None:
    async with _left_early(vllm_server):
        with pytest.raises(EngineTimedOut) as caught:
            await connect(timeouts).complete(asked(1, tokens=3000, json_schema=LONG))
    assert not caught.value.retryable


async def test_a_stream_that_takes_too_long_is_ended(connect: Connect, vllm_server: VllmServer) -> None:
    stream = connect(EngineTimeouts(total=1.5)).stream(asked(1, tokens=3000, json_schema=LONG))
    async with _left_early(vllm_server), aclosing(stream) as pieces:
        with pytest.raises(EngineTimedOut):
            assert [piece async for piece in pieces]


async def test_a_prompt_beyond_the_context_is_refused(engine: Engine) -> None:
    with pytest.raises(ContextTooLong) as caught:
        await engine.complete(asked(words="scale " * 9000))
    assert "scale" not in str(caught.value)
    with pytest.raises(ContextTooLong):
        await engine.complete(asked(tokens=9000))


async def test_pictures_the_server_does_not_take_are_refused(served: OpenAIEngine) -> None:
    with pytest.raises(InputRefused, match="HTTP 400"):
        await served.complete(asked(*range(PICTURES + 1)))


async def test_a_picture_the_processor_cannot_cut_is_refused(engine: Engine) -> None:
    strip = ImagePart(picture(0, height=1, width=600))  # Qwen's processor takes sides of at most 200 to 1
    with pytest.raises(InputRefused):
        await engine.complete(ChatRequest((Message("user", (strip,)),), MODEL, 8))
    assert (await engine.complete(asked(1))).completion_tokens == 8  # and it did no harm


async def test_another_model_is_a_mistake_of_the_configuration(engine: Engine) -> None:
    message = Message("user", (TextPart("What is it?"),))
    with pytest.raises(EngineMisconfigured):
        await engine.complete(ChatRequest((message,), "another", 8))


async def test_a_full_queue_refuses_and_says_when_to_come_again(connect: Connect) -> None:
    engine = connect(limits=EngineLimits(concurrent=1, waiting=2))
    refused: list[EngineOverloaded] = []
    answered: list[str] = []

    async def one(number: int) -> None:
        try:
            answered.append((await engine.complete(asked(number, tokens=16))).text)
        except EngineOverloaded as error:
            refused.append(error)

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(one, number)
    assert (len(answered), len(refused)) == (3, 2)
    assert all(error.retryable and error.retry_after is not None and error.retry_after >= 1 for error in refused)


async def test_the_prompt_of_a_second_question_is_not_computed_again(served: OpenAIEngine) -> None:
    request = asked(7, 8, words="What is it, once more?")
    first, second = await served.complete(request), await served.complete(request)
    assert first.cached_tokens is not None
    assert second.cached_tokens is not None
    assert second.cached_tokens > first.cached_tokens
    assert second.text == first.text


async def test_a_probe_generates(engine: Engine) -> None:
    assert 0 < await engine.probe() < 60
