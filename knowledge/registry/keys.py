"""Keys that callers show, and the sessions that pages open with them. Secrets are kept as their SHA-256 only."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from knowledge.errors import NotFound
from knowledge.registry.audit import record
from knowledge.registry.database import Database
from knowledge.registry.rows import now
from knowledge.registry.tables import ACCESS_KEYS, SESSIONS

KEY: Final = "key"  # the kind of an audit entry about a key


@dataclass(frozen=True, slots=True)
class AccessKey:
    """What is known of a key. `role` is the word for what it may do, `last_used` a day; all times are UTC."""

    id: str
    name: str
    role: str
    created_at: str
    expires_at: str
    revoked_at: str | None = None
    last_used: str | None = None

    def usable(self, at: str) -> bool:
        """Whether it opens anything at this time, an ISO 8601 second in UTC."""
        return self.revoked_at is None and at < self.expires_at


_COLUMNS = [ACCESS_KEYS.c[field.name] for field in fields(AccessKey)]


class Keys:
    """Keys and sessions. They belong to this machine: no archive carries them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def exist(self) -> bool:
        """Whether there is any key at all, in whatever state: from the first one on, keys are needed."""
        with self._database.read() as connection:
            return connection.execute(select(ACCESS_KEYS.c.id).limit(1)).first() is not None

    def all(self) -> Sequence[AccessKey]:
        """Every key, the earliest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(*_COLUMNS).order_by(ACCESS_KEYS.c.created_at, ACCESS_KEYS.c.id))
            return [AccessKey(**row._mapping) for row in rows]

    def add(self, key: AccessKey, secret_sha256: str, actor: str) -> None:
        """Write a new key down."""
        values = {field.name: getattr(key, field.name) for field in fields(key)}
        with self._database.write() as connection:
            connection.execute(insert(ACCESS_KEYS).values(**values, secret_sha256=secret_sha256))
            record(connection, actor, "create", KEY, key.id, name=key.name, role=key.role, expires=key.expires_at)

    def with_secret(self, key_id: str) -> tuple[AccessKey, str] | None:
        """The key of this id and the SHA-256 of its secret, as 64 hex digits."""
        with self._database.read() as connection:
            query = select(*_COLUMNS, ACCESS_KEYS.c.secret_sha256).where(ACCESS_KEYS.c.id == key_id)
            row = connection.execute(query).first()
        if row is None:
            return None
        *of_key, secret_sha256 = row
        return AccessKey(*of_key), secret_sha256

    def revoke(self, key_id: str, actor: str) -> AccessKey:
        """It opens nothing any more, and its sessions end. Revoking again changes nothing. Raises NotFound."""
        with self._database.write() as connection:
            key = _key(connection, key_id)
            if key.revoked_at is None:
                done = update(ACCESS_KEYS).where(ACCESS_KEYS.c.id == key_id).values(revoked_at=now())
                connection.execute(done)
                connection.execute(delete(SESSIONS).where(SESSIONS.c.key_id == key_id))
                record(connection, actor, "revoke", KEY, key_id)
            return _key(connection, key_id)

    def used(self, key_id: str, day: str) -> None:
        """Note the day on which a key was used."""
        with self._database.write() as connection:
            connection.execute(update(ACCESS_KEYS).where(ACCESS_KEYS.c.id == key_id).values(last_used=day))

    # --- sessions --------------------------------------------------------------------------------------------------

    def open_session(self, token_sha256: str, key_id: str, *, at: str, until: str) -> None:
        """Begin a session of a key; those that ended before `at` are forgotten in the same step."""
        with self._database.write() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.expires_at <= at))
            values = {"token_sha256": token_sha256, "key_id": key_id, "created_at": at, "expires_at": until}
            connection.execute(insert(SESSIONS).values(**values))

    def session(self, token_sha256: str, at: str) -> AccessKey | None:
        """The key of a session that is open at this time, in whatever state the key is."""
        query = (
            select(*_COLUMNS)
            .join(SESSIONS, SESSIONS.c.key_id == ACCESS_KEYS.c.id)
            .where(SESSIONS.c.token_sha256 == token_sha256, SESSIONS.c.expires_at > at)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else AccessKey(**row._mapping)

    def close_session(self, token_sha256: str) -> None:
        """End a session; nothing where there is none."""
        with self._database.write() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.token_sha256 == token_sha256))


def _key(connection: Connection, key_id: str) -> AccessKey:
    row = connection.execute(select(*_COLUMNS).where(ACCESS_KEYS.c.id == key_id)).first()
    if row is None:
        raise NotFound("no such key. List them: dermacite keys list")
    return AccessKey(**row._mapping)
