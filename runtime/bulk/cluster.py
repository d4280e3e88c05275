"""One run on a Ray cluster from the writer's side: hands pieces out by number, takes results in order, outlives the cluster."""

import contextlib
import logging
import os
import pickle
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import IO, Any, Self

from runtime.bulk.orders import Broken, Feed, Order, Start
from runtime.errors import ClusterFailed, SettingsRefused
from runtime.extras import EXTRAS, install_command

_log = logging.getLogger("dermacite.bulk")

PROJECT = Path(__file__).resolve().parents[2]
REACHED_S = 5.0  # an address that does not take a connection within this is not there
PATIENCE_S = 20.0  # for the process beside the writer to leave the cluster
AGAIN = "What is in stays in. Run the same command again once the cluster is there, or go on with: dermacite jobs run"


class Cluster:
    """A Ray cluster by the address of its head; None is one of this machine alone, made for each run."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    def check(self) -> None:
        """Look whether it can be there at all. Raises SettingsRefused without Ray, ClusterFailed without a cluster."""
        if not EXTRAS["ray"].is_installed:
            raise SettingsRefused(f"--engine ray needs more packages; run {install_command('ray')}")
        if self._address is None or self._address == "auto":
            return
        host, _, port = self._address.rpartition(":")
        if not host or not port.isdigit() or "/" in host:
            raise SettingsRefused(
                "--address is HOST:PORT of the cluster's head, as `ray start --head` prints it, or auto. This machine must "
                "be a node of the cluster: ray start --address HOST:PORT"
            )
        try:
            socket.create_connection((host.strip("[]"), int(port)), REACHED_S).close()
        except (OSError, OverflowError) as error:
            raise ClusterFailed(
                "cluster_unreachable",
                "no Ray cluster answers at this address. Start it (ray start --head), or correct it",
            ) from error

    def run(self, order: Order, count: int, pieces: Iterator[bytes]) -> "Run":
        """`count` pieces through the steps of an order. Use it as a context manager. Raises as `check` does."""
        self.check()
        return Run(self._address, order, count, pieces)


class Run:
    """Iterate over it once: (number, result) in order; a number is left out where every worker that tried it died.

    Raises what making the pieces raised, and ClusterFailed.
    """

    def __init__(self, address: str | None, order: Order, count: int, pieces: Iterator[bytes]) -> None:
        self._count = count
        self._pieces = _Pieces(pieces)
        reading, writing = os.pipe()
        self._results: Connection[Any, Any] = Connection(reading, writable=False)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 # closed with the run
        self._process = subprocess.Popen(
            [sys.executable, "-m", "runtime.bulk.ray_child", str(writing)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._said, pass_fds=[writing],
            env=_environment(address), start_new_session=True,
        )  # fmt: skip
        os.close(writing)
        with contextlib.suppress(BrokenPipeError):  # it ended at once: the results say so
            self._stdin.write(pickle.dumps(Start(order, count, self._pieces.feed, address)))
            self._stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster, whatever it still does."""
        self._results.close()
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pieces.close()
        self._said.close()

    @property
    def _stdin(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise ValueError("the process beside the writer was started without a pipe")
        return self._process.stdin

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        while (message := self._received()) is not None:
            number, result = message
            self._pieces.forget(number)
            value = pickle.loads(result)  # noqa: S301 # of nodes that this user runs
            if isinstance(value, Broken):
                self._pieces.raise_fault()
                raise ClusterFailed(value.reason, f"{value.message}. {AGAIN}")
            yield number, value

    @property
    def is_ready(self) -> bool:
        """Whether the next result is there already."""
        return self._results.poll()

    def _received(self) -> Any:
        try:
            message = self._results.recv()
        except (EOFError, OSError):
            self._pieces.raise_fault()
            raise ClusterFailed("cluster_lost", f"the connection to the Ray cluster was lost. {AGAIN}") from None
        if message is None or isinstance(message, Broken):
            self._pieces.raise_fault()
        if isinstance(message, Broken):
            raise ClusterFailed(message.reason, f"{message.message}. {AGAIN}")
        return message


def _environment(address: str | None) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    if address is None:  # a cluster for this run alone, which nobody else may use: Ray would keep a token for ever
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    return environment


class _Pieces:
    """Makes pieces in their order, when they are first asked for, and keeps each until its result is there."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._making = pieces
        self._kept: dict[int, bytes] = {}
        self._made = 0
        self._fault: Exception | None = None
        self._lock = threading.Lock()
        self._closed = False
        key = secrets.token_bytes(32)
        # In a folder of this user alone.
        self._listener = Listener(family="AF_UNIX", backlog=64, authkey=key)
        self.feed = Feed(str(self._listener.address), key)
        self._thread = threading.Thread(target=self._serve, name="pieces", daemon=True)
        self._thread.start()

    def forget(self, number: int) -> None:
        """Its result is there, and those of the ones before it are, or will never be."""
        with self._lock:
            for one in [one for one in self._kept if one <= number]:
                del self._kept[one]

    def raise_fault(self) -> None:
        """What making them raised, if anything."""
        if self._fault is not None:
            raise self._fault

    def close(self) -> None:
        """Hand out no more."""
        self._closed = True
        # Wakes the thread, and waits for no answer: it may be gone already.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as waking:
            waking.connect(self.feed.address)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._closed:
            try:
                asking = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):
                continue
            threading.Thread(target=self._answer, args=(asking,), daemon=True).start()

    def _answer(self, asking: "Connection[Any, Any]") -> None:
        with contextlib.suppress(OSError, EOFError), asking:
            number = asking.recv()
            if (piece := self._piece(number)) is not None:
                asking.send_bytes(piece)

    def _piece(self, number: int) -> bytes | None:
        """None where it cannot be made; one that nobody needs any more is empty."""
        with self._lock:
            try:
                while self._made <= number and not self._closed and self._fault is None:
                    self._kept[self._made] = next(self._making)
                    self._made += 1
            except Exception as error:  # raised where the results are awaited
                self._fault = error
            if self._fault is not None or self._closed:
                return None
            return self._kept.get(number, b"")
