"""One of several servers of the same model: whether it may be asked, when it is tried again, and what it did so far."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from inference.engines.errors import EngineError, EngineMisconfigured, EngineOverloaded
from inference.engines.protocol import Engine
from inference.engines.types import ModelIdentity


class IdentifiedEngine(Engine, Protocol):
    """An engine that can say what it serves."""

    async def identity(self) -> ModelIdentity:
        """What its server says it serves. Raises EngineMisconfigured when that is not the engine's model."""


class Standing(StrEnum):
    """Whether a replica is asked."""

    UNTRIED = "untried"  # nothing was asked of it yet
    IN = "in"
    OUT = "out"  # until a real generation succeeds


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds before a replica that is out is tried again, doubled after each failure."""

    first: float = 1.0
    longest: float = 10.0


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """What is told of a replica; counts since the engine was made. `problem` is why it is out."""

    name: str
    standing: Standing
    problem: EngineError | None
    in_flight: int
    requests: int
    failures: int
    taken_out: int

    @property
    def told(self) -> str:
        """The same in words, for who runs the service."""
        return f"{self.standing}: {self.problem}" if self.problem else str(self.standing)


@dataclass(eq=False, slots=True)
class Replica:
    """A server with its standing. Used within one event loop; reading its numbers is safe from anywhere."""

    name: str
    engine: IdentifiedEngine
    pauses: Pauses
    standing: Standing = Standing.UNTRIED
    problem: EngineError | None = None
    identity: ModelIdentity | None = None
    in_flight: int = 0
    requests: int = 0
    failures: int = 0
    taken_out: int = 0
    proof: asyncio.Task[None] | None = None  # the one that runs, or the last
    _pause: float = field(init=False)
    _due: float = field(init=False, default=0.0)  # on the monotonic clock, as the next
    _rests_until: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._pause = self.pauses.first

    @property
    def is_in(self) -> bool:
        """Whether it is asked."""
        return self.standing is Standing.IN

    @property
    def is_due(self) -> bool:
        """Whether it is not asked and it is time to try it."""
        return not self.is_in and not self.is_being_tried and time.monotonic() >= self._due

    @property
    def is_being_tried(self) -> bool:
        """Whether a proof runs."""
        return self.proof is not None and not self.proof.done()

    @property
    def rests(self) -> bool:
        """Whether it said that it is full, and the time to come again has not come."""
        return self.rest_left > 0

    @property
    def rest_left(self) -> float:
        """In how many seconds it has."""
        return max(0.0, self._rests_until - time.monotonic())

    @property
    def state(self) -> ReplicaState:
        """As it is now."""
        return ReplicaState(
            self.name, self.standing, self.problem, self.in_flight, self.requests, self.failures, self.taken_out
        )

    @contextmanager
    def working(self, requests: int) -> Iterator[None]:
        """So many requests are at it."""
        self.in_flight += requests
        self.requests += requests
        try:
            yield
        finally:
            self.in_flight -= requests

    def rest(self, busy: EngineOverloaded) -> None:
        """It is alive and full: others first."""
        self._rests_until = time.monotonic() + (busy.retry_after or 0.0)

    def take_out(self, problem: EngineError) -> None:
        """It is asked no more, or still not."""
        if self.is_in:
            self.taken_out += 1
            self._pause = self.pauses.first
        self.standing, self.problem = Standing.OUT, problem
        self._due = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, self.pauses.longest)

    async def prove(self, expected: Callable[[], ModelIdentity | None]) -> None:
        """Let it generate a token, and take it in or out by that. `expected`: what those that are in serve by then.

        A proof of one that is in changes nothing where it was only too busy, nor one that a failure has overtaken.
        """
        before = self.taken_out
        try:
            identity = await self.engine.identity()
            await self.engine.probe()
            _must_agree(identity, expected())
        except EngineOverloaded as busy:
            if not self.is_in:
                self.take_out(busy)
        except EngineError as problem:
            self.take_out(problem)
        else:
            if self.taken_out == before:
                self.identity = identity
                self.standing, self.problem, self._pause = Standing.IN, None, self.pauses.first


def _must_agree(identity: ModelIdentity, expected: ModelIdentity | None) -> None:
    if expected is not None and identity != expected:
        raise EngineMisconfigured(
            f"it serves {identity}, the other replicas serve {expected}: answers would depend on who is asked"
        )
