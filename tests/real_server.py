"""The server in a process of its own, as the command line starts it, with everything it writes kept in one folder."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
PATIENCE_S = 900.0  # a busy machine is no failure; a test that hangs is ended by its own limit


@dataclass(frozen=True, slots=True)
class RealServer:
    """`folder` holds what the process writes outside its home: told, said, and what it makes under user/ and tmp/."""

    process: subprocess.Popen[bytes]
    url: str
    home: Path
    folder: Path

    @property
    def resident_mb(self) -> float:
        """Memory of the process by itself, without the children that read PDFs."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1000  # type: ignore[index]

    @property
    def log(self) -> str:
        """What it has written to stderr."""
        return (self.folder / "told").read_text("utf-8", "replace")


@contextmanager
def real_server(home: Path, folder: Path, settings: str = "", key: str = "") -> Iterator[RealServer]:
    """`settings` are written to the home's settings.toml, where there are any; `key` opens the home, where it has keys."""
    for name in ("user", "tmp"):
        (folder / name).mkdir(parents=True)
    if settings:
        (home / "settings.toml").write_text(settings, encoding="utf-8")
    told, said = (folder / name for name in ("told", "said"))
    with told.open("wb") as errors, said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.server", "--home", str(home), "--configuration", "embedded", "--port", "0"],
            cwd=ROOT, stdout=out, stderr=errors, env=_environment(folder),
        )  # fmt: skip
    try:
        server = RealServer(process, _url(process, told), home, folder)
        _wait_until_ready(server, key)
        yield server
    finally:
        process.kill()
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    places = {"HOME": folder / "user", "XDG_CACHE_HOME": folder / "user" / "cache", "TMPDIR": folder / "tmp"}
    return os.environ | {name: str(place) for name, place in places.items()}


def _url(process: subprocess.Popen[bytes], told: Path) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(rb"running on (http://127\.0\.0\.1:\d+)", told.read_bytes()):
            return found[1].decode()
        time.sleep(0.02)
    raise AssertionError(told.read_text("utf-8", "replace"))


def _wait_until_ready(server: RealServer, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    deadline = time.monotonic() + PATIENCE_S
    while (answer := httpx.get(f"{server.url}/health/ready", headers=headers, timeout=PATIENCE_S)).status_code != 200:
        assert time.monotonic() < deadline, f"{answer.text}\n{server.log}"
        time.sleep(0.1)
