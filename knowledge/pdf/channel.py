"""The parent's end of a child process that parses or recognises PDFs: start it, talk to it, and be rid of it at any time."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import knowledge

# The folder that holds the package, so that the child finds it whatever the working directory is.
_ROOT = str(Path(knowledge.__file__).resolve().parents[1])
_SEARCHED = (_ROOT,)
_CHUNK = 1 << 18
_MAX_MESSAGE = 256 * 1024 * 1024


class ChildTimedOut(Exception):
    """No complete message arrived in time. The child is still running."""


class ChildDied(Exception):
    """The child ended, or said something that is no message."""


class Child:
    """One child process. Not thread-safe; the owner serialises."""

    def __init__(self, memory_bytes: int, module: str = "knowledge.pdf.worker") -> None:
        self._buffer = bytearray()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            # Nothing of the parent's environment (tokens, database URLs) is any of a parser's business.
            env={
                "PYTHONPATH": os.pathsep.join(_SEARCHED),
                "PATH": os.defpath,
                "LC_ALL": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            # A group of its own: it can be killed with whatever it started, and Ctrl-C reaches the parent only.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process id, also of the process group."""
        return self._process.pid

    def send(self, request: dict[str, Any]) -> None:
        """Hand over one request. Raises ChildDied."""
        stdin = self._process.stdin
        try:
            if stdin is None:
                raise ChildDied
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except (OSError, ValueError):
            raise ChildDied from None

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next message, waited for until `deadline` (`time.monotonic` seconds). Raises ChildTimedOut, ChildDied."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            self._fill(deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise ChildDied from None
        if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
            raise ChildDied
        return message

    def _fill(self, deadline: float) -> None:
        stdout = self._process.stdout
        if stdout is None or len(self._buffer) > _MAX_MESSAGE:
            raise ChildDied
        wait = deadline - time.monotonic()
        poll = select.poll()  # Unlike select(), it takes descriptors above 1023.
        poll.register(stdout.fileno(), select.POLLIN)
        if wait <= 0 or not poll.poll(wait * 1000):
            raise ChildTimedOut
        data = os.read(stdout.fileno(), _CHUNK)
        if not data:
            raise ChildDied
        self._buffer += data

    def kill(self) -> None:
        """End the process group now and reap the child. May be called more than once."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
