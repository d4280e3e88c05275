"""Finds the references that are the query's picture: re-encoded, resized, cropped by 10 %, mirrored, turned, or several of it.

Two steps: the nearest by numbers that no mirror or turn changes (`retrieval.invariants`) are proposed; each is laid over the
query (`retrieval.registration`) and is its twin when

    luma difference   <= sqrt(4² + (0.08 contrast)²) grey levels     (a sharp edge that lies half a cell off costs more)
    chroma difference <= 5 grey levels
    fine correlation  >= 0.5                                          (plain skin is smooth everywhere, and alike)

Why these numbers, and on which half of which pictures they were chosen: docs/design/0003.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.invariants import NUMBERS, Features, middle_features, window_features
from retrieval.registration import Difference, best_start, difference
from retrieval.sketches import SKETCH_BYTES, Sketch, Sketches, known_sketches
from retrieval.types import Mask, Rows

PROPOSED: Final = 64  # rows laid over the query
WORTH_SLIDING: Final = 0.9  # coarse correlation; copies have more than 0.94, also of plain skin
SLID: Final = 12  # of those at most so many, the best
LUMA_TOLERANCE: Final = 4.0  # grey levels
CONTRAST_SHARE: Final = 0.08
CHROMA_TOLERANCE: Final = 5.0
FINE: Final = 0.5
WIDTH: Final = NUMBERS + 2
_BLOCK: Final = 4_096  # rows compared at a time: what fits a core's cache


@dataclass(frozen=True, slots=True)
class SketchTable:
    """The sketches of all reference cases [n], those of an index (mapped from its file) before those that came since.

    `columns` [44, n] are features f under 1 and |f|²: one product with (|w|², -2 w, 1) gives |f - w|².
    """

    base: Sketches
    delta: Sketches
    columns: NDArray[np.float32]
    known: Mask

    @classmethod
    def of(cls, base: Sketches, delta: Sketches | None = None) -> "SketchTable":
        """0.3 s for 40,000 rows."""
        alone = cls(base, np.zeros((0, SKETCH_BYTES), dtype=np.uint8), *_compared(base))
        return alone if delta is None else alone.extended(delta)

    def extended(self, delta: Sketches) -> "SketchTable":
        """The same, which has no delta yet, with these rows behind."""
        if not len(delta):
            return self
        columns, known = _compared(delta)
        return SketchTable(self.base, delta, np.hstack([self.columns, columns]), np.concatenate([self.known, known]))

    @classmethod
    def unknown(cls, rows: int) -> "SketchTable":
        """No sketch of any of so many rows."""
        return cls.of(np.zeros((rows, SKETCH_BYTES), dtype=np.uint8))

    def sketch(self, row: int) -> Sketch:
        """One row's; zeros when it is unknown."""
        one: Sketch = self.sketches(np.array([row]))[0]
        return one

    def twins(self, sketch: Sketch) -> Rows:
        """Rows that are the picture of this sketch, ascending."""
        proposed = self._proposed(sketch[None])
        return np.sort(proposed[same_picture(sketch, self.sketches(proposed))]) if len(proposed) else proposed

    def _proposed(self, sketch: Sketches) -> Rows:
        """At most PROPOSED known rows, the nearest."""
        windows = window_features(sketch)
        terms = np.column_stack([np.square(windows).sum(axis=1), -2 * windows, np.ones(len(windows), dtype=np.float32)])
        distance = np.empty(len(self.known), dtype=np.float32)
        for start in range(0, len(distance), _BLOCK):
            block = slice(start, start + _BLOCK)
            distance[block] = (terms @ self.columns[:, block]).min(axis=0)
        distance[~self.known] = np.inf
        count = min(PROPOSED, int(self.known.sum()))
        return np.argpartition(distance, count - 1)[:count] if count else np.zeros(0, dtype=np.int64)

    def sketches(self, rows: Rows) -> Sketches:
        """Those of `rows`, in their order."""
        found = np.empty((len(rows), SKETCH_BYTES), dtype=np.uint8)
        in_base = rows < len(self.base)
        found[in_base] = self.base[rows[in_base]]
        found[~in_base] = self.delta[rows[~in_base] - len(self.base)]
        return found


def _compared(sketches: Sketches) -> tuple[NDArray[np.float32], Mask]:
    """`columns` and `known` of these rows."""
    columns = np.empty((WIDTH, len(sketches)), dtype=np.float32)
    known = np.empty(len(sketches), dtype=np.bool_)
    for start in range(0, len(sketches), _BLOCK):
        block = sketches[start : start + _BLOCK]
        rows = slice(start, start + len(block))
        columns[:, rows] = _columns(middle_features(block))
        known[rows] = known_sketches(block)
    return columns, known


def _columns(features: Features) -> NDArray[np.float32]:
    return np.vstack([np.ones(len(features)), features.T, np.square(features).sum(axis=1)])


def same_picture(sketch: Sketch, others: Sketches) -> Mask:
    """[n]: which of `others` are copies of the picture of `sketch`, laid over each other pair by pair."""
    query = sketch[None]
    same = np.zeros(len(others), dtype=np.bool_)
    starts, correlation = best_start(query, others)
    best = np.argsort(-correlation, kind="stable")[:SLID]
    tried = best[correlation[best] >= WORTH_SLIDING]
    if len(tried):
        same[tried] = _within_tolerance(difference(query, others[tried], starts[tried]))
    return same


def _within_tolerance(found: Difference) -> Mask:
    tolerance = np.sqrt(LUMA_TOLERANCE**2 + (CONTRAST_SHARE * found.contrast) ** 2)
    within: Mask = (found.luma <= tolerance) & (found.chroma <= CHROMA_TOLERANCE) & (found.fine >= FINE)
    return within
