"""Could the difference be chance? If two arms are alike, which of them gave which answer to a case makes no difference.

    p = share of the ways to swap the arms' rows, cluster by cluster, in which |difference| is at least the one seen

The paired randomisation test, which holds for any measure: Noreen 1989, "Computer-intensive methods for testing hypotheses";
of macro F1 and the like: Yeh 2000, doi:10.3115/992730.992783. Up to 2¹² ways all are tried and p is exact; beyond, 10,000 are
drawn, seeded, and p = (1 + as extreme) / (1 + drawn), so that it is never 0. For hits it is McNemar's exact test.
"""

import numpy as np
from numpy.typing import NDArray

from evaluation.measures.measured import Combine, OfSums, Rows
from evaluation.statistics.resampling import cluster_sums

EXACT = 12  # clusters
SWAPS, SWAPS_OF_ROWS = 10_000, 2_000
SLICE = 500
SEED = 1
NOISE = 1e-12  # sums in another order differ by less

Swaps = NDArray[np.float64]  # [ways, clusters] 1: the cluster's rows are swapped


def randomisation_p(first: Rows, second: Rows, combine: Combine, places: NDArray[np.intp]) -> float:
    """Two-sided p of `combine(first) - combine(second)`, both defined. Ways without a value count as extreme."""
    seen = abs(combine(first) - combine(second))
    number = int(places.max()) + 1
    exact = number <= EXACT
    source = np.random.default_rng(SEED)
    ways = 2**number if exact else SWAPS if isinstance(combine, OfSums) else SWAPS_OF_ROWS
    extreme = 0
    for start in range(0, ways, SLICE):
        size = min(SLICE, ways - start)
        swaps = _all(start, size, number) if exact else source.integers(0, 2, size=(size, number)).astype(np.float64)
        found = _differences(first, second, combine, places, swaps)
        extreme += int((np.isnan(found) | (np.abs(found) >= seen - NOISE)).sum())
    return extreme / ways if exact else (1 + extreme) / (1 + ways)


def _all(start: int, size: int, number: int) -> Swaps:
    return ((np.arange(start, start + size)[:, None] >> np.arange(number)) & 1).astype(np.float64)


def _differences(first: Rows, second: Rows, combine: Combine, places: NDArray[np.intp], swaps: Swaps) -> Rows:
    if isinstance(combine, OfSums):
        one, other = cluster_sums(first, places), cluster_sums(second, places)
        moved = swaps @ (other - one)
        return combine.of(one.sum(axis=0) + moved) - combine.of(other.sum(axis=0) - moved)
    found = []
    for swap in swaps:
        swapped = swap[places][:, None] == 1
        found.append(combine(np.where(swapped, second, first)) - combine(np.where(swapped, first, second)))
    return np.array(found)
