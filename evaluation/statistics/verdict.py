"""Who won, said only where it is shown.

The rule: with Holm's correction over all comparisons given, the adjusted p of the randomisation test is at most 0.05, and the
bootstrap interval at the level at which Holm tests this comparison, 1 - 0.05 / (m - place), excludes 0. Both must agree:
the interval alone is too sure of itself with few cases (of two cases alike it is a point), the test alone says nothing of how
large the difference is. Everything else is "no difference shown", which is not "no difference".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from evaluation.measures.registry import Better
from evaluation.statistics.comparison import Comparison
from evaluation.statistics.holm import holm
from evaluation.statistics.resampling import quantiles

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """`winner` is None unless a difference is shown. `low` and `high`: the interval at `level`, which Holm asks for."""

    winner: Literal["first", "second"] | None
    adjusted_p: float | None
    low: float | None
    high: float | None
    level: float | None
    why: str


def judge(comparisons: Mapping[str, Comparison], *, alpha: float = ALPHA) -> dict[str, Verdict]:
    """A verdict on each, corrected for as many comparisons as have a p value: give all that one statement rests on."""
    p = {name: one.p for name, one in comparisons.items() if one.p is not None}
    adjusted = holm(p)
    places = {name: place for place, name in enumerate(sorted(p, key=lambda name: (p[name], name)))}
    return {
        name: _verdict(one, adjusted[name], 1 - alpha / (len(p) - places[name]), alpha)
        if name in p
        else Verdict(None, None, None, None, None, one.missing or "no value")
        for name, one in comparisons.items()
    }


def _verdict(one: Comparison, adjusted: float, level: float, alpha: float) -> Verdict:
    low, high = quantiles(one.draws, level)
    apart = low > 0 or high < 0
    if adjusted > alpha or not apart:
        chance = "could be chance, given how many comparisons there are"
        why = chance if apart else "the interval for so many comparisons holds 0"
        return Verdict(None, adjusted, low, high, level, f"no difference shown: {why}")
    if one.better is Better.NEITHER:
        return Verdict(None, adjusted, low, high, level, "they differ, and neither way is better")
    first = (low > 0) is (one.better is Better.HIGHER)
    why = "the interval excludes 0 after Holm's correction"
    return Verdict("first" if first else "second", adjusted, low, high, level, why)
