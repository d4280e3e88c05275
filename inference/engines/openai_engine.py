"""An engine behind an HTTP server that speaks the OpenAI protocol: vLLM above all, SGLang and llama.cpp too."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import httpx2
import msgspec
import openai
import stamina
from anyio import to_thread
from openai.types.chat import ChatCompletionChunk

from inference.concurrent import all_of
from inference.engines import openai_wire as wire
from inference.engines.checking import check_constraint, check_continuations
from inference.engines.dialects import Dialect
from inference.engines.errors import EngineError, MalformedAnswer
from inference.engines.gate import Gate, time_limit
from inference.engines.openai_errors import translated
from inference.engines.types import ChatRequest, Completion, LabelScore, ModelIdentity, TokenCount
from inference.prompts import Message, TextPart

CHAT = "/chat/completions"
# vLLM closes a connection that is idle for 5 s; one that it closes while we send would look like a server that died.
_CONNECTIONS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=2.0)


@dataclass(frozen=True, slots=True)
class EngineTimeouts:
    """All in seconds, all > 0."""

    connect: float = 5.0  # until the server accepts a connection
    read: float = 120.0  # until the next byte: for a whole answer its generation, for a stream the next piece
    total: float = 300.0  # for a call, waiting for a place and retries included
    probe: float = 30.0  # for a probe; the first generation of a fresh server can take this long


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one engine object may load onto its server."""

    concurrent: int = 8  # requests at work; a server batches about this many 8B sequences with pictures on 16 GB
    waiting: int = 32  # calls before the door; the next is refused
    attempts: int = 3  # of a request whose failure may pass; 1 never tries again
    first_pause: float = 0.2  # s before the second attempt, doubled for each further one
    longest_pause: float = 5.0  # s; a pause the server asks for counts instead, whatever its length


