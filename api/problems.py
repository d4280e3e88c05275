"""Problem documents (RFC 9457): one table says which error is which status. Nothing of a request is ever repeated.

`type` is `urn:dermacite:problem:<reason>`, `instance` a fresh `urn:uuid:`, which is also what the log names; a log line
holds nothing else of the occurrence but the reason, or the class of an error that nobody expected.
"""

import logging
import math
import re
import traceback
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from types import TracebackType
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from api.errors import (
    AnswerTimedOut,
    ApiError,
    CallerLeft,
    CsrfRefused,
    DocumentsRefused,
    Fault,
    HostRefused,
    KeyNeeded,
    LicenceForbids,
    OriginRefused,
    PicturesRefused,
    PrefetchUnusable,
    RangeRefused,
    RoleTooLow,
    ServerEnding,
    TooBusy,
    TooManyRequests,
    UploadRefused,
)
from inference import errors as inference_errors
from inference.engines import errors as engine_errors
from knowledge import errors as knowledge_errors
from knowledge.types import FileOutcome
from retrieval import errors as retrieval_errors
from runtime import errors as runtime_errors

PROBLEM_JSON = "application/problem+json"

_log = logging.getLogger("dermacite.api")


@dataclass(frozen=True, slots=True)
class Problem:
    """What every error answers. `reason` is stable and meant for programs, `detail` for people.

    `retry_after` is in seconds, as in the header of that name, which an event of a stream cannot have.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    reason: str
    errors: tuple[Fault, ...] | None = None
    outcomes: tuple[FileOutcome, ...] | None = None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Status and title of an error; `by_reason` where one class of errors has more than one status."""

    status: int
    title: str
    by_reason: Mapping[str, int] = field(default_factory=dict)


_FILE_STATUS = {"too_large": 413, "too_many_pixels": 413, "format_not_supported": 415, "not_a_picture": 415}

