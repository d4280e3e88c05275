"""Is this home set up to be served here? Looks at settings, folder, disk, schema, keys, encoders, index, models and extras,
and changes nothing. Whether what it holds is whole: runtime.doctor, which takes longer."""

import hashlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from stat import S_IROTH
from typing import Final

from inference.errors import InferenceError
from knowledge.blobs import LocalBlobs
from knowledge.errors import KnowledgeError
from knowledge.registry import SCHEMA_HEAD
from retrieval.errors import RetrievalError
from runtime.doctor import Check, check_encoders, check_models
from runtime.errors import RuntimeRefused, SettingsRefused
from runtime.extras import EXTRAS, install_command
from runtime.home import Home
from runtime.keys import state_of
from runtime.service import Service, open_service
from runtime.settings import SETTINGS_FILE, Settings, load_settings
from runtime.truth import schema_of

FULL: Final = 200_000_000  # bytes free; below it writes are about to fail
ROOM: Final = 2_000_000_000  # and below this, or twice the indexes, a rebuild may not fit
SOON: Final = timedelta(days=14)  # a key that ends within them is told
_DUMP = "stop what serves it and copy the database first: pg_dump"
_COPY = "stop what serves it and copy the home folder first"


class State(StrEnum):
    """How bad it is. Only an error keeps the service from doing what it is set up for."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` is the command that puts it right, or what to do, where there is something."""

    name: str
    state: State
    detail: str
    mend: str | None = None


def findings(home: Path, configuration: str | None = None, *, models: bool = True) -> Iterator[Finding]:
    """Every finding, the cheap ones first. `models`: ask each served model for a real token."""
    try:
        settings = load_settings(home, configuration=configuration)
    except SettingsRefused as error:
        yield Finding("settings", State.ERROR, str(error), "correct the key; all keys: docs/settings.md")
        yield from _folder(home)
        return
    yield Finding("settings", State.OK, _told(settings))
    yield from _secrets(home, settings)
    yield from _folder(home)
    if home.is_dir():
        schema = _guarded("registry", lambda: _schema(home, settings))
        yield schema
        if schema.state is State.OK:
            yield from _opened(home, settings, models=models)
    yield from _extras(settings)


def _told(settings: Settings) -> str:
    approval = f"approval {settings.approval}"
    return f"configuration {settings.configuration}, classifier {settings.classifier}, reporter {settings.reporter}, {approval}"


def _secrets(home: Path, settings: Settings) -> Iterator[Finding]:
    file = home / SETTINGS_FILE
    with_key = any(choice.api_key for choice in settings.models.values())
    with_key = with_key or settings.registry_url is not None
    if with_key and file.is_file() and file.stat().st_mode & S_IROTH:
        detail = f"{SETTINGS_FILE} is readable by every user of this machine, and a model has a key or the registry an address"
        yield Finding("secrets", State.WARNING, detail, f"chmod o-rwx {file}")


def _folder(home: Path) -> Iterator[Finding]:
    if not home.is_dir():
        detail = f"{home} is not there; the first command that needs it makes it, empty"
        yield Finding(
            "home folder", State.WARNING, detail, "dermacite ingest cases FOLDER, or name another: dermacite --home"
        )
        return
    try:
        with tempfile.TemporaryFile(dir=home):
            yield Finding("home folder", State.OK, str(home))
    except OSError as error:
        detail = f"{home} cannot be written: {error.strerror}"
        yield Finding("home folder", State.ERROR, detail, "give it to the user that serves, or free space")
    yield _disk(home)


