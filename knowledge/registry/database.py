"""Connections, transactions and migrations: what is the same for every database. SQLite is in `embedded`, PostgreSQL in
`server`; nothing else knows which one it is."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

import knowledge.migrations
from knowledge.errors import StorageFailed
from knowledge.registry.locks import LockSessions

# The newest migration. Comparing with it spares every start the import of Alembic; a test holds it to the truth.
SCHEMA_HEAD = "0007"


class Database(ABC):
    """Reads that never wait and see one state, and writes that queue."""

    locks: LockSessions | None = None  # of a server; beside a file they are files (runtime.home)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._snapshots = threading.local()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot. Raises StorageFailed."""
        shared: Connection | None = getattr(self._snapshots, "connection", None)
        with self.translated():
            if shared is not None:
                yield shared
                return
            with self._reading() as connection:
                yield connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads of this thread inside see one and the same state, whatever is written meanwhile."""
        with self.read() as connection:
            before: Connection | None = getattr(self._snapshots, "connection", None)
            self._snapshots.connection = connection
            try:
                yield
            finally:
                self._snapshots.connection = before

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing. Raises StorageFailed when the disk, the server or a lock refuses."""
        with self.translated(), self._writing() as connection:
            yield connection

    def schema(self) -> str | None:
        """The newest migration it has had; None where it is empty."""
        with self.read() as connection:
            return _revision(connection)

    def upgrade(self, target: str = SCHEMA_HEAD) -> None:
        """Bring the schema up to `target`; a no-op where it is there. Safe when many processes do it at once."""
        revision = self.schema()
        if revision == target:
            return
        if revision is not None and revision > target:
            raise StorageFailed(
                f"a newer version wrote the registry (schema {revision}, this one knows {target}). Use that version, or a "
                "backup from before"
            )
        with self.write() as connection:
            if _revision(connection) != target:
                _run_migrations(connection, target)

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    # --- what each database does in its own way ----------------------------------------------------------------------

    @abstractmethod
    def translated(self) -> AbstractContextManager[None]:
        """Raises StorageFailed, which says what to do, for whatever the database or its driver refuses."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Connection]:
        """A transaction that no other one is beside."""

    @abstractmethod
    def told(self, error: Exception) -> str:
        """What a refusal of the driver says, without any value of a row."""

    @abstractmethod
    def integrity_problems(self) -> list[str]:
        """Damage that the database finds in itself, and references to rows that are not there; empty is good."""

    @abstractmethod
    def forget_deleted(self) -> bool:
        """Let nothing that was deleted stay readable where this database can help it; False where that did not work."""

    @abstractmethod
    def loaded(self, connection: Connection) -> None:
        """Rows came in with numbers of their own: the next number that the database gives must be a higher one."""


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _run_migrations(connection: Connection, target: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(knowledge.migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, target)
