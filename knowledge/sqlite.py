"""What every SQLite file of a home needs when it is opened."""

import sqlite3
import time

RETRY_S = 0.01


def use_write_ahead_log(connection: sqlite3.Connection, patience_s: float) -> None:
    """Let readers and the writer work side by side. Raises sqlite3.OperationalError after `patience_s` seconds.

    SQLite's own waiting does not cover this switch: of several that open a new file at once, some are refused at once.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            # A disk that is full or read-only stays so: whoever waits a minute for it is told a minute later.
            busy = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not busy or time.monotonic() >= deadline:
                raise
            time.sleep(RETRY_S)
