"""Where servers of the OpenAI protocol differ: how an answer is held to a list, and what else they can tell.

Every one of them ignores fields it does not know with HTTP 200, so a wrong dialect shows only in the answer, which is
therefore validated whatever was sent. Sources: vLLM's and SGLang's pages on structured outputs, llama.cpp's server README.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any


class Dialect(StrEnum):
    """Which server is spoken to."""

    VLLM = "vllm"
    SGLANG = "sglang"
    LLAMA_CPP = "llama.cpp"

    @property
    def scores_prompts(self) -> bool:
        """Whether it reports log-probabilities of given text (`prompt_logprobs`), which exact label scores need."""
        return self is Dialect.VLLM

    @property
    def counts_chats(self) -> bool:
        """Whether it counts the tokens of a whole chat, pictures included (`/tokenize` with messages)."""
        return self is Dialect.VLLM


def choice_fields(dialect: Dialect, choices: Sequence[str]) -> dict[str, Any]:
    """Body fields that hold an answer to exactly one of `choices`."""
    if dialect is Dialect.VLLM:
        return {"structured_outputs": {"choice": list(choices)}}
    # Both read the grammar notation of llama.cpp (GBNF), under different names.
    grammar = f"root ::= {' | '.join(_quoted(choice) for choice in choices)}"
    return {"ebnf": grammar} if dialect is Dialect.SGLANG else {"grammar": grammar}


def decoding_fields(dialect: Dialect, top_k: int, max_new_tokens: int) -> dict[str, Any]:
    """Body fields of decoding that the protocol does not have. Sent always: a server fills gaps from its checkpoint."""
    if dialect is Dialect.LLAMA_CPP:
        return {"top_k": top_k, "repeat_penalty": 1.0, "max_tokens": max_new_tokens}
    # "All tokens" is 0 for vLLM and -1 for SGLang, which refuses 0.
    everything = 0 if dialect is Dialect.VLLM else -1
    return {"top_k": top_k or everything, "repetition_penalty": 1.0}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
