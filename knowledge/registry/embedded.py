"""The registry in one SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from knowledge.errors import StorageFailed
from knowledge.registry.database import Database
from knowledge.sqlite import use_write_ahead_log

BUSY_TIMEOUT_MS = 60_000  # a writer waits this long for another one before it gives up


class EmbeddedDatabase(Database):
    """One file, which SQLite locks by itself."""

    def __init__(self, url: str) -> None:
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
        _configure(engine)
        super().__init__(engine)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """See Database."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:  # the latter comes from opening a connection, past SQLAlchemy
            raise StorageFailed(
                f"the registry refused the operation: {self.told(error)}. Check disk space and permissions, then run: "
                "dermacite doctor"
            ) from error

    def told(self, error: Exception) -> str:
        """See Database. SQLite names tables and columns only."""
        return str(error.orig if isinstance(error, DBAPIError) else error)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        writing = self._engine.execution_options(dermacite_write=True)
        with writing.begin() as connection:
            yield connection

    def integrity_problems(self) -> list[str]:
        """See Database."""
        with self.read() as connection:
            pages = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [line for line in pages if line != "ok"] + [f"dangling reference in {row[0]}" for row in dangling]

    def forget_deleted(self) -> bool:
        """Write SQLite's log back and empty it: deleted rows stay readable in it as long as any process is open.

        False when a reader held on to it for longer than the busy timeout.
        """
        # Outside of a transaction, which a checkpoint refuses to run in.
        with self.translated(), closing(self._engine.raw_connection()) as connection:
            (held, *_) = connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # type: ignore[union-attr]
        return not held

    def loaded(self, connection: Connection) -> None:
        """SQLite takes the highest number there is."""


def schema_of(file: Path) -> str | None:
    """The schema of a registry's file, without opening it as ours, which would bring it up to date. None: none yet.

    Raises StorageFailed for a file that is no database.
    """
    if not file.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None
    except sqlite3.Error as error:
        raise StorageFailed(f"the registry cannot be read: {error}. Restore it from a backup.") from error


def _configure(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # pysqlite must not start transactions by itself: it would not do so before SELECT or DDL.
        connection.isolation_level = None
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
        use_write_ahead_log(connection, BUSY_TIMEOUT_MS / 1000)

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A write takes its lock at once: a read that turns into a write cannot wait, it fails.
        write = connection.get_execution_options().get("dermacite_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
