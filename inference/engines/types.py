"""A request to a model and what comes back, the same for every engine."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from inference.engines.errors import InputRefused
from inference.prompts import ImagePart, Message, Pixels, TextPart

_PIXEL_AXES: Final = 3  # height, width, channel


@dataclass(frozen=True, slots=True, eq=False)
class ChatRequest:
    """One question. Greedy unless a temperature is given.

    A last message of the assistant is the beginning of the answer, which the model continues; the completion holds
    only what is new. `choice` and `json_schema` constrain the answer, and one excludes the other. With a constraint
    there are no log-probabilities: a server computes them after masking what is not allowed, so that they are
    conditional on the list and look confident whatever the picture. `Engine.score` has the honest ones.

    Raises InputRefused when fields contradict each other or a picture is not [height, width, 3] uint8.
    """

    messages: tuple[Message, ...]
    model: str
    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0  # share of the probability sampled from; only with a temperature
    top_k: int = 0  # how many tokens are sampled from, 0 for all; only with a temperature
    seed: int = 0
    choice: tuple[str, ...] | None = None
    json_schema: Mapping[str, Any] | None = None
    logprobs: bool = False

    def __post_init__(self) -> None:
        _check_messages(self.messages)
        if self.max_new_tokens < 1 or self.temperature < 0 or not 0 < self.top_p <= 1 or self.top_k < 0:
            raise InputRefused("max_new_tokens >= 1, temperature >= 0, 0 < top_p <= 1 and top_k >= 0 are needed")
        if self.choice is not None and self.json_schema is not None:
            raise InputRefused("an answer is held to a choice or to a schema, not to both")
        if self.choice is not None and (not all(self.choice) or not self.choice or repeated(self.choice)):
            raise InputRefused("the choices must be there, distinct and not empty")
        if self.logprobs and self.constrained:
            raise InputRefused("log-probabilities of a constrained answer mislead; score its labels instead")

    @property
    def constrained(self) -> bool:
        """Whether the answer is held to a list or a schema."""
        return self.choice is not None or self.json_schema is not None

    @property
    def opening(self) -> str:
        """The given beginning of the answer; empty when the model begins itself."""
        last = self.messages[-1]
        return "".join(part.text for part in last.parts if isinstance(part, TextPart)) if _is_opening(last) else ""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token and its natural log-probability over the whole vocabulary, before temperature."""

    token: str  # empty where the token is a part of a character
    logprob: float


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote, without the opening."""

    text: str
    finish_reason: str  # "stop", or "length" when it was cut off
    logprobs: tuple[TokenLogprob, ...]  # one a token; empty unless asked for
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None  # of the prompt, not computed again; None when the engine does not say
    latency: float  # s, waiting for a place included


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How probable it is that the answer begins with exactly these tokens, among all answers the model could give.

    `logprob` is natural and <= 0, the sum over the `tokens` the model's tokenizer makes of `text`.
    """

    text: str
    logprob: float
    tokens: int
    prompt_tokens: int  # computed for this score, continuation included: what it cost


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a request's prompt has, and how many prompt and answer may have together."""

    prompt: int
    limit: int


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What a server says of the model it serves; None where its protocol has no word for it."""

    weights: str | None  # the last part of their address: a repository, a folder, the hash of a snapshot
    context: int | None  # tokens

    def __str__(self) -> str:
        return f"{self.weights or 'unnamed weights'} with a context of {self.context or 'unknown'} tokens"


def label_mass(scores: Iterable[LabelScore]) -> float:
    """The probability, 0..1, that the answer is any of the labels at all; the rest is "none of these". 0 for none."""
    return math.fsum(math.exp(score.logprob) for score in scores)


def _check_messages(messages: Sequence[Message]) -> None:
    if not messages or messages[-1].role == "system":
        raise InputRefused("the last message must be the user's, or the assistant's beginning of the answer")
    if not all(message.parts for message in messages):
        raise InputRefused("a message without parts says nothing")
    for message in messages:
        for part in message.parts:
            if isinstance(part, ImagePart):
                _check_picture(part.rgb)
    if _is_opening(messages[-1]) and not all(isinstance(part, TextPart) and part.text for part in messages[-1].parts):
        raise InputRefused("an answer begins with text, and with text only")


def _check_picture(rgb: Pixels) -> None:
    if rgb.dtype != "uint8" or rgb.ndim != _PIXEL_AXES or rgb.shape[2] != _PIXEL_AXES or 0 in rgb.shape:
        raise InputRefused(f"a picture is [height, width, 3] uint8; this one is {rgb.shape} {rgb.dtype}")


def _is_opening(message: Message) -> bool:
    return message.role == "assistant"


def repeated(texts: Sequence[str]) -> bool:
    return len(set(texts)) < len(texts)
