"""What one caller may ask of the service in a minute, and all callers together at one time."""

import math
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from litestar import Request
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import AnswerTimedOut, TooBusy, TooManyRequests
from api.problems import on_domain_error

_COUNTS = 4  # requests counted on a server at once
_UNTIL = "dermacite_answer_until"  # key in a scope


# Counts one request of a caller; or returns the seconds to wait, where that would be one too many.
Count = Callable[[str, int], float | None]


class Rate:
    """At most so many requests in any minute, counted by whom they are from: in this process, or where `shared` counts for
    all processes of a service (knowledge.registry.rates)."""

    def __init__(self, per_minute: int, shared: Callable[[], Count | None] = lambda: None) -> None:
        self._per_minute = per_minute
        self._here = Here()
        self._shared = shared
        self._limiter = anyio.CapacityLimiter(_COUNTS)

    async def spend(self, whose: str) -> None:
        """Count one request. Raises TooManyRequests, which says when the next one is served, and StorageFailed.

        A name is remembered for good: give it names that there are few of, never what a stranger sends.
        """
        shared = self._shared()
        if shared is None:
            wait = self._here.spend(whose, self._per_minute)
        else:
            wait = await anyio.to_thread.run_sync(shared, whose, self._per_minute, limiter=self._limiter)
        if wait is not None:
            after = max(1, math.ceil(wait))
            many = f"More than {self._per_minute} requests in a minute."
            raise TooManyRequests(f"{many} Wait {after} s before the next.", after)


class Here:
    """Counts in this process, exactly: of every request when it was."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def spend(self, whose: str, per_minute: int) -> float | None:
        """See Count."""
        item = RateLimitItemPerMinute(per_minute)
        if self._limiter.hit(item, whose):
            return None
        return self._limiter.get_window_stats(item, whose).reset_time - time.time()


class Turns(ASGIMiddleware):
    """Lets so many requests that compute an answer (`answers=True`) work at once; some more wait, the next is told to.

    Who waits has sent no more than the head of his request: its body is read when it is his turn. A stream keeps its turn
    to its end. Waiting, reading and computing have `seconds` together.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, at_once: int, waiting: int, seconds: float) -> None:
        self._at_once = at_once
        self._turns = anyio.Semaphore(at_once)
        self._waiting = waiting
        self._seconds = seconds

    @property
    def load(self) -> tuple[int, int]:
        """How many requests work, and how many wait."""
        return self._at_once - self._turns.value, self._turns.statistics().tasks_waiting

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Raises TooBusy. What takes too long is answered here: Litestar takes an answer that is late for one that began."""
        if not scope["route_handler"].opt.get("answers"):
            await next_app(scope, receive, send)
            return
        if self._turns.value == 0 and self._turns.statistics().tasks_waiting >= self._waiting:
            raise TooBusy("As many answers are being worked on, and waited for, as this service takes. Try again soon.")
        until = anyio.current_time() + self._seconds
        scope[_UNTIL] = until  # type: ignore[literal-required] # ours
        with anyio.CancelScope(deadline=until) as limit:

            async def begun(message: Message) -> None:
                if message["type"] == "http.response.start":
                    if limit.cancel_called:  # a thread ended late: refuse it whole, rather than cut it somewhere
                        await checkpoint()
                    limit.deadline = math.inf  # too late for another status: a stream ends itself, see api.telling
                await send(message)

            async with self._turns:
                await next_app(scope, receive, begun)
        if limit.cancelled_caught:
            request: Request[Any, Any, Any] = Request(scope)
            refusal = on_domain_error(request, AnswerTimedOut()).to_asgi_response(None, request)
            await refusal(scope, receive, send)


def answer_until(request: Request[Any, Any, Any]) -> float:
    """When the time of this answer is over, by the clock of the event loop; the stream of a route without turns has none."""
    until: float = request.scope.get(_UNTIL, math.inf)  # type: ignore[assignment] # a key of ours
    return until
