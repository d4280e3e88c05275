"""A real PostgreSQL on loopback, started when a test of this worker first needs it; every test has a database of its own."""

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from knowledge.registry import Registry
from knowledge.registry.server import LEAST_CONNECTIONS

DEADLINE_S = 60
USER, PASSWORD = "dermacite", "a-password-of-tests"
TEMPLATE = "made"
MISSING = "these tests need PostgreSQL. Type: make postgres   or name its programs: POSTGRES=/path/to/bin"
CONNECTIONS = 90
# It is thrown away: nothing has to survive a power cut.
FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": str(CONNECTIONS)}


def programs() -> Path:
    """The folder of initdb and postgres: $POSTGRES, else the newest of Debian's, else that of the path."""
    if named := os.environ.get("POSTGRES"):
        return Path(named)
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = next((folder for folder in reversed(debian) if (folder / "initdb").exists()), None)
    if found is None and (on_path := shutil.which("initdb")) is not None:
        found = Path(on_path).parent
    assert found is not None, MISSING
    return found


class PostgresServer:
    """One server with its data in a folder of its own, on a free port."""

    def __init__(self, settings: Mapping[str, str] = FAST) -> None:
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="dermacite-postgres-"))
        self._bin = programs()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._names = itertools.count()
        self._user = _unprivileged()
        if self._user is not None:  # it refuses to run as root
            shutil.chown(self.folder, *self._user)
        (self.folder / "password").write_text(PASSWORD)
        self._run("initdb", "--pgdata", "data", "--username", USER, "--pwfile", "password", "--no-sync",
                  "--auth-host", "scram-sha-256", "--auth-local", "trust", "--encoding", "UTF8",
                  "--locale", "C.UTF-8")  # fmt: skip
        self.start()
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        Registry(self.url(TEMPLATE)).close()

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def fresh(self, *, empty: bool = False) -> str:
        """The address of a new database: with our tables, or `empty`."""
        name = f"fresh{next(self._names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {'template0' if empty else TEMPLATE}")
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres", values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        place = ["-D", "data", "-p", str(self.port), "-h", "127.0.0.1", "-k", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", *place, *options], cwd=self.folder, stdout=log, stderr=log, **self._as_user()
            )
        deadline = time.monotonic() + DEADLINE_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2_000:]
            assert time.monotonic() < deadline, "PostgreSQL did not come up"
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, as a crash: sessions are cut off in the middle of what they do."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(DEADLINE_S)

    def restart(self) -> None:
        self.stop()
        self.start()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments], cwd=self.folder, capture_output=True, text=True, check=False,
            **self._as_user(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def _as_user(self) -> dict[str, Any]:
        return {} if self._user is None else {"user": self._user[0], "group": self._user[1], "extra_groups": []}


def _unprivileged() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise AssertionError("PostgreSQL refuses to run as root, and there is no user to run it as")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this worker."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A database with our tables and nothing in them, for one test."""
    return postgres_server.fresh()


@pytest.fixture(params=["sqlite", "postgresql"])
def open_registry(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Registry]:
    """Opens the one registry of a test, as often as it wants; each test runs on every database."""
    if request.param == "sqlite":
        return lambda: Registry.in_folder(tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.fresh()
    return lambda: Registry(url, LEAST_CONNECTIONS)


@pytest.fixture
def registry(open_registry: Callable[[], Registry]) -> Iterator[Registry]:
    """An empty registry, on every database."""
    opened = open_registry()
    yield opened
    opened.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server for one test, which may stop it."""
    server = PostgresServer()
    yield server
    server.remove()
