"""Nearest neighbours by cosine: exact in NumPy, and Chroma for large collections.

Chroma (see retrieval.chroma) only proposes row numbers; every score that leaves this module is the exact cosine from the
matrix.
"""

import copy
import time

import numpy as np

from retrieval.chroma import ChromaStore
from retrieval.errors import ChromaFailed
from retrieval.types import Mask, Rows, Scores, Vector, Vectors

# At 20,000 x 768 the exact product takes about 2 ms here, as long as a Chroma query, and it takes any mask.
EXACT_BELOW = 20_000
FEW = 4  # where less than a fourth of the rows is allowed, those alone are compared: copying them is the price
MASKED_OVERFETCH = 256  # so many more than asked for are proposed at most, for what a mask takes away
RETRY_AFTER_S = 30.0  # for so long a Chroma that failed is not asked again


def top_rows(scores: Scores, k: int) -> Rows:
    """Row numbers of the `k` highest finite scores, descending; equal scores by row. -inf is never returned.

    Rows that tie at the cut are decided by row number, so that the answer does not depend on the partition.
    """
    eligible = np.flatnonzero(np.isfinite(scores))
    if k <= 0 or len(eligible) == 0:
        return np.zeros(0, dtype=np.int64)
    if k < len(eligible):
        cut = np.partition(scores[eligible], len(eligible) - k)[len(eligible) - k]
        eligible = eligible[scores[eligible] >= cut]
    order = np.lexsort((eligible, -scores[eligible]))
    return eligible[order[:k]].astype(np.int64)


def _cosines(matrix: Vectors, query: Vector) -> Scores:
    # Not `matrix @ query`: BLAS gives equal rows sums that differ in the last bit with their place in the matrix, and ties
    # would then be decided by row numbers. This takes as long, and every row is summed in the same order.
    scores: Scores = np.einsum("ij,j->i", matrix, query)
    return scores