class OpenAIEngine:
    """See Engine. A score costs one request a continuation; each computes the whole prompt (see `score`)."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        dialect: Dialect = Dialect.VLLM,
        timeouts: EngineTimeouts | None = None,
        limits: EngineLimits | None = None,
    ) -> None:
        """`base_url` ends in /v1. `model` is what a probe asks. Nothing is sent yet."""
        self._model = model
        self._dialect = dialect
        self._root = base_url.rstrip("/").removesuffix("/v1")
        self._timeouts = timeouts or EngineTimeouts()
        self._limits = limits or EngineLimits()
        self._gate = Gate(self._limits.concurrent, self._limits.waiting)
        seconds = openai.Timeout(self._timeouts.read, connect=self._timeouts.connect)
        # The client insists on a key; one that is no key keeps OPENAI_API_KEY of the environment out of our requests.
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key or "none", timeout=seconds, max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(limits=_CONNECTIONS),
        )  # fmt: skip

    @property
    def can_score(self) -> bool:
        """See Engine."""
        return self._dialect.scores_prompts

    async def complete(self, request: ChatRequest) -> Completion:
        """See Engine."""
        started = time.perf_counter()
        with time_limit(self._until()):
            async with self._gate.admitted():
                answer = await self._ask(lambda: wire.body(request, self._dialect))
        completion = wire.completion(answer, time.perf_counter() - started)
        check_constraint(request, completion.text, completion.finish_reason)
        return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        """See Engine. Tried again only as long as nothing came."""
        deadline = self._until()
        text, finish_reason = "", None
        async with self._gate.admitted(), self._gate.slot(deadline):
            with time_limit(deadline):
                chunks = await self._open_stream(request)
            try:
                while (chunk := await self._next_chunk(chunks, deadline)) is not None:
                    for choice in chunk.choices[:1]:
                        finish_reason = choice.finish_reason or finish_reason
                        if choice.delta.content:
                            text += choice.delta.content
                            yield choice.delta.content
            finally:
                # Closing the connection is what tells the server to stop; it must happen although we were cancelled.
                with anyio.CancelScope(shield=True):
                    await chunks.close()
        if finish_reason is None:
            raise MalformedAnswer("the stream ended before the answer did")
        check_constraint(request, text, finish_reason)

    async def score(self, request: ChatRequest, continuations: Sequence[str]) -> tuple[LabelScore, ...]:
        """See Engine. One request each, all sent at once as far as the limits allow.

        For n continuations the server computes n times the prompt plus the continuations, and n tokens: it does not
        read its prefix cache when it reports on the prompt. Pictures are sent again each time, but encoded here once.
        """
        check_continuations(continuations)

        async def one(body: dict[str, Any], continuation: str) -> LabelScore:
            answer = await self._ask(lambda: body)
            with translated():
                return wire.label_score(answer, continuation)

        with time_limit(self._until()):
            async with self._gate.admitted():
                bodies = await to_thread.run_sync(wire.scoring_bodies, request, continuations)
                pairs = zip(bodies, continuations, strict=True)
                return tuple(await all_of([partial(one, body, continuation) for body, continuation in pairs]))

    async def count(self, request: ChatRequest) -> TokenCount | None:
        """See Engine. Pictures are sent: the server looks at them once and keeps what it made of them."""
        if not self._dialect.counts_chats:
            return None
        with time_limit(self._until()):
            async with self._gate.admitted(), self._gate.slot():
                content = await to_thread.run_sync(lambda: wire.encoded(wire.counting_body(request)))
                with translated():
                    raw = await self._client.post(f"{self._root}/tokenize", cast_to=httpx2.Response, content=content)
                    counted = msgspec.json.decode(raw.content, type=wire.Tokens)
        return TokenCount(counted.count, counted.max_model_len)

    async def probe(self) -> float:
        """See Engine. Passes the queue by and is not repeated: it asks whether the server answers now."""
        request = ChatRequest((Message("user", (TextPart("Say yes."),)),), self._model, max_new_tokens=1)
        started = time.perf_counter()
        with time_limit(self._until(self._timeouts.probe)):
            answer = await self._send(wire.encoded(wire.body(request, self._dialect)))
        if answer.usage.completion_tokens < 1:
            raise MalformedAnswer("the engine answered without generating anything")
        return time.perf_counter() - started

    async def identity(self) -> ModelIdentity:
        """What the server says it serves. Raises EngineMisconfigured when it is not this engine's model."""
        with time_limit(self._until(self._timeouts.probe)), translated():
            raw = await self._client.get("/models", cast_to=httpx2.Response)
            return wire.identity(msgspec.json.decode(raw.content, type=wire.Models), self._model)

    async def aclose(self) -> None:
        """See Engine."""
        await self._client.close()

    async def _ask(self, make_body: Callable[[], dict[str, Any]]) -> wire.Answer:
        """One request in its turn, repeated while its failure may pass."""
        async with self._gate.slot():
            content = await to_thread.run_sync(lambda: wire.encoded(make_body()))
            async for attempt in self._attempts():
                with attempt:
                    answer = await self._send(content)
        return answer

    async def _send(self, content: bytes) -> wire.Answer:
        # Not `chat.completions.create`: it walks through every body, which took a tenth of a consultation's time, and
        # fills its objects without validation.
        with translated():
            raw = await self._client.post(CHAT, cast_to=httpx2.Response, content=content)
            return msgspec.json.decode(raw.content, type=wire.Answer)

    async def _open_stream(self, request: ChatRequest) -> openai.AsyncStream[ChatCompletionChunk]:
        content = await to_thread.run_sync(lambda: wire.encoded({**wire.body(request, self._dialect), "stream": True}))
        async for attempt in self._attempts():
            with attempt, translated():
                chunks = await self._client.post(
                    CHAT,
                    cast_to=ChatCompletionChunk,
                    content=content,
                    stream=True,
                    stream_cls=openai.AsyncStream[ChatCompletionChunk],
                )
        return chunks

    async def _next_chunk(self, chunks: openai.AsyncStream[ChatCompletionChunk], deadline: float) -> wire.Chunk | None:
        """The next event, or None at the end. Timed one by one: a time limit cannot stay open while a stream yields."""
        with time_limit(deadline), translated():
            try:
                return msgspec.convert((await anext(chunks)).to_dict(), wire.Chunk)
            except StopAsyncIteration:
                return None

    def _attempts(self) -> AsyncIterator[stamina.Attempt]:
        return stamina.retry_context(
            on=_pause,
            attempts=self._limits.attempts,
            timeout=None,  # the deadline of the call stands
            wait_initial=self._limits.first_pause,
            wait_max=self._limits.longest_pause,
            wait_jitter=self._limits.first_pause,  # so that clients of a restarted server do not return in step
        ).__aiter__()

    def _until(self, seconds: float | None = None) -> float:
        """The end of a call that begins now, in the event loop's time."""
        return anyio.current_time() + (self._timeouts.total if seconds is None else seconds)


def _pause(error: Exception) -> bool | float:
    """Whether to try again, and after how many seconds where the server has asked for a pause."""
    if not isinstance(error, EngineError) or not error.retryable:
        return False
    return True if error.retry_after is None else error.retry_after
