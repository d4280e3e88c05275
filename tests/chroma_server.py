"""A real Chroma server on loopback, started when a test first needs it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

DEADLINE_S = 120
RUN = "import sys; from chromadb.cli.cli import app; sys.argv = ['chroma', *sys.argv[1:]]; app()"


class ChromaServer:
    """`chroma run` with its data in `folder`; `url` is where it answers."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._command = ["run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
        self._log = folder.parent / f"{folder.name}.log"
        self.start()

    def start(self) -> None:
        """Start it, again where it was stopped, with what it had."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", RUN, *self._command], stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        """End it as an operator would, and wait until it is gone."""
        self._process.terminate()
        self._process.wait(DEADLINE_S)

    def hang(self) -> None:
        """Take connections and answer nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def _wait(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        with httpx.Client(trust_env=False) as client:  # one for all questions: to make one costs more than to ask
            while True:
                try:
                    client.get(f"{self.url}/api/v2/heartbeat").raise_for_status()
                    return
                except httpx.HTTPError:
                    assert self._process.poll() is None, "the Chroma server ended"
                    assert time.monotonic() < deadline, "the Chroma server did not come up"
                    time.sleep(0.05)


@pytest.fixture(scope="session")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that all tests share."""
    server = ChromaServer(tmp_path_factory.mktemp("chroma") / "server")
    yield server.url
    server.stop()
