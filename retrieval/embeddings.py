"""Vectors by what was encoded, kept for good: rebuilding an index never encodes the same bytes twice."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.errors import StorageFailed
from knowledge.sqlite import use_write_ahead_log
from retrieval.errors import EmbeddingsFailed
from retrieval.protocols import VectorRows
from retrieval.types import Vector

KEYS_PER_QUERY = 500
BUSY_TIMEOUT_S = 60
# Each step is one look into the primary key; SELECT DISTINCT would read every vector.
FINGERPRINTS = """
    WITH RECURSIVE found(fingerprint) AS (
        SELECT min(fingerprint) FROM embeddings
        UNION ALL
        SELECT (SELECT min(fingerprint) FROM embeddings WHERE fingerprint > found.fingerprint)
        FROM found WHERE found.fingerprint IS NOT NULL
    )
    SELECT fingerprint FROM found WHERE fingerprint IS NOT NULL
"""


def text_key(text: str) -> str:
    """The key of a text: sha256 of its UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


class EmbeddingStore:
    """(fingerprint of the encoder, sha256 of the input) -> float32 vector, or bytes. Any number of processes may use it.

    `rows` is where they are kept: a file of this store's own, or what several hosts share.
    """

    def __init__(self, rows: Path | VectorRows) -> None:
        self._rows: VectorRows = _File(rows) if isinstance(rows, Path) else rows

    def get(self, fingerprint: str, keys: Iterable[str]) -> dict[str, Vector]:
        """The vectors that are there, by key."""
        found = self.get_bytes(fingerprint, keys)
        return {key: np.frombuffer(vector, dtype=np.float32) for key, vector in found.items()}

    def get_bytes(self, fingerprint: str, keys: Iterable[str]) -> dict[str, bytes]:
        """The same as they were put, for rows of another type (sketches of pictures)."""
        with _failing():
            return self._rows.get(fingerprint, list(dict.fromkeys(keys)))

    def known(self, fingerprint: str, keys: Iterable[str]) -> set[str]:
        """Which of these are there; reads none of them."""
        with _failing():
            return self._rows.known(fingerprint, list(dict.fromkeys(keys)))

    def put(self, fingerprint: str, keys: Sequence[str], vectors: NDArray[np.float32 | np.uint8]) -> None:
        """Keep `vectors[i]` under `keys[i]`. The first one wins: the same input gives the same vector."""
        with _failing():
            self._rows.put(fingerprint, [(key, row.tobytes()) for key, row in zip(keys, vectors, strict=True)])

    def delete(self, keys: Iterable[str]) -> None:
        """Forget these inputs under every encoder."""
        with _failing():
            self._rows.delete(keys)

    def keys(self) -> frozenset[str]:
        """Every input that is remembered, under whatever encoder."""
        with _failing():
            return self._rows.keys()


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except StorageFailed as error:  # of what several hosts share
        raise EmbeddingsFailed(str(error)) from error


class _File:
    """Rows in one SQLite file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddingsFailed(f"the folder of the embedding store cannot be made: {error.strerror}.") from error
        with self._connection() as connection:
            use_write_ahead_log(connection, BUSY_TIMEOUT_S)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS embeddings (fingerprint TEXT, key TEXT, vector BLOB NOT NULL, "
                "PRIMARY KEY (fingerprint, key)) WITHOUT ROWID"
            )

    def get(self, fingerprint: str, keys: Sequence[str]) -> dict[str, bytes]:
        """See VectorRows."""
        found: dict[str, bytes] = {}
        with self._connection() as connection:
            for some in _slices(keys):
                marks = ",".join("?" * len(some))
                query = f"SELECT key, vector FROM embeddings WHERE fingerprint = ? AND key IN ({marks})"  # noqa: S608 (marks are "?")
                found.update(connection.execute(query, (fingerprint, *some)))
        return found

    def known(self, fingerprint: str, keys: Sequence[str]) -> set[str]:
        """See VectorRows."""
        found: set[str] = set()
        with self._connection() as connection:
            for some in _slices(keys):
                marks = ",".join("?" * len(some))
                query = f"SELECT key FROM embeddings WHERE fingerprint = ? AND key IN ({marks})"  # noqa: S608 (marks are "?")
                found.update(key for (key,) in connection.execute(query, (fingerprint, *some)))
        return found

    def put(self, fingerprint: str, rows: Iterable[tuple[str, bytes]]) -> None:
        """See VectorRows."""
        with self._connection() as connection:
            values = [(fingerprint, *row) for row in rows]
            connection.executemany("INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)", values)

    def delete(self, keys: Iterable[str]) -> None:
        """See VectorRows."""
        with self._connection() as connection:
            # By whole primary keys: by the second column alone each would read the whole table.
            encoders = [fingerprint for (fingerprint,) in connection.execute(FINGERPRINTS)]
            rows = [(fingerprint, key) for key in keys for fingerprint in encoders]
            connection.executemany("DELETE FROM embeddings WHERE fingerprint = ? AND key = ?", rows)

    def keys(self) -> frozenset[str]:
        """See VectorRows."""
        with self._connection() as connection:
            return frozenset(key for (key,) in connection.execute("SELECT DISTINCT key FROM embeddings"))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._file, timeout=BUSY_TIMEOUT_S)) as connection, connection:
                connection.execute("PRAGMA secure_delete=ON")  # what is deleted must not stay readable on the disk
                yield connection
        except sqlite3.Error as error:
            raise EmbeddingsFailed(
                f"the embedding store refused the operation: {error}. Check disk space and permissions."
            ) from error


def _slices(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), KEYS_PER_QUERY):
        yield keys[start : start + KEYS_PER_QUERY]
