"""Could the difference be chance? If two arms are alike, which of them gave which answer to a case makes no difference.

    p = share of the ways to swap the arms' rows, cluster by cluster, in which |difference| is at least the one seen

The paired randomisation test, which holds for any measure: Noreen 1989, "Computer-intensive methods for testing hypotheses";
of macro F1 and the like: Yeh 2000, doi:10.3115/992730.992783. Swapping what is the same in both changes nothing, so only the
clusters count that differ: up to 12 of them all 2¹² ways are tried and p is exact; beyond, 10,000 are drawn, seeded (2,000 of
measures that depend on more than sums), and p = (1 + as extreme) / (1 + drawn), so that it is never 0. For hits it is McNemar's
exact test.
"""

import numpy as np
from numpy.typing import NDArray

from evaluation.measures.measured import Combine, OfCounts, OfSums, Rows
from evaluation.statistics.resampling import cluster_sums, in_blocks

EXACT = 12  # clusters that differ
SWAPS, SWAPS_OF_COUNTS = 10_000, 2_000
SLICE = 500
SEED = 1
NOISE = 1e-12  # sums in another order differ by less

Swaps = NDArray[np.int8]  # [ways, clusters that differ] 1: the cluster's rows are swapped


def randomisation_p(first: Rows, second: Rows, combine: Combine, places: NDArray[np.intp]) -> float:
    """Two-sided p of `combine(first) - combine(second)`, both defined. Ways without a value count as extreme."""
    seen = abs(combine(first) - combine(second))
    differ = np.unique(places[(first != second).any(axis=1)])
    number = len(differ)
    exact = number <= EXACT
    source = np.random.default_rng(SEED)
    ways = 2**number if exact else SWAPS if isinstance(combine, OfSums) else SWAPS_OF_COUNTS
    extreme = 0
    for start in range(0, ways, SLICE):
        size = min(SLICE, ways - start)
        swaps = _all(start, size, number) if exact else source.integers(0, 2, size=(size, number), dtype=np.int8)
        found = _differences(first, second, combine, places, differ, swaps)
        extreme += int((np.isnan(found) | (np.abs(found) >= seen - NOISE)).sum())
    return extreme / ways if exact else (1 + extreme) / (1 + ways)


def _all(start: int, size: int, number: int) -> Swaps:
    return ((np.arange(start, start + size)[:, None] >> np.arange(number)) & 1).astype(np.int8)


def _differences(
    first: Rows, second: Rows, combine: Combine, places: NDArray[np.intp], differ: NDArray[np.intp], swaps: Swaps
) -> Rows:
    if isinstance(combine, OfSums):
        one, other = cluster_sums(first, places), cluster_sums(second, places)
        moved = swaps.astype(np.float64) @ (other - one)[differ]
        return combine.of(one.sum(axis=0) + moved) - combine.of(other.sum(axis=0) - moved)
    blocks = in_blocks(swaps, 2 * len(places))
    return np.concatenate([_of_counts(first, second, combine, places, differ, some) for some in blocks])


def _of_counts(
    first: Rows, second: Rows, combine: OfCounts, places: NDArray[np.intp], differ: NDArray[np.intp], swaps: Swaps
) -> Rows:
    """Both arms' rows in one table, of which each arm has one half, but for the swapped rows."""
    swapped = np.zeros((len(swaps), int(places.max()) + 1))
    swapped[:, differ] = swaps
    other = swapped[:, places]
    both, own = np.concatenate([first, second]), np.concatenate([1 - other, other], axis=1)
    return combine.of(both, own) - combine.of(both, 1 - own)
