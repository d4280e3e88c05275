"""Several calls at once fail as one would."""

from functools import partial

import anyio
import pytest

from inference.concurrent import all_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


async def after(turns: int, value: int) -> int:
    for _ in range(turns):
        await anyio.sleep(0)
    return value


async def test_results_stand_in_the_order_of_the_calls_not_of_their_ends() -> None:
    assert await all_of([partial(after, 9, 1), partial(after, 1, 2), partial(after, 5, 3)]) == [1, 2, 3]
    assert await all_of([]) == []


async def test_the_first_failure_comes_by_itself_and_ends_the_others() -> None:
    ended = False

    async def for_ever() -> int:
        nonlocal ended
        try:
            await anyio.sleep_forever()
        finally:
            ended = True
        return 0

    async def fails() -> int:
        await anyio.sleep(0)
        raise KeyError("the one")

    with pytest.raises(KeyError, match="the one"):
        await all_of([for_ever, fails])
    assert ended


async def test_two_failures_at_once_are_one_error() -> None:
    async def fails(name: str) -> int:
        raise KeyError(name)

    with pytest.raises(KeyError, match="first"):
        await all_of([partial(fails, "first"), partial(fails, "second")])


async def test_who_cancels_the_call_cancels_every_part() -> None:
    started, ended = 0, 0

    async def for_ever() -> int:
        nonlocal started, ended
        started += 1
        try:
            await anyio.sleep_forever()
        finally:
            ended += 1
        return 0

    with anyio.move_on_after(0.01) as scope:
        await all_of([for_ever, for_ever])
    assert scope.cancelled_caught
    assert started == ended == 2
