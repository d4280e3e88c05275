"""The interval of a measure: what it would have been with other cases of the same kind.

    interval = 2.5 % and 97.5 % quantile of the measure over 10,000 samples of the clusters, drawn with replacement

The percentile bootstrap: Efron and Tibshirani 1993, chapter 13; of clusters (all pictures of one lesion or person, all seeds of
one case) because they are not independent: Davison and Hinkley 1997, section 3.8. The draws are seeded: the same records give
the same interval. Measures that depend on more than sums of their rows take the first 2,000 samples.

Where a share is 0 or 1 in every cluster all samples are alike and the bootstrap would be certain of it: then it is Wilson's
interval of as many cases as there are clusters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.measures.measured import RATIO, Combine, Measured, OfCounts, OfSums, Rows, Unit
from evaluation.statistics.wilson import wilson

SAMPLES = 10_000
SAMPLES_OF_COUNTS = 2_000
SLICE = 500  # samples at once: their counts must fit into memory however many cases there are
SEED = 0
HELD = 2_000_000  # counts of rows at once: 16 MB
KEPT = 5_000  # clusters whose draws are kept between measures: 50 MB

Clusters = Mapping[str, str]  # case -> the lesion or person it belongs to; a case without one stands alone
Draws = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """`level` 0..1. `undefined` of the `samples` gave no value (no positive case among them) and are left out.

    No samples: it is Wilson's interval.
    """

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
    number = int(places.max()) + 1
    constant = _constant_share(measured)
    if constant is not None:
        counted = len(np.unique(places[measured.rows[:, 1] != 0]))
        z = NormalDist().inv_cdf((1 + level) / 2)
        return Interval(*wilson(counted * constant, counted, z), level, number, 0, 0)
    (draws,) = resampled([measured.rows], measured.combine, places)
    low, high = quantiles(draws, level)
    return Interval(low, high, level, number, len(draws), int(np.isnan(draws).sum()))


def _constant_share(measured: Measured) -> int | None:
    """0 or 1 where that is the value of every record, and no record could have more; else None."""
    values = set((measured.per_case or {}).values()) if measured.combine is RATIO else set()
    return int(values.pop()) if values in ({0.0}, {1.0}) else None


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
    return _of_counts(tables, combine, places)


def _of_sums(tables: Sequence[Rows], combine: OfSums, places: NDArray[np.intp]) -> list[Draws]:
    sums = [cluster_sums(table, places) for table in tables]
    found: list[list[Rows]] = [[] for _ in tables]
    for counts in _samples(places):
        weights = counts.astype(np.float64)  # a product of whole numbers and fractions is far slower
        for one, table in zip(found, sums, strict=True):
            one.append(combine.of(weights @ table))
    return [np.concatenate(one) for one in found]


def _of_counts(tables: Sequence[Rows], combine: OfCounts, places: NDArray[np.intp]) -> list[Draws]:
    found: list[list[Rows]] = [[] for _ in tables]
    for counts in islice(_samples(places), SAMPLES_OF_COUNTS // SLICE):
        for some in in_blocks(counts, len(places)):
            rows = some[:, places].astype(np.float64)
            for one, table in zip(found, tables, strict=True):
                one.append(combine.of(table, rows))
    return [np.concatenate(one) for one in found]


def in_blocks(draws: NDArray[Any], rows: int) -> Iterator[NDArray[Any]]:
    """[draws, ...] in blocks so small that how often each of `rows` is in each of them fits into memory."""
    size = max(1, HELD // rows)
    return (draws[start : start + size] for start in range(0, len(draws), size))


def _samples(places: NDArray[np.intp]) -> Iterator[NDArray[np.uint8]]:
    number = int(places.max()) + 1
    return iter(_kept(number)) if number <= KEPT else _drawn(number)


def _drawn(number: int) -> Iterator[NDArray[np.uint8]]:
    """[SLICE, number] how often each cluster is in each sample, slice by slice; none is ever drawn 256 times."""
    source = np.random.default_rng(SEED)
    for _ in range(SAMPLES // SLICE):
        drawn = source.integers(0, number, size=(SLICE, number), dtype=np.int32) + np.arange(SLICE)[:, None] * number
        yield np.bincount(drawn.ravel(), minlength=SLICE * number).reshape(SLICE, number).astype(np.uint8)


@lru_cache(maxsize=1)
def _kept(number: int) -> list[NDArray[np.uint8]]:
    """The same for the next measure of the same cases, which draws the same samples."""
    return list(_drawn(number))


def cluster_sums(table: Rows, places: NDArray[np.intp]) -> Rows:
    """[clusters, columns] sums of the rows of each cluster."""
    sums = np.zeros((int(places.max()) + 1, table.shape[1]))
    np.add.at(sums, places, table)
    return sums
