"""Nearest neighbours by cosine: exact in NumPy, and Chroma for large collections.

Chroma only proposes row numbers; every score that leaves this module is the exact cosine from the matrix. Chroma is
written by `write_chroma` in a process of its own and only read afterwards: a kill inside one of its flushes poisons the
store beyond what an exception can catch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import IndexBroken
from retrieval.types import Mask, Rows, Scores, Vector, Vectors

# At 20,000 x 768 the exact product takes about 2 ms here, as long as a Chroma query, and it takes any mask.
EXACT_BELOW = 20_000
GATHERED = 0.2  # share of rows under which copying the allowed ones together is cheaper than scoring all
MASKED_OVERFETCH = 256  # up to so many masked rows are fetched on top; beyond, the exact path answers
CHROMA_BATCH = 5_000  # its largest batch is 5,461
# Measured against exact search: the library's defaults find 63 % of neighbours on harder data, these 99 %.
HNSW = {"space": "cosine", "max_neighbors": 32, "ef_construction": 200, "ef_search": 400}


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
    # would then be decided by row numbers. Here every row is summed in the same order. On one thread it takes as long;
    # on two BLAS is up to twice as fast on an idle machine, and on a busy one waits up to 16 ms for its second thread.
    scores: Scores = np.einsum("ij,j->i", matrix, query)
    return scores


class ExactVectors:
    """VectorIndex over a matrix [n, dimension] of unit rows. Recall is 1 by construction."""

    def __init__(self, matrix: Vectors) -> None:
        self._matrix = matrix

    def __len__(self) -> int:
        """See VectorIndex."""
        return len(self._matrix)

    def search(self, query: Vector, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """See VectorIndex."""
        if allowed is not None and np.count_nonzero(allowed) < GATHERED * len(allowed):
            some = np.flatnonzero(allowed)
            scores = self.score(query, some)
            best = top_rows(scores, k)  # `some` ascends, so places decide ties as rows would
            return some[best], scores[best]
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
    """VectorIndex whose candidates come from a Chroma collection that `write_chroma` made of the same matrix."""

    def __init__(self, matrix: Vectors, folder: Path, name: str, *, exact_below: int = EXACT_BELOW) -> None:
        self._exact = ExactVectors(matrix)
        self._folder = folder
        self._name = name
        self._exact_below = exact_below
        self._opened: Any = None

    def __len__(self) -> int:
        """See VectorIndex."""
        return len(self._exact)

    def search(self, query: Vector, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """See VectorIndex. Small collections and selective masks are answered exactly."""
        masked = 0 if allowed is None else int(len(allowed) - np.count_nonzero(allowed))
        if len(self) < max(1, self._exact_below) or masked > MASKED_OVERFETCH or k <= 0:
            return self._exact.search(query, k, allowed)
        proposed = self._propose(query, min(k + masked, len(self)))
        if allowed is not None:
            proposed = proposed[allowed[proposed]]
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

    def _propose(self, query: Vector, k: int) -> Rows:
        found = self._collection().query(query_embeddings=[query], n_results=k, include=[])
        return np.array([int(row) for row in found["ids"][0]], dtype=np.int64)

    def _collection(self) -> Any:
        # Opened on first need: below the exact limit a process never pays for Chroma's import.
        if self._opened is None:
            self._opened = _client(self._folder).get_collection(self._name, embedding_function=None)
        return self._opened


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


def write_chroma(folder: Path, matrices: Mapping[str, Vectors]) -> None:
    """Make one collection per matrix; ids are row numbers. Call it in a process of its own, on a new folder."""
    client = _client(folder)
    for name, matrix in matrices.items():
        collection = client.create_collection(name, configuration={"hnsw": HNSW}, embedding_function=None)
        for start in range(0, len(matrix), CHROMA_BATCH):
            part = matrix[start : start + CHROMA_BATCH]
            collection.add(ids=[str(start + row) for row in range(len(part))], embeddings=part)
    client.close()


def verify_chroma(folder: Path, matrices: Mapping[str, Vectors], *, sample: int = 200) -> dict[str, float]:
    """Share of sampled rows that find a vector equal to themselves, per collection. Raises IndexBroken.

    Counts must agree, the distance must be cosine, and at least 99 % must be found again: `count()` alone stays right on
    a store that lost a fifth of its vectors.
    """
    client = _client(folder)
    recall: dict[str, float] = {}
    for name, matrix in matrices.items():
        collection = client.get_collection(name, embedding_function=None)
        space = collection.configuration_json["hnsw"]["space"]
        if collection.count() != len(matrix) or space != "cosine":
            raise IndexBroken(f"{name}: {collection.count()} of {len(matrix)} vectors, {space} distance")
        recall[name] = _self_recall(collection, matrix, sample)
        if recall[name] < 0.99:
            raise IndexBroken(f"{name}: only {recall[name]:.1%} of the vectors find themselves")
    client.close()
    return recall


def _self_recall(collection: Any, matrix: Vectors, sample: int) -> float:
    rows = np.unique(np.linspace(0, len(matrix) - 1, num=min(sample, len(matrix)), dtype=np.int64))
    rows = rows[np.linalg.norm(matrix[rows], axis=1) > 0] if len(matrix) else rows
    if len(rows) == 0:
        return 1.0
    found = collection.query(query_embeddings=matrix[rows], n_results=1, include=[])["ids"]
    # Equal vectors (the same caption twice) may answer for each other.
    same = [
        np.allclose(matrix[int(ids[0])], matrix[row], atol=1e-5) for ids, row in zip(found, rows, strict=True) if ids
    ]
    return sum(same) / len(rows)


def _client(folder: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    return chromadb.PersistentClient(str(folder), settings=settings)
