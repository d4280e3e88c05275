"""A batch whose answer was lost is written again, and is there once."""

import uuid
from typing import Any

import httpx
import numpy as np
import pytest
import stamina

from retrieval.chroma import WRITING_ATTEMPTS, ChromaStore, chroma_at
from retrieval.errors import ChromaFailed


class Losing:
    """The real client on a connection that loses the answers to the first writes."""

    def __init__(self, real: Any, losses: int) -> None:
        self._real = real
        self._losses = losses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_collection(self, *given: Any, **named: Any) -> "Losing":
        return Losing(self._real.create_collection(*given, **named), self._losses)

    def upsert(self, **rows: Any) -> None:
        self._real.upsert(**rows)
        if self._losses:
            self._losses -= 1
            raise httpx.ReadTimeout("lost")


def losing(url: str, losses: int) -> tuple[ChromaStore, ChromaStore]:
    """A store that loses answers, and the same without."""
    name = uuid.uuid4().hex[:8]
    real = chroma_at(url, name)
    return ChromaStore(lambda: Losing(real._opened(), losses), "the server", f"dermacite-{name}-"), real


def test_a_write_whose_answer_was_lost_is_there_once(chroma_server: str) -> None:
    matrix = np.eye(12, dtype=np.float32)
    with stamina.set_testing(True, attempts=WRITING_ATTEMPTS, cap=True):
        store, real = losing(chroma_server, 2)
        store.write({"rows": matrix})
    assert real.verify({"rows": matrix}).self_recall == {"rows": 1.0}
    real.remove(["rows"])


def test_a_server_that_stays_away_fails_as_chroma(chroma_server: str) -> None:
    with stamina.set_testing(True, attempts=WRITING_ATTEMPTS, cap=True):
        store, real = losing(chroma_server, WRITING_ATTEMPTS)
        with pytest.raises(ChromaFailed, match="cannot be used"):
            store.write({"rows": np.eye(3, dtype=np.float32)})
    real.remove(["rows"])