class ExactVectors:
    """VectorIndex over a matrix [n, dimension] of unit rows. Recall is 1 by construction."""

    def __init__(self, matrix: Vectors) -> None:
        self._matrix = matrix

    def __len__(self) -> int:
        """See VectorIndex."""
        return len(self._matrix)

    def exact(self) -> "ExactVectors":
        """See LayeredVectors."""
        return self

    def search(self, query: Vector, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """See VectorIndex."""
        if allowed is not None and np.count_nonzero(allowed) * FEW < len(allowed):
            few = np.flatnonzero(allowed)
            scores = self.score(query, few)
            best = top_rows(scores, k)
            return few[best].astype(np.int64), scores[best]
        scores = _cosines(self._matrix, query)
        if allowed is not None:
            scores = np.where(allowed, scores, np.float32(-np.inf))
        rows = top_rows(scores, k)
        return rows, scores[rows]

    def score(self, query: Vector, rows: Rows) -> Scores:
        """See VectorIndex."""
        return _cosines(self._matrix[rows], query)

    def take(self, rows: Rows) -> Vectors:
        """See LayeredVectors."""
        return self._matrix[rows]

    def nonzero(self) -> Mask:
        """See LayeredVectors."""
        mask: Mask = np.any(self._matrix != 0, axis=1)
        return mask


class ChromaVectors:
    """VectorIndex whose candidates come from a Chroma collection that holds the same matrix.

    Where Chroma fails, the answer is exact, and `degraded` says so for the next RETRY_AFTER_S, in which it is not asked.
    """

    def __init__(self, matrix: Vectors, store: ChromaStore, name: str, *, exact_below: int = EXACT_BELOW) -> None:
        self._exact = ExactVectors(matrix)
        self._store = store
        self._name = name
        self._exact_below = exact_below
        self._failure: tuple[str, float] | None = None  # what was said, and until when it holds

    def __len__(self) -> int:
        """See VectorIndex."""
        return len(self._exact)

    def exact(self) -> ExactVectors:
        """See LayeredVectors."""
        return self._exact

    @property
    def degraded(self) -> str | None:
        """Why searches are exact where Chroma should propose; None while all is well."""
        failure = self._failure
        return failure[0] if failure is not None and time.monotonic() < failure[1] else None

    def search(self, query: Vector, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """See VectorIndex. Small collections, and masks that leave few of what Chroma proposes, are answered exactly."""
        rows = len(self)
        left = rows if allowed is None else int(np.count_nonzero(allowed))
        needed, wanted = min(k, left), min(k + min(rows - left, MASKED_OVERFETCH), rows)
        # As large a share of the proposed is likely to be allowed as of all; with fewer than needed, the nearest are not known.
        if rows < max(1, self._exact_below) or needed <= 0 or wanted * left < needed * rows:
            return self._exact.search(query, k, allowed)
        proposed = self._propose(query, wanted)
        if proposed is not None and allowed is not None:
            proposed = proposed[allowed[proposed]]
        if proposed is None or len(proposed) < needed:
            return self._exact.search(query, k, allowed)
        scores = self._exact.score(query, proposed)
        order = np.lexsort((proposed, -scores))[:k]
        return proposed[order], scores[order]

    def score(self, query: Vector, rows: Rows) -> Scores:
        """See VectorIndex."""
        return self._exact.score(query, rows)

    def take(self, rows: Rows) -> Vectors:
        """See LayeredVectors."""
        return self._exact.take(rows)

    def nonzero(self) -> Mask:
        """See LayeredVectors."""
        return self._exact.nonzero()

    def _propose(self, query: Vector, k: int) -> Rows | None:
        if self.degraded is not None:
            return None
        try:
            return self._store.propose(self._name, query, k)
        except ChromaFailed as error:
            # It ends by itself, never by the success of another thread: whoever searched exactly must be told.
            self._failure = (f"{error}; searches are exact, and slower", time.monotonic() + RETRY_AFTER_S)
            return None


class LayeredVectors:
    """VectorIndex of an immutable base followed by what came since: rows of `delta` are numbered after the base's."""

    def __init__(self, base: ExactVectors | ChromaVectors, delta: Vectors) -> None:
        self._base = base
        self._delta = ExactVectors(delta)
        self._dimension = delta.shape[1]

    def __len__(self) -> int:
        """See VectorIndex."""
        return len(self._base) + len(self._delta)

    def search(self, query: Vector, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """See VectorIndex."""
        cut = len(self._base)
        below, above = (None, None) if allowed is None else (allowed[:cut], allowed[cut:])
        rows, scores = self._base.search(query, k, below)
        more_rows, more_scores = self._delta.search(query, k, above)
        rows, scores = np.concatenate([rows, more_rows + cut]), np.concatenate([scores, more_scores])
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]

    def exact(self) -> "LayeredVectors":
        """The same rows, searched without Chroma."""
        layered = copy.copy(self)
        layered._base = self._base.exact()
        return layered

    @property
    def degraded(self) -> str | None:
        """See ChromaVectors."""
        return self._base.degraded if isinstance(self._base, ChromaVectors) else None

    def take(self, rows: Rows) -> Vectors:
        """The stored vectors of `rows`, in their order."""
        vectors = np.empty((len(rows), self._dimension), dtype=np.float32)
        in_base = rows < len(self._base)
        vectors[in_base] = self._base.take(rows[in_base])
        vectors[~in_base] = self._delta.take(rows[~in_base] - len(self._base))
        return vectors

    def nonzero(self) -> Mask:
        """Rows that hold a vector at all; a zero row stands for an input that is missing."""
        mask: Mask = np.concatenate([self._base.nonzero(), self._delta.nonzero()])
        return mask

    def score(self, query: Vector, rows: Rows) -> Scores:
        """See VectorIndex."""
        scores = np.empty(len(rows), dtype=np.float32)
        in_base = rows < len(self._base)
        scores[in_base] = self._base.score(query, rows[in_base])
        scores[~in_base] = self._delta.score(query, rows[~in_base] - len(self._base))
        return scores
