"""The registry on a PostgreSQL server. Needs the driver psycopg (extra "cluster"), which nothing else imports."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from knowledge.errors import StorageFailed
from knowledge.registry.database import Database
from knowledge.registry.locks import LockSessions, key_of

SCHEME: Final = "postgresql"
WRITES: Final = "writes"  # the lock that stands for SQLite's one writer
CONNECTIONS: Final = 16  # of one process, at most
LEAST_CONNECTIONS: Final = 4
PATIENCE_S: Final = 60  # for another transaction, or a free connection

# A peer that vanishes without a word is given up by both sides after 10 + 3 * 5 seconds: its locks are free then.
VANISHED_S: Final = 25
_PARAMETERS: Final[dict[str, str | int]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": VANISHED_S * 1_000,
    "application_name": "dermacite",
    "client_encoding": "utf8",
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    f" -c tcp_user_timeout={VANISHED_S * 1_000} -c client_connection_check_interval=10s"
    f" -c lock_timeout={PATIENCE_S}s -c idle_in_transaction_session_timeout=600s"
    " -c idle_session_timeout=0"  # who encodes for an hour holds his locks meanwhile
    " -c default_transaction_isolation=read\\ committed",
}

# What a refused connection says, which has no code: part of libpq's or the server's English words -> ours. Anything else
# could repeat a host, a user or a password.
_REFUSED: Final = (
    ("password", "it refused the user or the password"),
    ("authentication", "it refused the user or the password"),
    ("pg_hba", "its pg_hba.conf lets this user or machine not in"),
    ("too many", "it has no free connection: raise its max_connections, or lower registry_connections"),
    ("remaining connection slots", "it has no free connection: raise its max_connections, or lower registry_connections"),
    ("does not exist", "it has no such database or user"),
    ("starting up", "it is starting"),
    ("shutting down", "it is ending"),
    ("not accepting connections", "it is starting or ending"),
    ("recovery mode", "it is recovering from a crash"),
    ("SSL", "TLS could not be agreed on"),
    ("translate host name", "its host name is not known"),
    ("resolve host", "its host name is not known"),
    ("timeout", "it did not answer in time"),
    ("refused", "nothing listens there"),
    ("No such file", "nothing listens there"),
    ("terminat", "it ended the session"),
    ("closed the connection", "it ended the session"),
    ("connection is lost", "it ended the session"),
)  # fmt: skip
_DELETED_FROM: Final = "passages, pages, versions, documents, cases, datasets, job_items, jobs, vectors"


class ServerDatabase(Database):
    """One database of a server, shared by any number of processes. Sessions with locks are apart from those that read."""

    locks: LockSessions

    def __init__(self, url: str, connections: int = CONNECTIONS) -> None:
        for_locks = max(2, connections // 4)
        super().__init__(_engine(url, connections - for_locks))
        self._lock_engine = _engine(url, for_locks)
        self.locks = LockSessions(self._lock_engine, self.translated)
        self._writes = {"key": key_of(WRITES)}

    @contextmanager
    def translated(self) -> Iterator[None]:
        """See Database. Nothing of the driver's error goes on, since it may hold values of rows or the address."""
        try:
            yield
        except (DBAPIError, PendingRollbackError, PoolExhausted) as error:
            if isinstance(error, DBAPIError) and _sqlstate(error) is not None and not error.connection_invalidated:
                raise StorageFailed(
                    f"the registry refused the operation ({self.told(error)}), and nothing of it was kept. Check the log "
                    "of its PostgreSQL server, then run: dermacite doctor"
                ) from None
            raise StorageFailed(
                f"the PostgreSQL server of the registry cannot be used: {_why(error)}. What was acknowledged before is "
                "safe. Start it, or correct registry_url; this process goes on by itself"
            ) from None

    def told(self, error: Exception) -> str:
        """See Database: the kind of the error and its SQLSTATE."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        state = _sqlstate(error)
        return f"{type(cause).__name__}, {state}" if state else type(cause).__name__

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        held = self.locks.session()
        if held is not None:
            with held.begin():
                held.execute(_QUEUE, self._writes)
                yield held
            return
        with self._engine.begin() as connection:
            connection.execute(_QUEUE, self._writes)
            yield connection

    @contextmanager
    def unqueued(self) -> Iterator[Connection]:
        """Statements that are each a transaction, wait for no writer, and may be lost when the server crashes."""
        with self.translated(), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    def integrity_problems(self) -> list[str]:
        """See Database. A server checks its pages by itself and lets no reference dangle."""
        with self.read():
            return []

    def forget_deleted(self) -> bool:
        """Let the server give the place of deleted rows to others. Its log, replicas and backups are its operator's."""
        with self.unqueued() as connection:
            connection.exec_driver_sql(f"VACUUM {_DELETED_FROM}")
        return True

    def loaded(self, connection: Connection) -> None:
        """See Database."""
        highest = "SELECT setval(pg_get_serial_sequence('audit', 'id'), coalesce(max(id), 0) + 1, false) FROM audit"
        connection.execute(text(highest))

    def close(self) -> None:
        """Give every connection back."""
        super().close()
        self._lock_engine.dispose()


_QUEUE: Final = text("SELECT pg_advisory_xact_lock(:key)")


def is_server(url: str) -> bool:
    """Whether this is the address of a PostgreSQL server."""
    return url.startswith(f"{SCHEME}://")


def _engine(url: str, connections: int) -> Engine:
    try:
        address = make_url(url).set(drivername=f"{SCHEME}+psycopg")
        given = {name: value for name, value in _PARAMETERS.items() if name not in address.query}
        return create_engine(
            address, pool_size=connections, max_overflow=0, pool_timeout=PATIENCE_S, pool_pre_ping=True,
            hide_parameters=True, connect_args=given,
        )  # fmt: skip
    except (ArgumentError, ValueError):  # both repeat what they could not read
        raise StorageFailed("registry_url is no address: write postgresql://USER@HOST:PORT/DATABASE") from None
    except ImportError as error:
        raise StorageFailed(
            "a registry on PostgreSQL needs psycopg. Install it: .venv/bin/python -m pip install --constraint "
            'constraints.txt --editable ".[cluster]"'
        ) from error


def _sqlstate(error: Exception) -> str | None:
    state: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state


def _why(error: SQLAlchemyError) -> str:
    if isinstance(error, PoolExhausted):
        return "all connections that registry_connections allows this process are in use"
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return next((ours for theirs, ours in _REFUSED if theirs in said), "it does not answer")
