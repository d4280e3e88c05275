"""A consultation as server-sent events: what happens, as it happens; the last is `outcome`, or `error` with a problem."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import fields
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from litestar.response import ServerSentEventMessage
from litestar.serialization import encode_json

from api.errors import AnswerTimedOut
from api.problems import ROOTS, Problem, domain_problem, unexpected_problem, without_nothing
from inference.events import Event, Outcome
from inference.types import Answer

AnotherForm = Callable[[Answer], Awaitable[Mapping[str, Any]]]

PING_S = 15.0  # silence after which a comment is sent, so that no proxy takes the connection for dead
AHEAD = 16  # events made before the caller has read them


async def told(
    events: AsyncGenerator[Event, None], fhir: AnotherForm | None = None, until: float = math.inf
) -> AsyncGenerator[ServerSentEventMessage, None]:
    """The events as messages. Closing it, as a caller does who leaves, ends the consultation; so does the time `until`.

    `fhir` makes one event more of the answer, before `outcome`.

    The consultation runs in one task of its own: it opens time limits that must be closed where they were opened, and
    waiting for the next event with a ping in between must not cancel it.
    """
    send, receive = anyio.create_memory_object_stream[ServerSentEventMessage](AHEAD)
    task = asyncio.create_task(_tell(events, send, fhir, until))
    try:
        async with receive:
            while True:
                message = None
                with anyio.move_on_after(PING_S):
                    message = await receive.receive()
                yield message or ServerSentEventMessage(comment="still at work", data=None)
    except anyio.EndOfStream:
        return
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _tell(
    events: AsyncGenerator[Event, None], send: MemoryObjectSendStream[ServerSentEventMessage],
    fhir: AnotherForm | None, until: float,
) -> None:  # fmt: skip
    async with send, aclosing(events):
        try:
            with anyio.CancelScope(deadline=until) as limit:
                async for event in events:
                    if fhir is not None and isinstance(event, Outcome):
                        await send.send(_message("fhir", await fhir(event.answer)))
                    await send.send(_message(event.name, _data(event)))
            if limit.cancelled_caught:
                await send.send(_problem(domain_problem(AnswerTimedOut())))
        except ROOTS as error:
            await send.send(_problem(domain_problem(error)))
        except Exception as error:
            await send.send(_problem(unexpected_problem(error)))


def _data(event: Event) -> Any:
    """Everything of the event but its name; the outcome is the very answer that a caller without a stream gets."""
    if isinstance(event, Outcome):
        return event.answer
    return {one.name: getattr(event, one.name) for one in fields(event)}


def _problem(problem: Problem) -> ServerSentEventMessage:
    return _message("error", without_nothing(problem))


def _message(name: str, data: Mapping[str, Any] | Any) -> ServerSentEventMessage:
    return ServerSentEventMessage(event=name, data=encode_json(data).decode())
