"""When a server may end, and what it ends on the way."""

import anyio
import pytest

from api.draining import LAST_WORDS_S, Draining, Running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


async def test_a_server_that_nobody_ends_goes_on() -> None:
    assert not Draining(5).tick(0)


async def test_a_server_with_nothing_to_do_ends_at_once() -> None:
    draining = Draining(5)
    assert draining.begin()
    assert not draining.begin()
    assert draining.tick(0)


async def test_what_runs_is_waited_for() -> None:
    draining, running = Draining(5), Running("POST")
    with draining.counted(running):
        draining.begin()
        assert not draining.tick(100)
        assert not draining.tick(104.9)
        assert not running.scope.cancel_called
    assert draining.tick(104.9)


async def test_what_is_not_done_in_time_is_ended_and_may_say_so() -> None:
    over: list[bool] = []
    draining, running = Draining(5, lambda: over.append(True)), Running("POST")
    with draining.counted(running):
        draining.begin()
        draining.tick(100)
        assert not over
        assert not draining.tick(105)
        assert running.scope.cancel_called
        assert not draining.tick(105 + LAST_WORDS_S - 0.1)
        assert draining.tick(105 + LAST_WORDS_S)
    assert over == [True]


async def test_a_server_in_a_hurry_gives_no_more_time() -> None:
    draining, running = Draining(3_600), Running("POST")
    with draining.counted(running):
        draining.begin()
        draining.tick(100)
        assert draining.hurry()
        assert not draining.hurry()
        assert not draining.tick(101)
        assert running.scope.cancel_called
        assert draining.tick(101 + LAST_WORDS_S)


async def test_readers_of_events_are_ended_at_once_and_consultations_are_not() -> None:
    draining = Draining(5)
    follower, consultation = Running("GET", streams=True), Running("POST", streams=True)
    with draining.counted(follower), draining.counted(consultation):
        draining.begin()
        draining.tick(0)
        assert (follower.scope.cancel_called, consultation.scope.cancel_called) == (True, False)


async def test_a_cancelled_request_ends_where_it_waits() -> None:
    draining, running = Draining(0), Running("POST")
    with draining.counted(running):
        draining.begin()
        with anyio.fail_after(30), running.scope:
            draining.tick()
            await anyio.sleep_forever()
        assert running.scope.cancelled_caught
