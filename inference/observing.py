"""Who is told how consultations go: what a step took and how each one ended. Nothing of what they are about."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from inference.types import Abstention, Answer

FAILED = "failed"
LEFT = "left"  # the caller went away, or the process ended
UNEXPECTED = "unexpected"  # the reason of a failure that has none of its own


class Observer(Protocol):
    """Told of every consultation; called from any thread, and must not raise."""

    def step(self, name: str, seconds: float, error: BaseException | None) -> None:
        """A step ended just now, with an error or without."""

    def ended(self, outcome: str, reason: str) -> None:
        """A consultation ended: diagnosis, abstention, FAILED or LEFT. The reason is empty where there is none."""


class Nobody:
    """Is told and forgets."""

    def step(self, name: str, seconds: float, error: BaseException | None) -> None:
        """See Observer."""

    def ended(self, outcome: str, reason: str) -> None:
        """See Observer."""


NOBODY = Nobody()


class Observers:
    """Tells several."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def step(self, name: str, seconds: float, error: BaseException | None) -> None:
        """See Observer."""
        for one in self._observers:
            one.step(name, seconds, error)

    def ended(self, outcome: str, reason: str) -> None:
        """See Observer."""
        for one in self._observers:
            one.ended(outcome, reason)


@contextmanager
def observed(observer: Observer) -> Iterator[Callable[[Answer], None]]:
    """Tell the observer how what is inside ended. Call what it gives with the answer before handing that on."""
    told: list[tuple[str, str]] = []

    def answered(answer: Answer) -> None:
        told.append((answer.outcome, answer.reason if isinstance(answer, Abstention) else ""))

    try:
        yield answered
    except Exception as error:
        told.append((FAILED, str(getattr(error, "reason", UNEXPECTED))))
        raise
    finally:
        observer.ended(*(told[0] if told else (LEFT, "")))
