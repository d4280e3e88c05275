"""A request in the words of the OpenAI protocol with vLLM's extensions, and an answer read back from them."""

import base64
import io
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final
from weakref import WeakKeyDictionary

import msgspec
from PIL import Image

from inference.engines.dialects import Dialect, choice_fields, decoding_fields
from inference.engines.errors import EngineMisconfigured, InputRefused, MalformedAnswer
from inference.engines.types import ChatRequest, Completion, LabelScore, ModelIdentity, TokenLogprob
from inference.prompts import ImagePart, Message, Part

# The last message is left open, and what is generated belongs to it.
_CONTINUE: Final = {"add_generation_prompt": False, "continue_final_message": True}

_Count = Annotated[int, msgspec.Meta(ge=0)]


# A server answers with more fields than these, which are ignored; what we read must be there and have the right type.


class _Details(msgspec.Struct, frozen=True):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: _Count
    completion_tokens: _Count = 0
    prompt_tokens_details: _Details | None = None


class _Said(msgspec.Struct, frozen=True):
    content: str  # null when a reasoning parser swallowed the answer: that is no answer


class _Token(msgspec.Struct, frozen=True):
    token: str
    logprob: float


class _Logprobs(msgspec.Struct, frozen=True):
    content: tuple[_Token, ...] | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Said
    finish_reason: str
    logprobs: _Logprobs | None = None


class _PromptToken(msgspec.Struct, frozen=True):
    logprob: float
    decoded_token: str


class Answer(msgspec.Struct, frozen=True):
    """The body of a chat completion."""

    choices: Annotated[tuple[_Choice, ...], msgspec.Meta(min_length=1)]
    usage: _Usage
    # vLLM's extension: per token of the prompt, what the model thought of it; nothing for the first one. Left unread but
    # for the tokens of a continuation at its end: a prompt with pictures has thousands.
    prompt_logprobs: tuple[msgspec.Raw, ...] | None = None


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None


class _Step(msgspec.Struct, frozen=True):
    delta: _Delta
    finish_reason: str | None = None


class Chunk(msgspec.Struct, frozen=True):
    """One event of a streamed answer. A chunk without choices carries only usage."""

    choices: tuple[_Step, ...]


class Tokens(msgspec.Struct, frozen=True):
    """The body of vLLM's `/tokenize`."""

    count: _Count
    max_model_len: Annotated[int, msgspec.Meta(ge=1)]


class _Listed(msgspec.Struct, frozen=True):
    id: str
    root: str | None = None  # where the server has the weights from
    max_model_len: int | None = None


class Models(msgspec.Struct, frozen=True):
    """The body of `/v1/models`."""

    data: tuple[_Listed, ...]


def body(request: ChatRequest, dialect: Dialect = Dialect.VLLM) -> dict[str, Any]:
    """What is sent. Encodes pictures: about 60 ms for one of 672 pixels, so call it in a thread.

    Every decoding field is sent, because a server fills those left out from the checkpoint's generation_config.json.
    """
    extra: dict[str, Any] = decoding_fields(dialect, request.top_k, request.max_new_tokens)
    if request.choice is not None:
        extra |= choice_fields(dialect, request.choice)
    if request.json_schema is not None:
        form = {"name": "answer", "schema": dict(request.json_schema), "strict": True}
        extra["response_format"] = {"type": "json_schema", "json_schema": form}
    turns = [_turn(message) for message in request.messages]
    if request.opening:
        turns[-1] = _begun(request.opening)
        extra |= _CONTINUE
    return {
        "model": request.model,
        "messages": turns,
        "max_completion_tokens": request.max_new_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        **({"logprobs": True, "top_logprobs": 0} if request.logprobs else {}),
        **extra,
    }


def encoded(fields: dict[str, Any]) -> bytes:
    """The bytes of a body. Pictures make it large: call it in a thread."""
    return msgspec.json.encode(fields)


