"""Work ends when the caller leaves."""

import asyncio
from typing import Any, cast

import pytest
from litestar import Request

from api.errors import CallerLeft
from api.leaving import unless_left
from inference.engines.errors import EngineUnreachable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


class Connection:
    """The part of a request that hears from the caller."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        return await self.heard.get()

    def leave(self) -> None:
        self.heard.put_nowait({"type": "http.disconnect"})

    @property
    def request(self) -> Request[Any, Any, Any]:
        return cast(Request[Any, Any, Any], self)


class Work:
    """Takes as long as it is let; remembers whether it was ended."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> str:
        self.begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


async def test_who_stays_gets_the_answer_and_nobody_listens_any_more() -> None:
    connection, work = Connection(), Work()
    work.may_end.set()
    assert await unless_left(connection.request, work) == "done"
    connection.leave()
    await asyncio.sleep(0)
    assert connection.heard.qsize() == 1, "the listener has ended with the work"


async def test_who_leaves_ends_the_work() -> None:
    connection, work = Connection(), Work()
    answer = asyncio.ensure_future(unless_left(connection.request, work))
    await work.begun.wait()
    connection.leave()
    with pytest.raises(CallerLeft):
        await answer
    assert work.cancelled


async def test_the_rest_of_a_body_is_not_the_end_of_the_connection() -> None:
    connection, work = Connection(), Work()
    answer = asyncio.ensure_future(unless_left(connection.request, work))
    await work.begun.wait()
    connection.heard.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    await asyncio.sleep(0.01)
    assert not answer.done()
    work.may_end.set()
    assert await answer == "done"


async def test_a_failure_of_the_work_comes_by_itself() -> None:
    error = EngineUnreachable("nobody answers")

    async def fails() -> None:
        raise error

    with pytest.raises(EngineUnreachable) as raised:
        await unless_left(Connection().request, fails)
    assert raised.value is error


async def test_an_answer_that_is_none_is_an_answer() -> None:
    async def nothing() -> str | None:
        return None

    assert await unless_left(Connection().request, nothing) is None


async def test_who_cancels_the_handler_ends_the_work() -> None:
    connection, work = Connection(), Work()
    answer = asyncio.ensure_future(unless_left(connection.request, work))
    await work.begun.wait()
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert work.cancelled
