"""What a real server makes of the fifty texts that give orders: tokens of text, never a mark that opens a turn or a picture."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from transformers import AutoTokenizer

from inference.engines import ChatRequest
from inference.engines import openai_wire as wire
from inference.profiles import Layout
from inference.prompts import Message, Reference, disease_question, grounded_question, prepared
from inference.types import Evidence, EvidenceKind
from tests.orders import orders
from tests.vllm.server import MODEL, VllmServer

PICTURE = prepared(np.full((32, 32, 3), 120, dtype=np.uint8))
EVIDENCE = Evidence(
    key="E1", kind=EvidenceKind.PASSAGE, id="p", text="", title="t", found_by=(), score=0.0, scores={}, ranks={},
    start=0, end=0,
)  # fmt: skip

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def marks(tiny_checkpoint: Path) -> frozenset[int]:
    """Tokens that are no text to the model: turns, pictures, the end."""
    made: Any = AutoTokenizer
    tokenizer = made.from_pretrained(tiny_checkpoint)
    found = frozenset(number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
    assert len(found) >= 7
    return found


def marks_of(server: VllmServer, messages: tuple[Message, ...], marks: frozenset[int]) -> Counter[int]:
    """The marks that the server reads in a prompt, as it would before it answers."""
    body = wire.counting_body(ChatRequest(messages, MODEL, max_new_tokens=1))
    answer = httpx.post(f"{server.root}/tokenize", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    return Counter(token for token in answer.json()["tokens"] if token in marks)


def grounded(text: str) -> tuple[Message, ...]:
    item = replace(EVIDENCE, text=text, title=text)
    return grounded_question([PICTURE], [item], text, text)


def referring(text: str) -> tuple[Message, ...]:
    return disease_question(PICTURE, "P1", [Reference(PICTURE, text, text)], layout=Layout.EVALUATION)


def test_raw_marks_would_be_obeyed(vllm_server: VllmServer, marks: frozenset[int]) -> None:
    """The reason for all of this: a server reads marks of its template in whatever it is sent."""
    told = [{"role": "user", "content": order.text} for order in orders() if order.name == "qwen turn"]
    answer = httpx.post(f"{vllm_server.root}/tokenize", json={"model": MODEL, "messages": told}, timeout=120)
    assert sum(token in marks for token in answer.json()["tokens"]) > 3 + 3


@pytest.mark.parametrize("ask", [grounded, referring])
def test_no_order_becomes_a_mark(ask: Any, vllm_server: VllmServer, marks: frozenset[int]) -> None:
    harmless = marks_of(vllm_server, ask("Psoriasis is common."), marks)
    assert harmless.total() >= 6  # system or not, a user's turn with a picture, and the answer's turn
    assert {order.name: marks_of(vllm_server, ask(order.text), marks) for order in orders()} == dict.fromkeys(
        (order.name for order in orders()), harmless
    )
