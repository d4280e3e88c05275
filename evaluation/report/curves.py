"""Arms that differ in one number alone, α or K: together they are a curve."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation.report.numbers import Numbers
from evaluation.report.reading import Run

# Option of an arm: title and axis of its figure.
VARIED: Final[Mapping[str, tuple[str, str]]] = {
    "alpha": ("Accuracy by α", "α, share of the picture in case retrieval"),
    "references": ("Accuracy by K", "K, reference cases shown to the model"),
    "k": ("Accuracy by k", "k, reference cases retrieved"),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One arm: the share of right answers with its interval (None: too few cases for one) over `n` records."""

    arm: str
    value: float
    share: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Curve:
    """At least two different values, ascending. `label` says what sets it apart from the other curves of its figure."""

    label: str
    points: tuple[Point, ...]


def curves_of(run: Run, numbers: Numbers, option: str) -> tuple[Curve, ...]:
    """Of the arms whose plan names `option`, grouped by everything else that the plan says of them."""
    groups: dict[str, list[Point]] = {}
    others: dict[str, Mapping[str, Any]] = {}
    for arm, options in run.options.items():
        point = _point(arm, options.get(option), numbers)
        if point is not None:
            rest = {name: value for name, value in options.items() if name != option}
            key = json.dumps(rest, sort_keys=True, default=str)
            groups.setdefault(key, []).append(point)
            others[key] = rest
    kept = {key: points for key, points in groups.items() if len({one.value for one in points}) > 1}
    labels = dict(zip(kept, _labels([others[key] for key in kept]), strict=True))
    return tuple(
        Curve(labels[key], tuple(sorted(points, key=lambda one: (one.value, one.arm)))) for key, points in kept.items()
    )


def _point(arm: str, value: Any, numbers: Numbers) -> Point | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or numbers.primary is None:
        return None
    cell = numbers.cells[arm][numbers.primary.name]
    if cell.measured.value is None:
        return None
    low, high = (cell.interval.low, cell.interval.high) if cell.interval else (None, None)
    return Point(arm, float(value), cell.measured.value, low, high, cell.measured.n)


def _labels(options: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Of each group the options in which the groups differ."""
    names = sorted({name for one in options for name in one})
    differing = [name for name in names if len({json.dumps(one.get(name), default=str) for one in options}) > 1]
    for one in options:
        yield ", ".join(f"{name} {one[name]}" for name in differing if name in one) or "as served"