# Every class of the error modules below us, and of this one, stands here by itself; a test holds the table to it.
TABLE: dict[type[Exception], Row] = {
    knowledge_errors.KnowledgeError: Row(500, "The knowledge base failed"),
    knowledge_errors.PictureRefused: Row(422, "Picture refused", _FILE_STATUS),
    knowledge_errors.DocumentRefused: Row(422, "Document refused", {"too_large": 413, "no_such_page": 404}),
    knowledge_errors.CasesRefused: Row(422, "Cases refused"),
    knowledge_errors.NotFound: Row(404, "Not found"),
    knowledge_errors.TransitionRefused: Row(409, "Not in this state"),
    knowledge_errors.StorageFailed: Row(503, "Storage failed"),
    knowledge_errors.BlobCorrupt: Row(500, "A stored file is damaged"),
    retrieval_errors.RetrievalError: Row(500, "Retrieval failed"),
    retrieval_errors.EncoderMissing: Row(503, "An encoder is missing"),
    retrieval_errors.EncoderBroken: Row(503, "An encoder is broken"),
    retrieval_errors.IndexMismatch: Row(503, "The index does not fit the encoders"),
    retrieval_errors.IndexBroken: Row(503, "The index is broken"),
    retrieval_errors.IndexTooLarge: Row(503, "The index does not fit on this machine"),
    retrieval_errors.ChromaFailed: Row(503, "Chroma cannot be used"),
    retrieval_errors.QueryRefused: Row(422, "Query refused"),
    retrieval_errors.EmbeddingsFailed: Row(503, "Storage failed"),
    inference_errors.InferenceError: Row(500, "Answering failed"),
    inference_errors.ConsultationRefused: Row(422, "Consultation refused"),
    inference_errors.CalibrationBroken: Row(503, "The calibration is broken"),
    inference_errors.LabelSetBroken: Row(503, "A label set is broken"),
    inference_errors.ProfileBroken: Row(503, "A model profile is broken"),
    inference_errors.PromptRefused: Row(500, "A prompt could not be built"),
    engine_errors.EngineError: Row(502, "The inference server failed"),
    engine_errors.EngineUnreachable: Row(503, "The inference server cannot be reached"),
    engine_errors.EngineOverloaded: Row(503, "The inference server is busy"),
    engine_errors.EngineTimedOut: Row(504, "The inference server took too long"),
    engine_errors.EngineMisconfigured: Row(503, "The inference server cannot be asked as it is set up"),
    engine_errors.InputRefused: Row(422, "The model does not take this request"),
    engine_errors.ContextTooLong: Row(422, "The request is too long for the model"),
    engine_errors.MalformedAnswer: Row(502, "The inference server answered with something else"),
    engine_errors.ConstraintIgnored: Row(502, "The inference server ignored what it was held to"),
    runtime_errors.RuntimeRefused: Row(503, "The service cannot work as it is set up"),
    runtime_errors.SettingsRefused: Row(503, "The settings cannot be served"),
    runtime_errors.BuildFailed: Row(500, "Building the index failed"),
    runtime_errors.EncodersSwitched: Row(503, "The server must be restarted"),
    runtime_errors.NothingToRollBack: Row(409, "Nothing to return to"),
    runtime_errors.JobStopped: Row(409, "The job was stopped"),
    runtime_errors.ClusterFailed: Row(503, "The Ray cluster cannot be used"),
    runtime_errors.WriterBusy: Row(503, "Another writer is at work"),
    runtime_errors.KeyRefused: Row(401, "The key opens nothing"),
    runtime_errors.KeyNotMade: Row(422, "The key cannot be made"),
    ApiError: Row(500, "The request failed"),
    HostRefused: Row(421, "Misdirected request"),
    OriginRefused: Row(403, "Foreign origin"),
    KeyNeeded: Row(401, "A key is needed"),
    RoleTooLow: Row(403, "The role is too low"),
    CsrfRefused: Row(403, "The token of the page is missing"),
    TooManyRequests: Row(429, "Too many requests"),
    TooBusy: Row(503, "The service is busy"),
    AnswerTimedOut: Row(504, "The answer took too long"),
    PicturesRefused: Row(422, "Pictures refused", _FILE_STATUS),
    PrefetchUnusable: Row(412, "The prefetch cannot be used"),
    DocumentsRefused: Row(422, "Documents refused"),
    UploadRefused: Row(422, "Upload refused"),
    RangeRefused: Row(416, "Range not satisfiable"),
    CallerLeft: Row(499, "The caller left"),  # nobody reads it; proxies log this number
    LicenceForbids: Row(451, "The licence does not allow it"),
    ServerEnding: Row(503, "The server is ending"),
}

ROOTS = (
    knowledge_errors.KnowledgeError,
    retrieval_errors.RetrievalError,
    inference_errors.InferenceError,
    runtime_errors.RuntimeRefused,
    ApiError,
)

# What Litestar itself refuses: reason and sentence by status. Its own messages may repeat the path and query.
_OF_STATUS: dict[int, tuple[str, str]] = {
    400: ("malformed", "The request cannot be read. Check the encoding of its body and parameters."),
    404: ("no_such_route", "There is nothing at this path. The routes are listed in /schema/openapi.json."),
    405: ("method_not_allowed", "This path does not know this method; the Allow header lists those that it knows."),
    413: ("too_large", "The body is larger than this route takes. Send less at once."),
}
_UNEXPECTED = "Something failed that should not. The log of the server names this instance."
# Where Litestar reads bodies; text that is not UTF-8, or an unknown charset, leaves them as any exception.
_READERS = {("litestar._multipart", "parse_multipart_form"), ("litestar.serialization.msgspec_hooks", "decode_json")}
_FIELD_NAME = re.compile(r"[A-Za-z_0-9.\[\]]{1,80}")


