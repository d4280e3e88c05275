"""The one table from the OpenAI client's errors to ours."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import httpx2
import msgspec
import openai

from inference.engines.errors import (
    ContextTooLong,
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineTimedOut,
    EngineUnreachable,
    InputRefused,
    MalformedAnswer,
)

# The field a server names when prompt and answer do not fit: vLLM's `param`, OpenAI's `code`, llama.cpp's `type`.
_CONTEXT_SIGNS: Final = frozenset(
    {"input_tokens", "max_completion_tokens", "max_tokens", "context_length_exceeded", "exceed_context_size_error"}
)
_BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_SETUP: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
)
_SLOW: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT})
_LONGEST_WAIT: Final = 60.0  # s; a server that asks for more is not waited for, only quoted up to this
_NO_CONNECTION: Final = (httpx2.ConnectTimeout, httpx2.ConnectError)


@contextmanager
def translated() -> Iterator[None]:
    """Let only EngineError out of what is done inside.

    The cause is not chained: its text is the server's, which quotes prompts, and tracebacks reach logs. What a reader
    needs of it, the kind and the status, is in the message.
    """
    try:
        yield
    except openai.OpenAIError as error:
        raise engine_error(error) from None
    except (msgspec.MsgspecError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MalformedAnswer(f"the answer does not have the protocol's form ({type(error).__name__})") from None
    except httpx2.HTTPError as error:
        raise EngineUnreachable(f"the connection to the engine failed ({type(error).__name__})") from None


def engine_error(error: openai.OpenAIError) -> EngineError:
    """Our error for any error of the client's."""
    kind = type(error).__name__
    match error:
        case openai.APITimeoutError() if not isinstance(error.__cause__, _NO_CONNECTION):
            return EngineTimedOut("the engine did not answer in time")
        case openai.APIConnectionError():
            return EngineUnreachable(f"the connection to the engine failed ({type(error.__cause__).__name__})")
        case openai.APIStatusError():
            return _of_status(error)
        case openai.APIResponseValidationError() | openai.LengthFinishReasonError():
            return MalformedAnswer(f"the answer does not have the protocol's form ({kind})")
        case openai.ContentFilterFinishReasonError():
            return InputRefused("the engine filtered the answer")
        case openai.APIError():
            return EngineUnreachable("the engine broke the answer off with an error")
        case _:
            return EngineMisconfigured(f"the client of the engine cannot be used ({kind})")


def _of_status(error: openai.APIStatusError) -> EngineError:
    status = error.status_code
    if status in _BUSY:
        return EngineOverloaded(f"the engine is busy (HTTP {status})", retry_after=_retry_after(error))
    if status in _SETUP:
        return EngineMisconfigured(f"the engine does not serve this model, address or key (HTTP {status})")
    if status in _SLOW:
        return EngineTimedOut(f"the engine gave up on the request (HTTP {status})")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return EngineUnreachable(f"the engine failed (HTTP {status})")
    if _CONTEXT_SIGNS & {error.param, error.code, error.type}:
        return ContextTooLong(f"prompt and answer exceed the model's context (HTTP {status})")
    return InputRefused(f"the engine refused the request (HTTP {status})")


def _retry_after(error: openai.APIStatusError) -> float:
    """Seconds the server asks to wait, 1 where it says nothing we can read (the header may also hold a date)."""
    try:
        asked = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return 1.0
    return min(asked, _LONGEST_WAIT) if asked >= 0 else 1.0  # NaN is not >= 0
