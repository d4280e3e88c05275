"""A generation in a thread of its own, and the text it writes, read piece by piece from elsewhere."""

import queue
import threading
from collections.abc import Callable
from typing import Any

from inference.engines.types import Completion


class Pieces:
    """Passes text on as soon as its characters are whole; joined it is the whole answer.

    Has the two methods by which transformers' `generate` reports tokens, `put` and `end`.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        """`decode` leaves out a character that is not complete at the end."""
        self._decode = decode
        self._ids: list[int] | None = None  # None until the prompt went by, which comes first
        self._sent = 0
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def put(self, value: Any) -> None:
        """Called with the prompt's ids, then with each new one, as tensors."""
        if self._ids is None:
            self._ids = []
            return
        self._ids += value.flatten().tolist()
        self._send(self._decode(self._ids))

    def end(self) -> None:
        """Called after the last token; everything has been passed on by then."""

    def close(self) -> None:
        """No piece will follow, whether the generation ended or failed."""
        self._queue.put(None)

    def next(self) -> str | None:
        """The next piece, waiting for it; None after the last."""
        return self._queue.get()

    def _send(self, text: str) -> None:
        if len(text) > self._sent:
            self._queue.put(text[self._sent :])
            self._sent = len(text)


class Worker:
    """Runs a generation beside the caller. `done` is called at its end, however it ends."""

    def __init__(self, work: Callable[[], Completion], done: Callable[[], None]) -> None:
        self._work, self._done = work, done
        self._outcome: Completion | BaseException = RuntimeError("the generation has not run")
        self._thread = threading.Thread(target=self._run, name="generation")
        self._thread.start()

    def result(self) -> Completion:
        """What the generation gave or raised; waits for its end."""
        self._thread.join()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = self._work()
        except BaseException as error:  # raised again in the caller's thread
            self._outcome = error
        finally:
            self._done()
