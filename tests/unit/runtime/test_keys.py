"""Keys and sessions: what opens, what does not any more, and that no secret is ever kept."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from knowledge.errors import NotFound, StorageFailed
from knowledge.registry import Registry
from knowledge.registry.keys import AccessKey
from knowledge.registry.tables import METADATA
from runtime.errors import KeyNotMade, KeyRefused
from runtime.keys import KeyRing, Role, csrf_token, state_of

PAST = "2020-01-01T00:00:00+00:00"


@pytest.fixture
def ring(registry: Registry) -> KeyRing:
    return KeyRing(registry.keys)


def refused(ring: KeyRing, text: str) -> str:
    with pytest.raises(KeyRefused) as error:
        ring.check(text)
    return error.value.reason


def expired(registry: Registry, ring: KeyRing) -> tuple[str, AccessKey]:
    """A key that ran out, with its text: the row of a fresh one under a new id, but for its end."""
    text, key = ring.create("dr.late", Role.ADMIN, 1, "me")
    found = registry.keys.with_secret(key.id)
    assert found is not None
    old = replace(key, id="0" * 12, expires_at=PAST)
    registry.keys.add(old, found[1], "me")
    return text.replace(key.id, old.id), old


def test_a_key_opens_what_its_role_says(ring: KeyRing) -> None:
    assert not ring.needed()
    assert not ring.usable()
    text, key = ring.create("dr.weber", Role.CURATOR, 30, "me")
    assert re.fullmatch(rf"dmc_{key.id}_[A-Za-z0-9_-]{{43}}", text)
    found = ring.check(text)
    assert (found.id, found.name, found.role, found.revoked_at) == (key.id, "dr.weber", "curator", None)
    assert ring.needed()
    assert ring.usable()


def test_roles_are_a_ladder() -> None:
    assert [[one.may(other) for other in Role] for one in Role] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]


def test_what_is_no_key_opens_nothing(ring: KeyRing) -> None:
    text, key = ring.create("dr.weber", Role.READER, 30, "me")
    other, _ = ring.create("dr.weber", Role.READER, 30, "me")
    secret = text.rpartition(f"{key.id}_")[2]
    wrong = [
        "", "x", secret, key.id, text + "=", text[:-1], text.upper(), f" {text}", f"{text}\n", f"dmc_{'0' * 12}_{secret}",
        f"dmc_{key.id}_{'A' * 43}", text.replace(key.id, other.split("_")[1]), "dmc_' OR 1=1 --", "d" * 100_000, "dmc_é",
    ]  # fmt: skip
    assert {refused(ring, one) for one in wrong} == {"key_unknown"}


def test_a_key_ends_with_its_days(registry: Registry, ring: KeyRing) -> None:
    text, key = expired(registry, ring)
    assert (refused(ring, text), state_of(key)) == ("key_expired", "expired")
    wrong = f"{text[:-1]}{'A' if text[-1] != 'A' else 'B'}"
    assert refused(ring, wrong) == "key_unknown"  # nothing is told to whoever has not the secret


def test_revoked_is_at_once_also_from_another_process(
    registry: Registry, ring: KeyRing, open_registry: Callable[[], Registry]
) -> None:
    text, key = ring.create("dr.weber", Role.READER, 30, "me")
    session = ring.sign_in(text)
    ring.check(text)
    other = open_registry()
    gone = KeyRing(other.keys).revoke(key.id, "somebody")
    other.close()
    assert (refused(ring, text), state_of(gone)) == ("key_revoked", "revoked")
    with pytest.raises(KeyRefused) as error:
        ring.signed_in(session.token)
    assert error.value.reason == "session_ended"
    assert ring.needed()  # a home that had keys never opens again to everybody
    assert not ring.usable()
    assert KeyRing(registry.keys).revoke(key.id, "me") == gone
    with pytest.raises(NotFound, match="keys list"):
        ring.revoke("nothing", "me")


def test_a_session_is_of_a_key_and_ends_with_it(registry: Registry, ring: KeyRing) -> None:
    text, key = ring.create("dr.weber", Role.READER, 30, "me")
    session = ring.sign_in(text)
    assert ring.signed_in(session.token).id == key.id
    assert session.expires_at < key.expires_at
    for wrong in ("", "x", session.token[:-1], csrf_token(session.token), text):
        with pytest.raises(KeyRefused):
            ring.signed_in(wrong)
    ring.sign_out(session.token)
    ring.sign_out(session.token)
    with pytest.raises(KeyRefused, match="Sign in again"):
        ring.signed_in(session.token)


def test_a_session_is_no_longer_than_its_key(registry: Registry, ring: KeyRing) -> None:
    text, key = ring.create("dr.weber", Role.READER, 1, "me")
    found = registry.keys.with_secret(key.id)
    assert found is not None
    soon = replace(key, id="1" * 12, expires_at=ring.sign_in(text).expires_at[:11] + "23:59:59+00:00")
    registry.keys.add(soon, found[1], "me")
    assert ring.sign_in(text.replace(key.id, soon.id)).expires_at <= soon.expires_at


def test_sessions_that_ended_are_forgotten(registry: Registry, ring: KeyRing) -> None:
    text, key = ring.create("dr.weber", Role.READER, 30, "me")
    registry.keys.open_session("a" * 64, key.id, at=PAST, until=PAST)
    assert registry.keys.session("a" * 64, PAST) is None
    assert registry.keys.session("a" * 64, "2019-12-31T23:59:59+00:00") is not None
    ring.sign_in(text)
    assert registry.keys.session("a" * 64, "2019-12-31T23:59:59+00:00") is None


def test_the_day_of_the_last_use_is_noted_once(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    text, _ = ring.create("dr.weber", Role.READER, 30, "me")
    (unused,) = ring.all()
    assert unused.last_used is None
    ring.check(text)
    (used,) = ring.all()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", used.last_used or "")
    monkeypatch.setattr(ring._keys, "used", lambda *_: pytest.fail("noted twice on one day"))
    ring.check(text)


def test_a_full_disk_locks_no_reader_out(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    text, key = ring.create("dr.weber", Role.READER, 30, "me")

    def full(*_: str) -> None:
        raise StorageFailed("the disk is full")

    monkeypatch.setattr(ring._keys, "used", full)
    assert ring.check(text).id == key.id


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", "<b>", "\x1b[31m", "name;", "dr.weber\n"])
def test_names_are_those_of_the_audit_log(ring: KeyRing, name: str) -> None:
    with pytest.raises(KeyNotMade, match="1 to 100"):
        ring.create(name, Role.READER, 30, "me")
    assert not ring.needed()


def test_no_secret_is_kept_or_told(registry: Registry, ring: KeyRing, tmp_path: Path) -> None:
    text, key = ring.create("dr.weber", Role.READER, 30, "me")
    session = ring.sign_in(text)
    ring.signed_in(session.token)
    KeyRing(registry.keys).revoke(key.id, "me")
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    with registry.keys._database.read() as connection:
        written += repr([connection.execute(select(table)).all() for table in METADATA.sorted_tables]).encode()
    secrets = (text.rpartition(f"{key.id}_")[2], session.token, csrf_token(session.token))
    assert key.id.encode() in written
    assert not any(secret.encode() in written for secret in secrets)
    audit = registry.audit.entries(key.id)
    assert [(one.actor, one.action, one.kind) for one in audit] == [("me", "create", "key"), ("me", "revoke", "key")]
    assert audit[0].details == {"name": "dr.weber", "role": "reader", "expires": key.expires_at}
    assert not any(secret in json.dumps(one.details) for one in audit for secret in secrets)


def test_the_token_of_a_page_is_of_its_session(ring: KeyRing) -> None:
    text, _ = ring.create("dr.weber", Role.READER, 30, "me")
    one, other = ring.sign_in(text).token, ring.sign_in(text).token
    assert csrf_token(one) == csrf_token(one) != csrf_token(other)
    assert one not in csrf_token(one)
