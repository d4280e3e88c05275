"""The interval of a measure: what it would have been with other cases of the same kind.

    interval = 2.5 % and 97.5 % quantile of the measure over 10,000 samples of the clusters, drawn with replacement

The percentile bootstrap: Efron and Tibshirani 1993, chapter 13; of clusters (all pictures of one lesion or person, all seeds of
one case) because they are not independent: Davison and Hinkley 1997, section 3.8. The draws are seeded: the same records give
the same interval. Measures that depend on more than sums of their rows take 2,000 samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.measures.measured import Combine, Measured, OfSums, Rows, Unit

SAMPLES = 10_000
SAMPLES_OF_ROWS = 2_000
SLICE = 500  # samples at once: their counts must fit into memory however many cases there are
SEED = 0

Clusters = Mapping[str, str]  # case -> the lesion or person it belongs to; a case without one stands alone
Draws = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """`level` 0..1. `undefined` of the `samples` gave no value (no positive case among them) and are left out."""

    low: float
    high: float
    level: float
    clusters: int
    samples: int
    undefined: int


def interval(measured: Measured, clusters: Clusters | None = None, *, level: float = 0.95) -> Interval | None:
    """None where the measure is missing. `clusters`: the lesion or person of each case."""
    if measured.missing is not None:
        return None
    places = places_of(measured.units, clusters or {})
    (draws,) = resampled([measured.rows], measured.combine, places)
    low, high = quantiles(draws, level)
    return Interval(low, high, level, int(places.max()) + 1, len(draws), int(np.isnan(draws).sum()))


def quantiles(draws: Draws, level: float) -> tuple[float, float]:
    """The middle `level` of the draws that are defined; NaN twice where none is."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def places_of(units: Sequence[Unit], clusters: Clusters) -> NDArray[np.intp]:
    """[n] number of the cluster of each unit, from 0; all seeds of a case are in one."""
    # A cluster may be called as a case is: the two kinds of names are kept apart.
    names = [("cluster", clusters[case]) if case in clusters else ("case", case) for case, _ in units]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], dtype=np.intp)


def resampled(tables: Sequence[Rows], combine: Combine, places: NDArray[np.intp]) -> list[Draws]:
    """The value of each table in each sample; every sample draws the same clusters of all tables."""
    if isinstance(combine, OfSums):
        return _of_sums(tables, combine, places)
    return _of_rows(tables, combine, places)


def _of_sums(tables: Sequence[Rows], combine: OfSums, places: NDArray[np.intp]) -> list[Draws]:
    number = int(places.max()) + 1
    sums = [cluster_sums(table, places) for table in tables]
    source = np.random.default_rng(SEED)
    found: list[list[Rows]] = [[] for _ in tables]
    for _ in range(SAMPLES // SLICE):
        drawn = source.integers(0, number, size=(SLICE, number)) + np.arange(SLICE)[:, None] * number
        counts = np.bincount(drawn.ravel(), minlength=SLICE * number).reshape(SLICE, number)
        for one, table in zip(found, sums, strict=True):
            one.append(combine.of(counts @ table))
    return [np.concatenate(one) for one in found]


def _of_rows(tables: Sequence[Rows], combine: Combine, places: NDArray[np.intp]) -> list[Draws]:
    order = np.argsort(places, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(places[order])) + 1)
    source = np.random.default_rng(SEED)
    found = np.empty((len(tables), SAMPLES_OF_ROWS))
    for sample in range(SAMPLES_OF_ROWS):
        rows = np.concatenate([members[one] for one in source.integers(0, len(members), size=len(members))])
        for place, table in enumerate(tables):
            found[place, sample] = combine(table[rows])
    return list(found)


def cluster_sums(table: Rows, places: NDArray[np.intp]) -> Rows:
    """[clusters, columns] sums of the rows of each cluster."""
    sums = np.zeros((int(places.max()) + 1, table.shape[1]))
    np.add.at(sums, places, table)
    return sums
