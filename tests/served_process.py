"""A real server in a process of its own, as the command line starts it, and the lines it has written."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
PATIENCE_S = 240  # a busy machine is no failure


@dataclass
class Server:
    """The process, and the lines it has written to stderr."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""

    def follow(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def wait_for_url(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self.url and time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r"running on http://(?:127\.0\.0\.1|0\.0\.0\.0)(:\d+)", "".join(self.lines))
            self.url = f"http://127.0.0.1{found[1]}" if found else ""
            time.sleep(0.02)
        assert self.url, "".join(self.lines)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        with httpx.Client(base_url=self.url, timeout=PATIENCE_S) as client:  # one: to make it costs more than to ask
            while client.get("/health/ready").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def objects(self) -> list[dict[str, Any]]:
        """Its lines, each a JSON object."""
        return [json.loads(line) for line in self.lines]


def started(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """The process that `dermacite serve` is."""
    return subprocess.Popen(
        [sys.executable, "-m", "api.server", *arguments],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(home: Path, *options: str, **settings: str) -> Iterator[Server]:
    """A server of this home on a free port. `settings` are those of the environment: log_format="json"."""
    environment = {f"DERMACITE_{name.upper()}": value for name, value in settings.items()}
    arguments = ("--home", str(home), "--configuration", "embedded", "--port", "0", *options)
    with started(*arguments, environment=environment) as process:
        server = Server(process)
        reader = threading.Thread(target=server.follow)
        reader.start()
        try:
            server.wait_for_url()
            yield server
        finally:
            process.kill()
            reader.join()
