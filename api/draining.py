"""The end of a server: from the first signal on it takes no new work, and what runs gets a stated time to finish.

It keeps listening meanwhile, so that new requests hear that they should go elsewhere, and a balancer that it should look
elsewhere. What is not done in time is told so: as a problem document, or by the last event of its stream.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

import anyio
import uvicorn
from litestar.types import Method

_log = logging.getLogger("dermacite.server")

LAST_WORDS_S = 2.0  # after the time is over, for saying so


@dataclass(eq=False)
class Running:
    """A request at work. A subscription is a stream that tells what happens elsewhere, and has no end of its own."""

    method: Method
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    streams: bool = False  # its answer is a stream of events that has begun

    @property
    def is_subscription(self) -> bool:
        """A reader of events: nothing is lost when it comes back to another server."""
        return self.streams and self.method == "GET"


class Draining:
    """What runs, and whether more may begin. One event loop; `begin` may come from a signal handler."""

    def __init__(self, seconds: float, out_of_time: Callable[[], None] = lambda: None) -> None:
        """`seconds` for what runs; `out_of_time` is called when they are over, to stop work that can go on later."""
        self.seconds = seconds
        self.begun = False
        self._out_of_time = out_of_time
        self._until: float | None = None
        self._ended: float | None = None
        self._running: set[Running] = set()

    @property
    def running(self) -> int:
        """How many requests are at work."""
        return len(self._running)

    def begin(self) -> bool:
        """Take nothing new from now on; False when that had begun already."""
        first, self.begun = not self.begun, True
        return first

    def hurry(self) -> bool:
        """Give what runs no more time; False when it had none already."""
        hurried, self.seconds, self._until = self.seconds > 0, 0.0, 0.0
        return hurried

    @contextmanager
    def counted(self, running: Running) -> Iterator[None]:
        """A request that an end must wait for."""
        self._running.add(running)
        try:
            yield
        finally:
            self._running.discard(running)

    def tick(self, now: float | None = None) -> bool:
        """Called often in the event loop: end what must end. True when the process may."""
        if not self.begun:
            return False
        now = time.monotonic() if now is None else now
        if self._until is None:
            self._until = now + self.seconds
            _log.info("ending: %d requests get up to %g s to finish", len(self._running), self.seconds)
        for one in self._running:
            if one.is_subscription:
                one.scope.cancel()
        if now >= self._until:
            self._end(now)
        return not self._running or (self._ended is not None and now >= self._ended + LAST_WORDS_S)

    def _end(self, now: float) -> None:
        if self._ended is None:
            self._ended = now
            self._out_of_time()
            if self._running:
                _log.warning("ending: %d requests are not done in time and are refused", len(self._running))
        for one in self._running:
            one.scope.cancel()


class DrainingServer(uvicorn.Server):
    """Ends by draining; a second signal takes the time from what runs, a third ends the process."""

    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See the class."""
        waits = self._draining.begin() or self._draining.hurry()
        super().handle_exit(sig, frame)
        if waits:
            self.should_exit = False  # not yet: see on_tick

    async def on_tick(self, counter: int) -> bool:
        """Whether to end now; uvicorn asks ten times a second."""
        self.should_exit = self.should_exit or self._draining.tick()
        return await super().on_tick(counter)
