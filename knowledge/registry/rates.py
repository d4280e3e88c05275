"""Requests of a caller in a minute, counted for all processes by the clock of the server.

A window that slides: of the minute before as much as still lies within the last 60 seconds, taken as spread evenly, and all
of this one. One statement of one row a request; what a crash of the server forgets is the last minute.
"""

from sqlalchemy import text

from knowledge.registry.server import ServerDatabase

_SPEND = text(
    """
    WITH now AS (SELECT extract(epoch FROM clock_timestamp())::float8 AS s),
    at AS (SELECT floor(s / 60)::int AS minute, 1 - (s / 60 - floor(s / 60)) AS left_of_minute FROM now),
    before AS (SELECT coalesce(max(spent), 0) AS spent FROM rates, at WHERE whose = :whose AND rates.minute = at.minute - 1)
    INSERT INTO rates (whose, minute, spent)
    SELECT :whose, at.minute, 1 FROM at, before WHERE 1 + before.spent * left_of_minute <= :most
    ON CONFLICT (whose, minute) DO UPDATE SET spent = rates.spent + 1
    WHERE rates.spent + 1 + (SELECT spent * left_of_minute FROM before, at) <= :most
    RETURNING spent
    """
)
_WAIT = text(
    """
    WITH now AS (SELECT extract(epoch FROM clock_timestamp())::float8 AS s),
    at AS (SELECT floor(s / 60)::int AS minute, s - 60 * floor(s / 60) AS second FROM now)
    SELECT at.second, coalesce(sum(spent) FILTER (WHERE rates.minute = at.minute - 1), 0)::int,
           coalesce(sum(spent) FILTER (WHERE rates.minute = at.minute), 0)::int
    FROM at LEFT JOIN rates ON whose = :whose AND rates.minute >= at.minute - 1 GROUP BY at.second
    """
)
_FORGET = text("DELETE FROM rates WHERE minute < extract(epoch FROM clock_timestamp()) / 60 - 2")


class Rates:
    """What was spent of a rate. Raises StorageFailed."""

    def __init__(self, database: ServerDatabase) -> None:
        self._database = database

    def spend(self, whose: str, per_minute: int) -> float | None:
        """Count one request; or, where that would be one too many, count nothing and return the seconds to wait."""
        with self._database.unqueued() as connection:
            spent = connection.execute(_SPEND, {"whose": whose, "most": per_minute}).scalar_one_or_none()
            if spent is None:
                second, before, now = connection.execute(_WAIT, {"whose": whose}).one()
                return wait_s(second, before, now, per_minute)
            if spent == 1:
                connection.execute(_FORGET)
        return None


def wait_s(second: float, before: int, spent: int, most: int) -> float:
    """From this second of a minute, until the next request is served: as minutes go by, their requests count for less."""
    if spent + 1 <= most:  # the minute before is what is too much
        return max(0.0, 60 * (1 - (most - 1 - spent) / before) - second) if before else 0.0
    return 60 - second + 60 * (1 - (most - 1) / spent)
