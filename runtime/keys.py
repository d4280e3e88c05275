"""Who may do what: roles, the keys that prove them, and the sessions that pages open with a key.

A key is `dmc_ID_SECRET`. Its secret and the token of a session have 256 random bits, so one round of SHA-256 keeps them; a
slow hash protects passwords, which people choose.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from knowledge.errors import StorageFailed
from knowledge.registry.keys import AccessKey, Keys
from runtime.errors import KeyNotMade, KeyRefused

PREFIX: Final = "dmc"
DEFAULT_DAYS = 365
MOST_DAYS = 3_650
SESSION_HOURS = 8
_SECRET_BYTES = 32
_KEY = re.compile(r"dmc_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
NAME = r"^[\w .@+-]{1,100}$"  # of a key, which is the name that the audit log shows


class Role(StrEnum):
    """A ladder: each may do what those before it may."""

    READER = "reader"  # ask, search, open evidence
    RESEARCHER = "researcher"  # switch parts of retrieval, ask what an answer depends on
    CURATOR = "curator"  # change what is known
    ADMIN = "admin"  # look at the running service

    def may(self, needed: "Role") -> bool:
        """Whether this role reaches up to `needed`."""
        ladder = list(Role)
        return ladder.index(self) >= ladder.index(needed)


@dataclass(frozen=True, slots=True)
class Session:
    """What a browser gets when it signs in: `token` for its cookie, nowhere else."""

    token: str
    key: AccessKey
    expires_at: str


class KeyRing:
    """Makes and checks keys and sessions. Each check reads the registry, so what is revoked is so at once, everywhere."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def needed(self) -> bool:
        """Whether callers need a key: from the first key of the home on, in whatever state it is."""
        return self._keys.exist()

    def usable(self) -> bool:
        """Whether any key opens anything now."""
        at = _at()
        return any(key.usable(at) for key in self._keys.all())

    def create(self, name: str, role: Role, days: int, actor: str) -> tuple[str, AccessKey]:
        """A new key: its text, which nobody can show again, and what is known of it. Raises KeyNotMade."""
        if not re.fullmatch(NAME, name):
            raise KeyNotMade("the name of a key has 1 to 100 letters, digits, spaces or any of . _ @ + -")
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES)
        moment = datetime.now(UTC)
        key = AccessKey(key_id, name, role.value, _at(moment), _at(moment + timedelta(days=days)))
        self._keys.add(key, _digest(secret), actor)
        return f"{PREFIX}_{key_id}_{secret}", key

    def all(self) -> Sequence[AccessKey]:
        """Every key, the earliest first."""
        return self._keys.all()

    def revoke(self, key_id: str, actor: str) -> AccessKey:
        """It and its sessions open nothing from now on. Raises NotFound."""
        return self._keys.revoke(key_id, actor)

    def check(self, text: str) -> AccessKey:
        """The key of this text. Raises KeyRefused."""
        shape = _KEY.fullmatch(text)
        found = self._keys.with_secret(shape[1]) if shape else None
        if shape is None or found is None or not hmac.compare_digest(_digest(shape[2]), found[1]):
            raise KeyRefused("key_unknown", "This is no key of this service. Make one: dermacite keys create")
        return self._opened(found[0])

    def named_by(self, text: str) -> str | None:
        """The id of the key that this text claims to be, where there is such a one."""
        shape = _KEY.fullmatch(text)
        return shape[1] if shape and self._keys.with_secret(shape[1]) else None

    # --- sessions --------------------------------------------------------------------------------------------------

    def sign_in(self, text: str) -> Session:
        """A session of this key, which ends with it. Raises KeyRefused."""
        key = self.check(text)
        moment, token = datetime.now(UTC), secrets.token_urlsafe(_SECRET_BYTES)
        until = min(_at(moment + timedelta(hours=SESSION_HOURS)), key.expires_at)
        self._keys.open_session(_digest(token), key.id, at=_at(moment), until=until)
        return Session(token, key, until)

    def signed_in(self, token: str) -> AccessKey:
        """The key of an open session. Raises KeyRefused."""
        key = self._keys.session(_digest(token), _at()) if _TOKEN.fullmatch(token) else None
        if key is None:
            raise KeyRefused("session_ended", "The session has ended. Sign in again.")
        return self._opened(key)

    def sign_out(self, token: str) -> None:
        """End a session; nothing where there is none."""
        self._keys.close_session(_digest(token))

    def _opened(self, key: AccessKey) -> AccessKey:
        if key.revoked_at is not None:
            raise KeyRefused("key_revoked", "This key was revoked. Make another: dermacite keys create")
        if not key.usable(_at()):
            raise KeyRefused("key_expired", "This key has expired. Make another: dermacite keys create")
        self._note_use(key)
        return key

    def _note_use(self, key: AccessKey) -> None:
        """Once a day. A note, not a condition: a full disk must not lock everybody out who only reads."""
        day = datetime.now(UTC).date().isoformat()
        if key.last_used != day:
            try:
                self._keys.used(key.id, day)
            except StorageFailed:
                return


def state_of(key: AccessKey) -> str:
    """`revoked`, `expired`, or `usable`."""
    return "revoked" if key.revoked_at else "usable" if key.usable(_at()) else "expired"


def csrf_token(token: str) -> str:
    """What a page of this session sends along with everything that is not a mere look; it says nothing of the token."""
    return urlsafe_b64encode(hmac.digest(token.encode(), b"dermacite csrf", "sha256")).decode().rstrip("=")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _at(moment: datetime | None = None) -> str:
    """A second in UTC, as the registry writes it."""
    return (moment or datetime.now(UTC)).isoformat(timespec="seconds")
