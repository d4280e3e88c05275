"""Time of each step of one answer."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from inference.observing import NOBODY, Observer


class StepClock:
    """Collects wall-clock milliseconds by step name, and tells an observer of each."""

    def __init__(self, observer: Observer = NOBODY) -> None:
        self._observer = observer
        self._started = time.perf_counter()
        self._steps: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done inside, also when it fails."""
        started, failure = time.perf_counter(), None
        try:
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            self._steps[name] = self._steps.get(name, 0.0) + _since(started)
            self._observer.step(name, time.perf_counter() - started, failure)

    def timings_ms(self) -> dict[str, float]:
        """Every step so far, and the total."""
        return {**self._steps, "total": _since(self._started)}


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
