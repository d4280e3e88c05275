"""Every measure by name, in the order in which a report shows them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluation.measures.measured import Measured
from evaluation.measures.tools import Tools
from evaluation.records import CaseRecord


class Better(StrEnum):
    """Which way a measure improves."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"  # says something, but neither way is better (how often a label was answered)


@dataclass(frozen=True, slots=True)
class Measure:
    """`of` computes it from the records of one arm. `unit`: "share" (0..1), "score", "ms" or "tokens". `says`: one sentence."""

    name: str
    family: str
    of: Callable[[Sequence[CaseRecord], Tools], Measured]
    says: str
    better: Better = Better.HIGHER
    unit: str = "share"


MEASURES: tuple[Measure, ...] = ()


def measure(name: str) -> Measure:
    """The measure called `name`. Raises KeyError."""
    return {one.name: one for one in MEASURES}[name]