def scoring_bodies(request: ChatRequest, continuations: Sequence[str]) -> list[dict[str, Any]]:
    """For each continuation the prompt with this answer already given; the server reports how probable each token is.

    Pictures are encoded once for all. One token must be generated; what it is does not matter.
    """
    shared = body(replace(request, max_new_tokens=1, temperature=0.0, choice=None, json_schema=None, logprobs=False))
    turns = shared["messages"][:-1] if request.opening else shared["messages"]
    shared |= {**_CONTINUE, "prompt_logprobs": 0}  # of its own tokens, without alternatives
    return [{**shared, "messages": [*turns, _begun(request.opening + continuation)]} for continuation in continuations]


def counting_body(request: ChatRequest) -> dict[str, Any]:
    """What vLLM's `/tokenize` counts: the request's own messages, rendered as for an answer."""
    whole = body(request)
    return {name: value for name, value in whole.items() if name in {"model", "messages", *_CONTINUE}}


def completion(answer: Answer, latency: float) -> Completion:
    """What the answer says. `latency` in s."""
    first, usage = answer.choices[0], answer.usage
    tokens = first.logprobs.content if first.logprobs else None
    return Completion(
        text=first.message.content,
        finish_reason=first.finish_reason,
        logprobs=tuple(TokenLogprob(token.token, token.logprob) for token in tokens or ()),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None,
        latency=latency,
    )


def identity(models: Models, model: str) -> ModelIdentity:
    """What the list says of `model`. Raises EngineMisconfigured when it is not in it.

    Only the last part of the weights' address is kept: machines have them in folders of their own.
    """
    for one in models.data:
        if one.id == model:
            return ModelIdentity(one.root.rstrip("/").rpartition("/")[2] if one.root else None, one.max_model_len)
    raise EngineMisconfigured("the server does not list the model that is asked for")


def label_score(answer: Answer, continuation: str) -> LabelScore:
    """Sum the tokens at the end of the prompt that spell `continuation`.

    They are found from the end by their text, which also proves that the tokenizer cut where the continuation begins.
    Raises msgspec.MsgspecError where an entry does not have the protocol's form.
    """
    if answer.prompt_logprobs is None:
        raise MalformedAnswer("the server did not report the log-probabilities of the prompt")
    spelt, total, count = "", 0.0, 0
    for raw in reversed(answer.prompt_logprobs):
        entry = msgspec.json.decode(raw, type=dict[str, _PromptToken] | None)
        if len(spelt) >= len(continuation) or entry is None or len(entry) != 1:
            break
        (token,) = entry.values()
        spelt, total, count = token.decoded_token + spelt, total + token.logprob, count + 1
    if spelt != continuation:
        raise InputRefused("the tokenizer joins the continuation with what stands before it; move the space into it")
    return LabelScore(continuation, total, count, answer.usage.prompt_tokens)


def _turn(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": _content(message.parts)}


def _begun(opening: str) -> dict[str, Any]:
    return {"role": "assistant", "content": opening}


def _content(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return [
        {"type": "image_url", "image_url": {"url": _data_url(part)}}
        if isinstance(part, ImagePart)
        else {"type": "text", "text": part.text}
        for part in parts
    ]


# A picture is sent several times within one consultation, a reference in many: its text lives as long as the part.
_URLS: Final[MutableMapping[ImagePart, str]] = WeakKeyDictionary()


def _data_url(part: ImagePart) -> str:
    """PNG, because what the model sees must be what was prepared, and made anew, because EXIF may name a cache key.

    No remote address (the server would fetch it) and no `uuid` (it would be the only cache key).
    """
    known = _URLS.get(part)
    if known is None:
        buffer = io.BytesIO()
        # The fastest level: it travels within one machine or rack.
        Image.fromarray(part.rgb).save(buffer, "PNG", compress_level=1)
        known = _URLS[part] = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return known
