"""A Ray cluster of two real nodes on loopback, each a `ray start` of its own, of which nothing is left afterwards."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE_S = 240  # a busy machine is no failure
STORE_BYTES = 100_000_000
# Reading and encoding, as runtime/bulk/ray_child.py names them.
STEPS = (b"::MapBatches(_each)", b"::MapWorker(MapBatches(Encoding)).submit")


@dataclass
class Nodes:
    """The head, on which tests drive, and a second node, which may be killed and started again."""

    address: str
    folder: Path
    environment: dict[str, str]  # what a driver needs: the token that opens the cluster
    second: str | None = None
    tags: list[str] = field(default_factory=list)

    def start_second(self) -> None:
        """Start the second node where it is not there."""
        if self.second is None:
            self.second = self._start("127.0.0.3", "--address", self.address)

    def kill_second(self) -> None:
        """kill -9 of every process of the second node."""
        assert self.second is not None
        kill_tagged(self.second)
        self.second = None

    def second_has_work(self) -> bool:
        """Whether a worker of the second node has a piece in hand: Ray writes into its title what it does."""
        assert self.second is not None
        titles = [command_of(one) for pid in _tagged(self.second) for one in children_of(pid)]
        return any(step in title for title in titles for step in STEPS)

    def start_head(self) -> None:
        self._start("127.0.0.2", "--head", "--port", self.address.rpartition(":")[2], "--temp-dir", str(self.folder),
                    "--include-dashboard", "false")  # fmt: skip

    def _start(self, ip: str, *options: str) -> str:
        tag = uuid.uuid4().hex
        self.tags.append(tag)
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(ROOT), "RAY_TEST_TAG": tag}
        started = subprocess.run(
            [Path(sys.executable).with_name("ray"), "start", *options, "--node-ip-address", ip, "--num-cpus", "1",
             "--object-store-memory", str(STORE_BYTES), "--disable-usage-stats"],
            env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert started.returncode == 0, started.stdout + started.stderr
        return tag


@contextmanager
def two_nodes(*, second: bool = True) -> Iterator[Nodes]:
    """Both, running; one processor each. The second one later where it is not wanted yet."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # a short path: it holds sockets
    (folder / "token").write_text(secrets.token_hex(32), encoding="ascii")
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token"), "HF_HUB_OFFLINE": "1"}
    nodes = Nodes(f"127.0.0.2:{_free_port()}", folder, environment)
    try:
        nodes.start_head()
        if second:
            nodes.start_second()
        yield nodes
    finally:
        for tag in nodes.tags:
            kill_tagged(tag)
        shutil.rmtree(folder, ignore_errors=True)


def kill_tagged(tag: str) -> None:
    """End all processes that were started with this mark."""
    deadline = time.monotonic() + PATIENCE_S
    while pids := [*_tagged(tag)]:
        assert time.monotonic() < deadline, "processes of a node do not end"
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    """Processes that this one started and that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def command_of(pid: int) -> bytes:
    """Its command line or title; empty where it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _tagged(tag: str) -> Iterator[int]:
    mark = f"RAY_TEST_TAG={tag}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.2", 0))
        return int(found.getsockname()[1])
