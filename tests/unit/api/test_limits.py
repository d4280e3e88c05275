"""Rates and turns: who is served, who waits, who is refused, and that a turn always comes back."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from api.errors import TooBusy, TooManyRequests
from api.limits import Rate, Turns, answer_until

START = {"type": "http.response.start", "status": 200, "headers": []}
FOREVER = 1e6  # seconds

App = Callable[[Any, Any, Any], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


class Handler:
    """As much of a route as a turn looks at."""

    def __init__(self, answers: bool) -> None:
        self.opt = {"answers": True} if answers else {}


async def nothing(*_: Any) -> None: ...


async def asked(turns: Turns, app: App, *, answers: bool = True) -> list[dict[str, Any]]:
    """What was sent."""
    scope: Any = {"type": "http", "method": "POST", "headers": [], "route_handler": Handler(answers)}
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        await checkpoint()
        sent.append(message)

    await turns.handle(scope, nothing, send, app)  # type: ignore[arg-type]
    return sent


async def timed_out(turns: Turns, app: App) -> None:
    """It is refused whole."""
    start, body, *_ = await asked(turns, app)
    assert start["status"] == 504
    problem = json.loads(body["body"])
    assert problem["reason"] == "answer_timed_out"
    assert "answer_seconds" in problem["detail"]


def held(turns: int, waiting: int) -> tuple[Turns, App, anyio.Event, list[str]]:
    """Turns, an application that works until the event comes, and what happened."""
    free, happened = anyio.Event(), []

    async def app(*_: Any) -> None:
        happened.append("began")
        await free.wait()
        happened.append("ended")

    return Turns(turns, waiting, FOREVER), app, free, happened


@pytest.mark.anyio
async def test_more_than_may_work_wait_and_more_than_may_wait_are_told() -> None:
    turns, app, free, happened = held(2, 1)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(asked, turns, app)
        await anyio.wait_all_tasks_blocked()
        assert happened == ["began", "began"]
        with pytest.raises(TooBusy) as refused:
            await asked(turns, app)
        assert refused.value.retry_after > 0
        free.set()
    assert sorted(happened) == ["began"] * 3 + ["ended"] * 3
    await asked(turns, app)  # all turns came back


@pytest.mark.anyio
async def test_without_a_place_to_wait_free_turns_are_given_all_the_same() -> None:
    turns, app, free, _ = held(1, 0)
    async with anyio.create_task_group() as group:
        group.start_soon(asked, turns, app)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(TooBusy):
            await asked(turns, app)
        free.set()
    await asked(turns, app)


@pytest.mark.anyio
async def test_what_computes_nothing_waits_for_nobody() -> None:
    turns, app, free, happened = held(1, 0)
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(partial(asked, turns, app, answers=False))
        await anyio.wait_all_tasks_blocked()
        assert happened == ["began"] * 5
        free.set()


@pytest.mark.anyio
async def test_a_failure_gives_the_turn_back() -> None:
    turns = Turns(1, 0, FOREVER)

    async def fails(*_: Any) -> None:
        raise ValueError("as handlers do")

    for _ in range(3):
        with pytest.raises(ValueError, match="as handlers do"):
            await asked(turns, fails)


@pytest.mark.anyio
async def test_time_that_is_over_ends_the_work_and_says_so() -> None:
    turns, ended = Turns(1, 0, 0.01), []

    async def slow(*_: Any) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    for _ in range(2):
        await timed_out(turns, slow)
    assert ended == [True, True]


@pytest.mark.anyio
async def test_an_answer_that_is_late_is_refused_whole() -> None:
    async def late(_: Any, __: Any, send: Any) -> None:
        with anyio.CancelScope(shield=True):  # as a thread, which cannot be ended
            await anyio.sleep(0.05)
        await send(START)

    await timed_out(Turns(1, 0, 0.01), late)


@pytest.mark.anyio
async def test_waiting_counts_as_time() -> None:
    turns = Turns(1, 1, 0.05)

    async def hogs(_: Any, __: Any, send: Any) -> None:
        await send(START)
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(asked, turns, hogs)
        await anyio.wait_all_tasks_blocked()
        await timed_out(turns, nothing)
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_an_answer_that_has_begun_is_not_cut() -> None:
    until: list[float] = []

    async def streams(scope: Any, __: Any, send: Any) -> None:
        await send(START)
        until.append(answer_until(type("Request", (), {"scope": scope})()))
        await anyio.sleep_until(until[0] + 0.01)
        until.append(0)

    await asked(Turns(1, 0, 0.01), streams)
    assert len(until) == 2


@pytest.mark.anyio
async def test_each_caller_has_a_measure_of_his_own() -> None:
    rate = Rate(2)
    for _ in range(2):
        await rate.spend("a")
    with pytest.raises(TooManyRequests, match="More than 2 requests in a minute") as refused:
        await rate.spend("a")
    assert 1 <= refused.value.retry_after <= 60
    await rate.spend("b")


@pytest.mark.anyio
async def test_each_rate_counts_for_itself() -> None:
    one, other = Rate(1), Rate(1)
    await one.spend("a")
    await other.spend("a")


@pytest.mark.anyio
async def test_a_shared_rate_is_counted_where_all_processes_see_it() -> None:
    asked: list[tuple[str, int]] = []

    def count(whose: str, most: int) -> float | None:
        asked.append((whose, most))
        return None if len(asked) < 3 else 12.2

    rates = [Rate(2, lambda: count) for _ in range(2)]  # of two processes
    for rate in rates:
        await rate.spend("a")
    with pytest.raises(TooManyRequests, match="Wait 13 s") as refused:
        await rates[0].spend("a")
    assert (refused.value.retry_after, asked) == (13, [("a", 2)] * 3)
