"""One engine over several servers of the same model, of which any may fail, and any may come back."""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from inference.engines.choosing import chosen, keep, kept_of, leading_key
from inference.engines.errors import (
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineTimedOut,
    EngineUnreachable,
    MalformedAnswer,
)
from inference.engines.gate import time_limit
from inference.engines.replica import IdentifiedEngine, Pauses, Replica, ReplicaState, Standing
from inference.engines.types import ChatRequest, Completion, LabelScore, ModelIdentity, TokenCount

T = TypeVar("T")
SLACK = 4  # requests that a replica may be busier than the least busy one and still get the prompts it knows


@dataclass(slots=True)
class _Turns:
    """Who was asked within one call. A failure is met once, then it is the caller's; who is full costs nothing."""

    busy: list[Replica] = field(default_factory=list)
    failed: bool = False

    def pass_on(self, replica: Replica, error: EngineError) -> None:
        """Another may be asked now; raises the error where not."""
        if isinstance(error, EngineOverloaded):
            self.busy.append(replica)
        elif self.failed or not _is_of_the_server(error):
            raise error
        else:
            self.failed = True


class ReplicatedEngine:
    """See Engine. A request goes where `choosing` says, and where that server fails once more to another.

    A replica that fails is asked no more until it generated a token again. That is tried by tasks which calls start and
    do not wait for, unless no replica is left; nothing runs while nobody asks. The first call waits for the first
    replica that proves itself.
    """

    def __init__(
        self,
        engines: Mapping[str, IdentifiedEngine],
        model: str,
        *,
        total_timeout: float = 300.0,
        slack: int = SLACK,
        pauses: Pauses | None = None,
        key_of: Callable[[ChatRequest], bytes] = leading_key,
    ) -> None:
        """`engines` by names that logs and metrics may show; each should try a request only once. Nothing is sent yet.

        `total_timeout` in s, for a call with its repetition. `slack` in requests.
        """
        if not engines:
            raise ValueError("there must be at least one replica")
        self._replicas = {name: Replica(name, engine, pauses or Pauses()) for name, engine in engines.items()}
        self._model, self._total, self._slack, self._key_of = model, total_timeout, slack, key_of

    @property
    def replicas(self) -> tuple[ReplicaState, ...]:
        """How each one stands, in the order given."""
        return tuple(one.state for one in self._replicas.values())

    @property
    def can_score(self) -> bool:
        """See Engine."""
        return all(one.engine.can_score for one in self._replicas.values())

    async def complete(self, request: ChatRequest) -> Completion:
        """See Engine."""
        return await self._asked(request, lambda engine: engine.complete(request))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        """See Engine. Asked of another only as long as nothing came."""
        turns, until = _Turns(), self._until()
        while True:
            with time_limit(until):
                replica = await self._choose(request, turns.busy)
            begun = False
            try:
                with replica.working(1):
                    async with aclosing(replica.engine.stream(request)) as pieces:
                        async for piece in pieces:
                            begun = True
                            yield piece
                return
            except EngineError as error:
                self._judge(replica, request, error)
                if begun:
                    raise
                turns.pass_on(replica, error)

    async def score(self, request: ChatRequest, continuations: Sequence[str]) -> tuple[LabelScore, ...]:
        """See Engine. All of them by one replica."""
        return await self._asked(request, lambda engine: engine.score(request, continuations), len(continuations))

    async def count(self, request: ChatRequest) -> TokenCount | None:
        """See Engine."""
        return await self._asked(request, lambda engine: engine.count(request))

    async def probe(self) -> float:
        """See Engine. Every replica that is in generates a token, and every one that nothing was asked of yet.

        Those that are out are tried when it is time, and waited for only where no other is in. Raises when none is.
        """
        started = anyio.current_time()
        self._try_those_due()
        first = [one for one in self._replicas.values() if one.standing is not Standing.OUT]
        if first:
            await asyncio.wait([self._proof(one) for one in first])
        if not self._those_in():
            await self._first_proven([one for one in self._replicas.values() if one not in first])
        return anyio.current_time() - started

    async def aclose(self) -> None:
        """See Engine."""
        running = [one.proof for one in self._replicas.values() if one.proof is not None and not one.proof.done()]
        for proof in running:
            proof.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for one in self._replicas.values():
            await one.engine.aclose()

    # --- one call ----------------------------------------------------------------------------------------------------

    async def _asked(
        self, request: ChatRequest, ask: Callable[[IdentifiedEngine], Awaitable[T]], requests: int = 1
    ) -> T:
        turns, until = _Turns(), self._until()
        while True:
            with time_limit(until):
                replica = await self._choose(request, turns.busy)
            try:
                # The engine has this limit itself, and what it raises tells more; a repetition has only what is left.
                with time_limit(until if turns.failed else math.inf), replica.working(requests):
                    return await ask(replica.engine)
            except EngineError as error:
                self._judge(replica, request, error)
                turns.pass_on(replica, error)

    async def _choose(self, request: ChatRequest, busy: Collection[Replica]) -> Replica:
        """Who is asked next. Those that are full come last, `busy` ones, which said so to this call, not at all."""
        self._try_those_due()
        if not self._those_in():
            await self._first_proven(self._replicas.values())
        able = [one for one in self._those_in() if one not in busy]
        if not able:
            raise self._none_left()
        awake = [one for one in able if not one.rests] or able
        loads = {one.name: one.in_flight for one in awake}
        kept = kept_of(self)
        name = kept if kept in loads else chosen(self._key_of(request), loads, self._slack)
        keep(self, name)
        return self._replicas[name]

    def _judge(self, replica: Replica, request: ChatRequest, error: EngineError) -> None:
        """What a failure says of the replica: that it is full, that it is out, that it must prove itself, or nothing."""
        if isinstance(error, EngineOverloaded):
            replica.rest(error)
            return
        foreign = isinstance(error, EngineMisconfigured) and request.model != self._model  # the caller's mistake
        if foreign or not isinstance(error, EngineUnreachable | EngineMisconfigured | EngineTimedOut | MalformedAnswer):
            return
        replica.failures += 1
        if _is_of_the_server(error):
            replica.take_out(error)
        else:
            self._proof(replica)

    # --- who may be asked --------------------------------------------------------------------------------------------

    def _those_in(self) -> list[Replica]:
        return [one for one in self._replicas.values() if one.is_in]

    def _try_those_due(self) -> None:
        for one in self._replicas.values():
            if one.is_due:
                self._proof(one)

    def _proof(self, replica: Replica) -> asyncio.Task[None]:
        """The proof that runs, or one that begins: however many wait for it, there is one."""
        if not replica.is_being_tried or replica.proof is None:
            replica.proof = asyncio.create_task(replica.prove(self._served), name="replica")
        return replica.proof

    async def _first_proven(self, replicas: Iterable[Replica]) -> None:
        """Try them at once, due or not, until one is in. Raises when none is."""
        waiting = {self._proof(one) for one in replicas}
        while waiting and not self._those_in():
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not self._those_in():
            raise self._none_left()

    def _served(self) -> ModelIdentity | None:
        """What those that are in serve."""
        return next((one.identity for one in self._those_in()), None)

    def _none_left(self) -> EngineError:
        """Every replica's problem in one error, of the kind with the best prospect."""
        full = "the engine's queue is full"
        problems = [
            one.problem or EngineOverloaded(full, retry_after=max(1.0, math.ceil(one.rest_left)))
            for one in self._replicas.values()
        ]
        best = min(problems, key=lambda problem: (_prospect(problem), problem.retry_after or 0.0))
        told = "; ".join(f"replica {number}: {problem.args[0]}" for number, problem in enumerate(problems, start=1))
        error = type(best)(f"none of {len(problems)} replicas can be asked ({told})")
        error.retry_after = best.retry_after
        return error

    def _until(self) -> float:
        return anyio.current_time() + self._total


def _is_of_the_server(error: EngineError) -> bool:
    """Whether another server may well do what this one could not."""
    return isinstance(error, EngineUnreachable | EngineMisconfigured)


def _prospect(problem: EngineError) -> int:
    """How likely it passes by itself, 0 the likeliest."""
    if isinstance(problem, EngineOverloaded):
        return 0
    return 1 if problem.retryable else 2