def row_of(error: Exception) -> Row:
    """The row of an error's class, or of the nearest class it derives from."""
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def on_domain_error(_: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """Any error of our own layers."""
    problem = domain_problem(error)
    after = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    return _response(problem, {**getattr(error, "headers", {}), **after})


def domain_problem(error: Exception) -> Problem:
    """The problem document of an error of our own layers; what is not the caller's fault is logged by its reason."""
    row = row_of(error)
    reason = str(getattr(error, "reason", "unknown"))
    more = {name: getattr(error, name, None) for name in ("errors", "outcomes")}
    after = getattr(error, "retry_after", None)
    more["retry_after"] = None if after is None else math.ceil(after)
    problem = _problem(row.by_reason.get(reason, row.status), row.title, str(error), reason, **more)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s: answered %d, %s", problem.instance, problem.status, reason)
    return problem


def on_invalid(_: Request[Any, Any, Any], error: ValidationException) -> Response[dict[str, Any]]:
    """A body or parameter that does not fit the schema: every field that is wrong, never what was in it."""
    faults = tuple(_faults(error.extra))
    detail = "The request does not fit the schema; `errors` lists every field that is wrong."
    return _response(_problem(400, "Invalid request", detail, "invalid_request", errors=faults))


def on_http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """Whatever else Litestar refuses."""
    status = error.status_code
    reason, detail = _OF_STATUS.get(status, ("http_error", "The request cannot be answered."))
    return _response(_problem(status, HTTPStatus(status).phrase, detail, reason), error.headers or {})


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """Everything else: an unreadable body is the caller's fault, the rest is ours."""
    if not isinstance(error, OSError) and _raised_while_reading(error.__traceback__):
        return on_http_error(request, HTTPException(status_code=400))
    return _response(unexpected_problem(error))


def unexpected_problem(error: Exception) -> Problem:
    """The problem document of an error nobody expected; it says nothing about itself."""
    places = traceback.extract_tb(error.__traceback__)
    problem = _problem(500, "Internal error", _UNEXPECTED, "internal_error")
    where = f"{places[-1].name}:{places[-1].lineno}" if places else "nowhere"
    # The class and the place, not the message: a message can hold anything that a caller sent.
    _log.error("%s: unexpected %s in %s", problem.instance, type(error).__qualname__, where)
    return problem


HANDLERS: dict[int | type[Exception], Any] = {
    **dict.fromkeys(ROOTS, on_domain_error),
    ValidationException: on_invalid,
    HTTPException: on_http_error,
    Exception: on_unexpected,
}


def _problem(status: int, title: str, detail: str, reason: str, **more: Any) -> Problem:
    return Problem(f"urn:dermacite:problem:{reason}", title, status, detail, uuid.uuid4().urn, reason, **more)


def _response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[dict[str, Any]]:
    return Response(
        without_nothing(problem), status_code=problem.status, media_type=PROBLEM_JSON, headers=dict(headers or {})
    )


def without_nothing(item: Problem | Fault) -> dict[str, Any]:
    """The members that are there; absent ones are left out, not null."""
    members = {one.name: getattr(item, one.name) for one in fields(item)}
    if isinstance(item, Problem) and item.errors is not None:
        members["errors"] = [without_nothing(fault) for fault in item.errors]
    return {name: value for name, value in members.items() if value is not None}


def _faults(extra: Any) -> Iterator[Fault]:
    """What Litestar collected. Names of unknown fields come from the caller, so only plain ones are repeated."""
    for entry in extra if isinstance(extra, list) else []:
        name = str(entry.get("key", "body")).removeprefix("data.")
        if name in {"data", "body"}:
            name = "body"
        shown = name if _FIELD_NAME.fullmatch(name) else "(unknown field)"
        message = str(entry.get("message", "is not valid"))
        yield Fault("a body is needed" if message == "'data'" else message, field=shown)


def _raised_while_reading(trace: TracebackType | None) -> bool:
    while trace is not None:
        if (trace.tb_frame.f_globals.get("__name__"), trace.tb_frame.f_code.co_name) in _READERS:
            return True
        trace = trace.tb_next
    return False
