"""Which index generation serves, where several machines follow one: a name that changes in one transaction."""

from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from knowledge.errors import StorageFailed
from knowledge.registry.database import Database
from knowledge.registry.rows import now
from knowledge.registry.tables import CORPUS, INDEX_GENERATIONS


@dataclass(frozen=True, slots=True)
class Published:
    """The generation that serves under one set of encoders, and the one before it for those who still fetch.

    `previous` is None after a deletion: then no copy of any earlier one may stay.
    """

    name: str
    previous: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """Generations that may be kept."""
        return frozenset({self.name, self.previous} - {None})  # type: ignore[arg-type] # mypy keeps the None


class Generations:
    """Names of index generations. They belong to this installation: no archive carries them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def serving(self, key: str) -> tuple[int, Published | None]:
        """The corpus generation, and what serves under the encoders `key` at that moment. One query: asked once a request."""
        joined = CORPUS.outerjoin(INDEX_GENERATIONS, INDEX_GENERATIONS.c.key == key)
        columns = (CORPUS.c.generation, INDEX_GENERATIONS.c.name, INDEX_GENERATIONS.c.previous)
        with self._database.read() as connection:
            generation, name, previous = connection.execute(select(*columns).select_from(joined)).one()
        return generation, None if name is None else Published(name, previous)

    def published(self, key: str) -> Published | None:
        """What serves under the encoders `key`."""
        return self.serving(key)[1]

    def publish(self, key: str, new: Published, expected: Published | None) -> None:
        """Let `new` serve in the place of `expected`. Raises StorageFailed where something else serves by now."""
        with self._database.write() as connection:
            there = connection.execute(select(INDEX_GENERATIONS.c.name).where(INDEX_GENERATIONS.c.key == key)).scalar()
            if there != (expected.name if expected else None):
                raise StorageFailed("another writer published an index meanwhile; that one serves. Try again.")
            connection.execute(delete(INDEX_GENERATIONS).where(INDEX_GENERATIONS.c.key == key))
            row = {"key": key, "name": new.name, "previous": new.previous, "published_at": now()}
            connection.execute(insert(INDEX_GENERATIONS).values(row))

    def keys(self) -> frozenset[str]:
        """Every set of encoders under which something serves."""
        with self._database.read() as connection:
            return frozenset(connection.execute(select(INDEX_GENERATIONS.c.key)).scalars())

    def forget_others(self, key: str) -> None:
        """From now on nothing serves under other encoders."""
        with self._database.write() as connection:
            connection.execute(delete(INDEX_GENERATIONS).where(INDEX_GENERATIONS.c.key != key))