def _disk(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    indexes = sum(file.stat().st_blocks * 512 for file in Home(home).indexes.rglob("*") if file.is_file())
    room = max(ROOM, 2 * indexes)
    detail = f"{free / 1e9:.1f} GB free, the indexes take {indexes / 1e9:.1f} GB"
    mend = "free space; dermacite reindex removes what interrupted work left behind"
    if free < FULL:
        return Finding("disk", State.ERROR, detail, mend)
    if free < room:
        return Finding("disk", State.WARNING, f"{detail}; a rebuild wants {room / 1e9:.1f} GB", mend)
    return Finding("disk", State.OK, detail)


def _schema(home: Path, settings: Settings) -> Finding:
    schema = schema_of(Home(home), settings)
    if schema is None:
        return Finding("registry", State.OK, "none yet; it is made when it is needed")
    if schema == SCHEMA_HEAD:
        return Finding("registry", State.OK, f"schema {schema}{' on PostgreSQL' if settings.registry_url else ''}")
    if schema < SCHEMA_HEAD:
        detail = f"schema {schema}; the next command or start brings it to {SCHEMA_HEAD}, and no way leads back"
        return Finding("registry", State.WARNING, detail, _COPY if settings.registry_url is None else _DUMP)
    detail = f"schema {schema} is of a newer version; this one knows {SCHEMA_HEAD}"
    return Finding("registry", State.ERROR, detail, "serve it with the version that wrote it")


def _opened(home: Path, settings: Settings, *, models: bool) -> Iterator[Finding]:
    """What only a service can tell. Its registry is of our schema, so opening it changes nothing."""
    service = open_service(home, settings)
    try:
        yield _guarded("door", lambda: _door(service))
        if settings.storage_url is not None:
            yield _guarded("storage", lambda: _storage(service))
        encoders = _guarded("encoders", lambda: _of(check_encoders(service)))
        yield encoders
        if encoders.state is State.OK:
            yield _guarded("index", lambda: _index(service))
        if models:
            yield from map(_of, check_models(service))
    finally:
        service.close()


def _door(service: Service) -> Finding:
    """Who may come in, and how. Such a state as `serve` refuses is an error."""
    public_url, keys = service.settings.public_url, service.keys.all()
    usable = [key for key in keys if state_of(key) == "usable"]
    where = (
        f"behind {public_url}, whose proxy must end TLS and alone reach the port" if public_url else "this machine only"
    )
    if not usable and (keys or public_url):
        state = "no key opens anything" if keys else "there are no keys"
        return Finding("door", State.ERROR, f"{where}; {state}", "dermacite keys create --name NAME --role admin")
    if not usable:
        return Finding("door", State.OK, f"{where}, without keys: everybody on it may do everything")
    soon = (datetime.now(UTC) + SOON).isoformat(timespec="seconds")
    ending = [key.id for key in usable if key.expires_at < soon]
    if ending:
        detail = f"{where}; within {SOON.days} days these keys end: {', '.join(ending)}"
        return Finding("door", State.WARNING, detail, "dermacite keys create --name NAME --role ROLE")
    return Finding("door", State.OK, f"{where}; {len(usable)} keys")


def _storage(service: Service) -> Finding:
    """Writes, reads and removes a small object."""
    storage = service.storage
    if storage is None:
        return Finding("storage", State.OK, "the home folder")
    word, name = b"dermacite check", f"checks/{uuid.uuid4().hex}"
    storage.write(name, word, hashlib.sha256(word).hexdigest())
    whole = storage.read(name) == word
    storage.delete([name])
    if not whole:
        return Finding("storage", State.ERROR, f"{storage.url} gives other bytes than it was given", "replace it")
    if left := sum(1 for _ in LocalBlobs(service.home.blobs).digests()):
        detail = (
            f"{storage.url} can be used; {left} stored files lie in the home folder, where no other machine finds them"
        )
        return Finding("storage", State.ERROR, detail, "dermacite reindex")
    return Finding("storage", State.OK, f"{storage.url} can be written and read")


def _index(service: Service) -> Finding:
    counts = service.registry.counts()
    evidence = ", ".join(f"{number} {name}" for name, number in counts.items())
    built = service.index.corpus_generation()
    if built is not None:
        behind = service.registry.changes_since(built)
        return Finding("index", State.OK, f"fits the encoders; {evidence}; {behind} changes lie beside it")
    if not any(counts.values()):
        mend = "dermacite ingest cases FOLDER; dermacite ingest documents FILE..."
        return Finding("index", State.WARNING, "there is no evidence yet, so nothing can be answered", mend)
    return Finding("index", State.ERROR, f"{evidence}, and no index of these encoders", "dermacite reindex")


def _extras(settings: Settings) -> Iterator[Finding]:
    wanted = {
        "tracing": settings.otlp_endpoint is not None,
        "cluster": settings.registry_url is not None or settings.storage_url is not None,
        "adapters": any(one.adapter for one in settings.models.values()),
    }
    missed = {"ocr": settings.ocr_pages > 0}
    for name, extra in EXTRAS.items():
        if extra.is_installed:
            yield Finding(f"extra {name}", State.OK, f"{extra.what}: installed")
            continue
        state = State.ERROR if wanted.get(name) else State.WARNING if missed.get(name) else State.OK
        yield Finding(f"extra {name}", state, f"{extra.what}: not installed", install_command(name))


def _of(check: Check) -> Finding:
    state = State.ERROR if not check.healthy else State.WARNING if check.degraded else State.OK
    return Finding(check.name, state, check.detail, check.mend)


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    """What cannot be looked at is an error, never left out."""
    try:
        return look()
    except (KnowledgeError, RetrievalError, InferenceError, RuntimeRefused) as error:
        return Finding(name, State.ERROR, str(error))
