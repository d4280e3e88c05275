"""Vectors that all hosts share, as bytes: what retrieval.embeddings keeps in a file where there is one host."""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select, text

from knowledge.registry.rows import slices
from knowledge.registry.server import ServerDatabase
from knowledge.registry.tables import VECTORS

_PUT = text(
    "INSERT INTO vectors (fingerprint, key, vector) VALUES (:fingerprint, :key, :vector) ON CONFLICT DO NOTHING"
)


class Vectors:
    """(fingerprint of the encoder, sha256 of the input) -> bytes. Raises StorageFailed."""

    def __init__(self, database: ServerDatabase) -> None:
        self._database = database

    def get(self, fingerprint: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Those that are there, by key."""
        query = select(VECTORS.c.key, VECTORS.c.vector).where(VECTORS.c.fingerprint == fingerprint)
        found: dict[str, bytes] = {}
        with self._database.read() as connection:
            for some in slices(keys):
                rows = connection.execute(query.where(VECTORS.c.key.in_(some)))
                found.update((row.key, bytes(row.vector)) for row in rows)
        return found

    def known(self, fingerprint: str, keys: Sequence[str]) -> set[str]:
        """The keys of those that are there: not a byte of them comes over the network."""
        query = select(VECTORS.c.key).where(VECTORS.c.fingerprint == fingerprint)
        found: set[str] = set()
        with self._database.read() as connection:
            for some in slices(keys):
                found.update(connection.execute(query.where(VECTORS.c.key.in_(some))).scalars())
        return found

    def put(self, fingerprint: str, rows: Iterable[tuple[str, bytes]]) -> None:
        """Keep rows of (key, vector) in one step; one that is there already stays."""
        values = [{"fingerprint": fingerprint, "key": key, "vector": vector} for key, vector in rows]
        if values:
            with self._database.write() as connection:
                connection.execute(_PUT, values)

    def delete(self, keys: Iterable[str]) -> None:
        """Forget these inputs under every encoder."""
        with self._database.write() as connection:
            for some in slices(tuple(keys)):
                connection.execute(delete(VECTORS).where(VECTORS.c.key.in_(some)))

    def keys(self) -> frozenset[str]:
        """Every input that is remembered, under whatever encoder."""
        with self._database.read() as connection:
            return frozenset(connection.execute(select(VECTORS.c.key).distinct()).scalars())
