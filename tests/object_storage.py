"""A real S3-compatible server on loopback (moto), started when a test first needs it; `make s3-env` installs it."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock
from urllib.parse import quote

import pytest

ROOT = Path(__file__).parents[1]
SERVER = ROOT / ".venv-s3" / "bin" / "moto_server"
DEADLINE_S = 120
WHO = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "not-for-any-log", "AWS_REGION": "us-east-1"}
# It asks who, and checks no signature.
AUTHORIZED = "AWS4-HMAC-SHA256 Credential=tests/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class S3Server:
    """`endpoint` is where it answers; `log` has a line for each request."""

    def __init__(self, folder: Path) -> None:
        assert SERVER.exists(), "the S3-compatible server of the tests is not installed; run: make s3-env"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._log = folder / "s3.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [SERVER, "-H", "127.0.0.1", "-p", str(self.port)], stdout=log, stderr=log, env={**os.environ, **WHO}
            )
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                self.ask("GET", "/moto-api/data.json")
                return
            except OSError:
                assert self._process.poll() is None, "the S3 server ended"
                assert time.monotonic() < deadline, "the S3 server did not come up"
                time.sleep(0.05)

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A request without the library under test."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Authorization": AUTHORIZED})
            return connection.getresponse().read()
        finally:
            connection.close()

    def bucket(self, name: str) -> str:
        """A new bucket, as a URL with a prefix."""
        self.ask("PUT", f"/{name}")
        return f"s3://{name}/dermacite"

    def damage(self, url: str, name: str, body: bytes) -> None:
        """Put other bytes in the place of an object."""
        self.ask("PUT", f"/{url.removeprefix('s3://')}/{quote(name)}", body)

    @property
    def log(self) -> str:
        """Every request so far."""
        return self._log.read_text("utf-8", "replace")

    def hang(self) -> None:
        """Take connections and answer nothing until `go_on`."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it, and wait until it is gone."""
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server that all tests share; each makes a bucket of its own."""
    with mock.patch.dict(os.environ, WHO):
        server = S3Server(tmp_path_factory.mktemp("s3"))
        yield server
        server.stop()
