"""Index builds forked from one warm process: `python -m tests.warm_builds FD` imports everything once, then forks each.

Starting an interpreter and importing Chroma costs more than building the index of a test. All else is as in service: a process
of its own with the arguments, the environment and the standard input it was given, its exit code and what it said. That a
build can also be started is tested wherever a command or a server runs in a process of its own (test_kill, test_concurrency).
"""

import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parent.parent
MODULE = "runtime.index_child"
WARM = (
    MODULE,
    "bm25s",
    "scipy.sparse",
    "chromadb.api.client",
    "chromadb.api.rust",
    "chromadb.telemetry.product.posthog",
)


class WarmBuilds:
    """The warm process, from the side of the test; it is started by the first build and ends with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait(60)

    def run(
        self, command: Sequence[str], *, input: str, env: Mapping[str, str], check: bool, **_: Any
    ) -> subprocess.CompletedProcess[str]:
        """Stands in for `subprocess.run` of an index build."""
        assert list(command[1:3]) == ["-m", MODULE]
        mine, theirs = socket.socketpair()
        with mine, theirs:
            socket.send_fds(self._started(), [b"build"], [theirs.fileno()])
            theirs.close()
            with mine.makefile("rw", encoding="utf-8") as line:
                line.write(json.dumps({"arguments": command[2:], "input": input, "env": dict(env)}) + "\n")
                line.flush()
                said = line.readline()
        told = json.loads(said) if said else {"returncode": -signal.SIGKILL, "stdout": "", "stderr": ""}
        completed = subprocess.CompletedProcess[str](command, **told)
        if check:
            completed.check_returncode()
        return completed

    def _started(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.warm_builds", str(theirs.fileno())],
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
                    cwd=ROOT,
                    pass_fds=[theirs.fileno()],
                )
        return self._control


def _build(connection: socket.socket) -> None:
    with connection.makefile("rw", encoding="utf-8") as line:
        asked = json.loads(line.readline())
        os.environ.clear()
        os.environ.update(asked["env"])
        sys.argv, sys.stdin = asked["arguments"], io.StringIO(asked["input"])
        code, said, complained = 0, io.StringIO(), io.StringIO()
        with redirect_stdout(said), redirect_stderr(complained):
            try:
                sys.modules[MODULE].main()
            except BaseException:
                code = 1
                traceback.print_exc()
        line.write(json.dumps({"returncode": code, "stdout": said.getvalue(), "stderr": complained.getvalue()}))


def _main() -> None:
    for name in WARM:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the builds: whoever asked reads what they say
    control = socket.socket(fileno=int(sys.argv[1]))
    while True:
        _, handed, *_ = socket.recv_fds(control, 16, 1)
        if not handed:
            return
        with socket.socket(fileno=handed[0]) as connection:
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                control.close()
                _build(connection)
                os._exit(0)


if __name__ == "__main__":
    _main()
