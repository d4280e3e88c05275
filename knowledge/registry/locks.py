"""Locks of a PostgreSQL server, by name. Each lives in a session of the server and dies with it.

A thread that holds locks has one session for all of them, and what it writes to the registry goes through that very session
(knowledge.registry.server): whoever lost his locks can write nothing more, whether he knows of the loss or not.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from knowledge.errors import StorageFailed

POLL_S = 0.02  # between two looks of who waits for a lock
LOST = (
    "the session that held the locks of this work has ended (the server was restarted, or the network was cut); nothing "
    "more of it is written. Try again: what is a job goes on by itself"
)


class LockTaken(Exception):
    """Somebody else holds a lock, and nobody waits for it any longer."""


class LockSessions:
    """The locks of one database. `translated` makes StorageFailed of what the driver refuses."""

    def __init__(self, engine: Engine, translated: Callable[[], AbstractContextManager[None]]) -> None:
        self._engine = engine
        self._translated = translated
        self._mine = threading.local()

    @contextmanager
    def held(
        self, name: str, patience_s: float | None = None, waiting: Callable[[], None] | None = None
    ) -> Iterator[None]:
        """Hold a lock. Raises LockTaken after `patience_s` (None: never); `waiting` is told once that somebody else has it.

        A thread may hold several, each once.
        """
        with self._session() as session:
            key = key_of(name)
            with self._translated():
                self._wait(session, key, patience_s, waiting)
            try:
                yield
            finally:
                # One that cannot be given back is gone already, with its session.
                with suppress(SQLAlchemyError, StorageFailed), _transaction(session):
                    session.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})

    def session(self) -> Connection | None:
        """The session of this thread, where it holds a lock. Raises StorageFailed where it is lost, with its locks."""
        session: Connection | None = getattr(self._mine, "session", None)
        if session is not None and session.invalidated:  # SQLAlchemy would open another one, without the locks
            raise StorageFailed(LOST)
        return session

    def confirm(self) -> None:
        """Raises StorageFailed where this thread lost locks: before what it does outside of the database."""
        session = self.session()
        if session is not None:
            with self._translated(), _transaction(session):
                session.execute(text("SELECT 1"))

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        before: Connection | None = getattr(self._mine, "session", None)
        if before is not None:
            yield before
            return
        with self._translated():
            session = self._engine.connect()
        self._mine.session = session
        try:
            yield session
        finally:
            self._mine.session = None
            with suppress(SQLAlchemyError):
                session.close()

    def _wait(
        self, session: Connection, key: int, patience_s: float | None, waiting: Callable[[], None] | None
    ) -> None:
        # Asked again and again: a statement that waits keeps a snapshot open, and VACUUM from what was deleted since.
        until = None if patience_s is None else time.monotonic() + patience_s
        told = False
        while not _taken(session, key):
            if waiting is not None and not told:
                waiting()
            told = True
            if until is not None and time.monotonic() >= until:
                raise LockTaken
            time.sleep(POLL_S)


def key_of(name: str) -> int:
    """The number that PostgreSQL knows a lock by: 64 bits of the name's SHA-256, so that no two names share one."""
    return int.from_bytes(hashlib.sha256(f"dermacite {name}".encode()).digest()[:8], signed=True)


def _taken(session: Connection, key: int) -> bool:
    if session.invalidated:
        raise StorageFailed(LOST)
    with _transaction(session):
        return bool(session.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one())


@contextmanager
def _transaction(session: Connection) -> Iterator[None]:
    if session.invalidated:
        raise StorageFailed(LOST)
    with session.begin():
        yield
