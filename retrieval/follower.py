"""A thread that keeps a worker up to date with the index that another one publishes."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from knowledge.errors import KnowledgeError
from knowledge.registry.generations import Published
from retrieval.errors import RetrievalError
from retrieval.following import RETRY_S, SharedIndex

_log = logging.getLogger("dermacite.index")

LOOK_S: Final = 2.0  # between two looks at what is published


class Follower:
    """Keeps a worker up to date in a thread, asked for something or not. `fresh` is told of each new generation."""

    def __init__(self, index: SharedIndex, refresh: Callable[[], object], fresh: Callable[[], None]) -> None:
        """`refresh` loads what is searched anew."""
        self._index = index
        self._refresh = refresh
        self._fresh = fresh
        self._last: Published | None = None
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="index", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._index.followed = self._woken
        self._thread.start()

    def stop(self) -> None:
        """End, without waiting for a fetch: the next start goes on with it."""
        self._stopped.set()
        self._woken.set()

    def _loop(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            pause = LOOK_S
            try:
                self._look()
            except (KnowledgeError, RetrievalError) as error:
                _log.warning("the index that serves elsewhere is not here yet: %s", error)
                pause = self._after_failure()
            except Exception as error:
                _log.error("following the index: unexpected %s", type(error).__qualname__)
                pause = RETRY_S
            self._pause(pause)

    def _after_failure(self) -> float:
        with suppress(KnowledgeError):
            self._index.give_up()
        return RETRY_S

    def _pause(self, seconds: float) -> None:
        # After a failure nobody wakes us: requests come all the time.
        (self._stopped if seconds == RETRY_S else self._woken).wait(seconds)

    def _look(self) -> None:
        published = self._index.published()
        if published is None or self._stopped.is_set():
            return
        self._index.fetch(published)
        if published != self._last:
            self._refresh()
            self._fresh()
            self._last = published
