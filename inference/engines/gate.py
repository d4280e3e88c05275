"""How many requests an engine works on, how many may wait, and what the others are told."""

import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import anyio

from inference.engines.errors import EngineOverloaded, EngineTimedOut

_FIRST_GUESS: Final = 1.0  # s a request takes, until one has been seen
_WEIGHT: Final = 0.2  # of the newest duration in the running mean


class Gate:
    """`concurrent` requests at work, `waiting` calls before the door; a call beyond that is refused at once.

    A queue without a bound makes every answer late; a refusal can go to another server.
    """

    def __init__(self, concurrent: int, waiting: int) -> None:
        if concurrent < 1 or waiting < 0:
            raise ValueError("at least one request must be allowed at once, and waiting cannot be negative")
        self._concurrent = concurrent
        self._places = concurrent + waiting
        self._inside = 0
        self._slots = anyio.Semaphore(concurrent)
        self._mean = _FIRST_GUESS

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """A place for one call, however many requests it makes. Raises EngineOverloaded when there is none."""
        if self._inside >= self._places:
            raise EngineOverloaded("the engine's queue is full", retry_after=self._retry_after())
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @asynccontextmanager
    async def slot(self, until: float = math.inf) -> AsyncIterator[None]:
        """The right to make one request; waits for it, but not longer than `until` (see `time_limit`)."""
        with time_limit(until):
            await self._slots.acquire()
        started = time.perf_counter()
        try:
            yield
            # Only what succeeded: a refusal takes no time and would make the queue look fast.
            self._mean += _WEIGHT * (time.perf_counter() - started - self._mean)
        finally:
            self._slots.release()

    def _retry_after(self) -> float:
        """When a place is free: the waiting calls, worked off at the mean duration. Whole seconds, at least 1."""
        queued = max(1, self._inside - self._concurrent)
        return float(math.ceil(queued * self._mean / self._concurrent))


@contextmanager
def time_limit(until: float) -> Iterator[None]:
    """Cancel what is inside at a time of the event loop's clock (`anyio.current_time`) and raise EngineTimedOut."""
    with anyio.CancelScope(deadline=until) as scope:
        yield
    if scope.cancelled_caught:
        raise EngineTimedOut("the engine did not answer in time")
