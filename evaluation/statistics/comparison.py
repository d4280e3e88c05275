"""One measure of two arms on the same cases: the difference, its interval, and whether it could be chance."""

from dataclasses import dataclass, field

import numpy as np

from evaluation.measures.measured import Measured, Unit
from evaluation.measures.registry import Better
from evaluation.statistics.randomisation import randomisation_p
from evaluation.statistics.resampling import Clusters, Draws, places_of, quantiles, resampled

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference` is first minus second over the `n` records that both arms have; None exactly where `missing` says why.

    `low` and `high`: its 95 % interval (bootstrap of the clusters). `p`: of the randomisation test, before any correction.
    `higher`, `lower`, `same`: records on which the first arm's value is higher, lower or the same, where records have a value.
    `only_one` records have no partner in the other arm and are left out.
    """

    better: Better
    n: int = 0
    only_one: int = 0
    clusters: int = 0
    missing: str | None = None
    first: float | None = None
    second: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    higher: int | None = None
    lower: int | None = None
    same: int | None = None
    undefined: int = 0
    draws: Draws = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)


def compare(
    first: Measured, second: Measured, better: Better = Better.HIGHER, clusters: Clusters | None = None
) -> Comparison:
    """Of the same measure of two arms. `clusters`: the lesion or person of each case, whose cases are drawn together."""
    for arm, measured in (("first", first), ("second", second)):
        if measured.missing is not None:
            return Comparison(better, missing=f"the {arm} arm has no value: {measured.missing}")
    if _parts(first) != _parts(second):
        return Comparison(better, missing="the arms' values are averages of different parts")
    shared = sorted(set(first.units) & set(second.units))
    only_one = len(set(first.units) ^ set(second.units))
    if not shared:
        return Comparison(better, only_one=only_one, missing="the arms have no case in common")
    one, other = _rows(first, shared), _rows(second, shared)
    combine = first.combine
    values = combine(one), combine(other)
    if np.isnan(values).any():
        return Comparison(better, len(shared), only_one, missing="the cases in common give no value")
    places = places_of(shared, clusters or {})
    draws = np.subtract(*resampled([one, other], combine, places))
    low, high = quantiles(draws, LEVEL)
    higher, lower, same = _counts(first, second, shared)
    return Comparison(
        better, len(shared), only_one, int(places.max()) + 1, None, *values, values[0] - values[1], low, high,
        randomisation_p(one, other, combine, places), higher, lower, same, int(np.isnan(draws).sum()), draws,
    )  # fmt: skip


def _parts(measured: Measured) -> set[str]:
    """What an average is made of (evaluation.measures.averages); nothing for other measures."""
    return set(measured.details.get("parts", ()))


def _rows(measured: Measured, shared: list[Unit]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    at = {unit: row for row, unit in enumerate(measured.units)}
    return measured.rows[[at[unit] for unit in shared]]


def _counts(first: Measured, second: Measured, shared: list[Unit]) -> tuple[int | None, int | None, int | None]:
    one, other = first.per_case, second.per_case
    if one is None or other is None:
        return None, None, None
    pairs = [(one[unit], other[unit]) for unit in shared if unit in one and unit in other]
    higher, lower = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
    return higher, lower, len(pairs) - higher - lower
