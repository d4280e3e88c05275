"""A real vLLM server on the processor, shared by all tests of a session that ask for it, and a second one beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm.server import VllmServer
from tests.vllm.tiny_checkpoint import write_checkpoint


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen3-VL checkpoint of 3 MB."""
    return write_checkpoint(tmp_path_factory.mktemp("vllm") / "checkpoint")


@pytest.fixture(scope="session")
def vllm_server(tiny_checkpoint: Path) -> Iterator[VllmServer]:
    """A vLLM server that answers, shared by all tests; one that kills it starts it again."""
    server = VllmServer(tiny_checkpoint, tiny_checkpoint.parent / "server.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def vllm_replicas(vllm_server: VllmServer, tiny_checkpoint: Path) -> Iterator[tuple[VllmServer, VllmServer]]:
    """The server, and a second one of the same checkpoint; one that kills the second starts it again."""
    second = VllmServer(tiny_checkpoint, tiny_checkpoint.parent / "second.log")
    try:
        second.start()
        yield vllm_server, second
    finally:
        second.stop()
