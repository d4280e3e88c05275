"""Who did what to what, and when. Written in the transaction of the deed itself; never what anything says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from knowledge.registry.database import Database
from knowledge.registry.rows import now
from knowledge.registry.tables import AUDIT

UNKNOWN_ACTOR: Final = "unknown"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed. `kind` is what `item` is the id of: version, document, dataset, case, job, index, archive or key.

    `actor` is who did it: the name of the key, or, where none was needed, as the caller named himself.
    """

    id: int
    at: str
    actor: str
    action: str
    kind: str
    item: str
    details: dict[str, Any]


def record(connection: Connection, actor: str, action: str, kind: str, item: str, **details: Any) -> None:
    """Write one deed down. `details` are numbers, ids and states."""
    values = {"at": now(), "actor": actor, "action": action, "kind": kind, "item": item, "details": details}
    connection.execute(insert(AUDIT).values(**values))


class Audit:
    """Reads what was recorded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(
        self, item: str | None = None, *, actor: str | None = None, action: str | None = None, after: int = 0,
        before: int | None = None, newest_first: bool = False, limit: int = 1_000,
    ) -> Sequence[AuditEntry]:  # fmt: skip
        """At most `limit` entries with numbers between `after` and `before`, the earliest first unless `newest_first`.

        Only of one item, by one actor, of one action, where these are named.
        """
        wanted = {"item": item, "actor": actor, "action": action}
        query = select(AUDIT).where(*(AUDIT.c[name] == value for name, value in wanted.items() if value is not None))
        query = (
            query.where(AUDIT.c.id > after)
            if before is None
            else query.where(AUDIT.c.id.between(after + 1, before - 1))
        )
        query = query.order_by(AUDIT.c.id.desc() if newest_first else AUDIT.c.id).limit(limit)
        with self._database.read() as connection:
            return [AuditEntry(**row._mapping) for row in connection.execute(query)]

    def record(self, actor: str, action: str, kind: str, item: str, **details: Any) -> None:
        """A deed that changed nothing in the registry itself: an export, a rebuild."""
        with self._database.write() as connection:
            record(connection, actor, action, kind, item, **details)
