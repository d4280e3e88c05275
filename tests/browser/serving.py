"""Homes with the sample corpus, and real servers on them."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn

from api.app import create_app
from inference.admission import ServedModels
from runtime.service import Service

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "corpora" / "sample"
PATIENCE_S = 240


@dataclass
class Server:
    """A server process, where it listens, and what it has written."""

    process: subprocess.Popen[str]
    url: str = ""
    lines: list[str] = field(default_factory=list)

    def kill(self) -> None:
        """As a machine that loses its power."""
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(home: Path, *, ready: bool = True) -> Iterator[Server]:
    """A server of this home on a free port, as the command line starts it. `ready`: it is, before anybody asks."""
    command = [sys.executable, "-m", "api.server", "--home", str(home), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        server = Server(process)
        reader = threading.Thread(target=_follow, args=(server,), daemon=True)
        reader.start()
        try:
            _wait(lambda: bool(server.url), server)
            _wait(lambda: _warm(server.url, ready), server)
            yield server
        finally:
            process.kill()
            reader.join()


@contextmanager
def serving_here(service: Service, models: ServedModels | None = None, *, ready: bool = True) -> Iterator[str]:
    """A server in a thread of this process, with these doubles as its models; its address. It closes the service.

    `ready`: it is, before anybody asks. Of one with keys only a caller with a key learns that.
    """
    if models is not None:
        service.__dict__["models"] = models
    config = uvicorn.Config(create_app(service), port=0, log_config=None, ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        [listening] = server.servers[0].sockets
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        while ready and httpx.get(f"{url}/health/ready", timeout=PATIENCE_S).status_code == 503:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url
    finally:
        server.should_exit = True
        thread.join()


def _follow(server: Server) -> None:
    assert server.process.stderr is not None
    for line in server.process.stderr:
        server.lines.append(line)
        found = re.search(r"running on (http://127\.0\.0\.1:\d+)", line)
        server.url = found[1] if found else server.url


def _warm(url: str, ready: bool) -> bool:
    # Asked often, and plain HTTP: to read every certificate of the machine each time would cost more than the question.
    answer = httpx.get(f"{url}/health/ready", timeout=PATIENCE_S, verify=False)
    return answer.status_code == 200 if ready else "warming" not in (answer.json()["problem"] or "")


def _wait(done: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert server.process.poll() is None, "".join(server.lines)
        assert time.monotonic() < deadline, "".join(server.lines)
        time.sleep(0.05)
