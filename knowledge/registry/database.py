"""Connections, transactions and migrations. The only place that knows which database it is."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError

import knowledge.migrations
from knowledge.errors import StorageFailed
from knowledge.sqlite import use_write_ahead_log

# The newest migration. Comparing with it spares every start the import of Alembic; a test holds it to the truth.
SCHEMA_HEAD = "0006"

BUSY_TIMEOUT_MS = 60_000  # a writer waits this long for another one before it gives up


class Database:
    """One engine, with reads that never wait and writes that queue."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
        _configure_sqlite(self._engine)
        self._snapshots = threading.local()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot."""
        shared: Connection | None = getattr(self._snapshots, "connection", None)
        with _translated():
            if shared is not None:
                yield shared
                return
            with self._engine.connect() as connection:
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
        """One transaction: all of it or nothing. Raises StorageFailed when the disk or a lock refuses."""
        writing = self._engine.execution_options(dermacite_write=True)
        with _translated(), writing.begin() as connection:
            yield connection

    def upgrade(self, target: str = SCHEMA_HEAD) -> None:
        """Bring the schema up to `target`; a no-op where it is there. Safe when many processes do it at once."""
        with self.read() as connection:
            revision = _revision(connection)
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

    def integrity_problems(self) -> list[str]:
        """Damage that the database finds in itself, and references to rows that are not there; empty is good."""
        if self._engine.dialect.name != "sqlite":
            return []  # a server database checks its pages by itself
        with self.read() as connection:
            pages = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
            dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [line for line in pages if line != "ok"] + [f"dangling reference in {row[0]}" for row in dangling]

    def empty_log(self) -> bool:
        """Write SQLite's log back and empty it: deleted rows stay readable in it as long as any process is open.

        False when a reader held on to it for longer than the busy timeout.
        """
        if self._engine.dialect.name != "sqlite":
            return True  # what a server database keeps in its logs is its operator's matter
        with self._translated_raw() as connection:
            (held, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not held

    @contextmanager
    def _translated_raw(self) -> Iterator[Any]:
        # Outside of a transaction, which a checkpoint refuses to run in.
        with _translated():
            connection = self._engine.raw_connection()
            try:
                yield connection.driver_connection
            except sqlite3.Error as error:
                raise StorageFailed(f"the registry refused the operation: {error}. Check disk space.") from error
            finally:
                connection.close()

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()


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


def _configure_sqlite(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return

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


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:  # the latter comes from opening a connection, past SQLAlchemy
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise StorageFailed(
            f"the registry refused the operation: {cause}. Check disk space and permissions, then run: dermacite doctor"
        ) from error
