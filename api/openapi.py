"""How routes are described: problem documents for every error a route can give, and an example for everything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from litestar import Router
from litestar.enums import MediaType
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    Example,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.openapi.spec.enums import OpenAPIType

from api.problems import PROBLEM_JSON, Problem
from inference.abstention import NOTICE
from runtime.keys import Role

EVENT_STREAM = "text/event-stream"

DESCRIPTION = (
    f"Retrieval-grounded dermatology: every statement cites evidence that a reader can open. {NOTICE} "
    "Errors are problem documents (RFC 9457)."
)

_KEY = "A key of `dermacite keys create`. A service that has none yet needs none, and answers its own machine only."
_SESSION = "Of `POST /sign-in`. Everything but GET also needs the session's token in the header X-CSRF-Token."

# Reason and sentence of one problem of each status, as a caller may meet it.
_PROBLEMS: dict[int, tuple[str, str, str]] = {
    400: ("invalid_request", "Invalid request", "The request does not fit the schema; `errors` lists every field."),
    401: (
        "key_needed",
        "A key is needed",
        "This needs a key: Authorization: Bearer KEY. Make one: dermacite keys create",
    ),
    403: ("role_too_low", "The role is too low", "This needs the role curator; this key has the role reader."),
    404: ("not_found", "Not found", "no such document. List them: dermacite documents list"),
    409: ("already_live", "Not in this state", "the version is live already; there is nothing to approve"),
    412: (
        "prefetch_unusable",
        "The prefetch cannot be used",
        "Picture 1: it is not in the request. Send its content as base64 `data`; nothing is fetched.",
    ),
    413: ("too_large", "Request Entity Too Large", "The body is larger than this route takes. Send less at once."),
    415: (
        "not_a_picture",
        "Pictures refused",
        "Picture 2: The file is not a picture. Send a JPEG, PNG or WebP picture.",
    ),
    416: ("range_not_satisfiable", "Range not satisfiable", "The range lies outside the file, which has 8114 bytes."),
    421: ("host_refused", "Misdirected request", "This service answers under loopback names only."),
    422: ("truncated", "Pictures refused", "Picture 1: The file ends before the picture does. Send it again."),
    429: ("too_many_requests", "Too many requests", "More than 1200 requests in a minute. Wait 3 s before the next."),
    451: ("licence_forbids", "The licence does not allow it", "The licence of this case does not allow showing it."),
    500: ("internal_error", "Internal error", "Something failed that should not. The log names this instance."),
    502: (
        "constraint_ignored",
        "The inference server ignored what it was held to",
        "the answer is not held to the choices or the schema of the request. Use a server that knows them.",
    ),
    503: ("encoder_missing", "An encoder is missing", "encoder bge-m3 is not on this machine. Get it: hf download ..."),
    504: (
        "engine_timed_out",
        "The inference server took too long",
        "the engine did not answer in time. Allow more time, or look whether the server is busy.",
    ),
}
_ALWAYS = (403, 421, 500)  # foreign pages and names, and what nobody expects
_BEHIND_THE_DOOR = (401, 429)  # of a route that does not serve everybody


def problems(*statuses: int, everybody: bool = False) -> dict[int, ResponseSpec]:
    """The problem documents of a route: these statuses, and those every route can give that does not serve `everybody`."""
    behind = () if everybody else _BEHIND_THE_DOOR
    return {status: _problem(status) for status in sorted({*statuses, *_ALWAYS, *behind})}


def example(container: Any, value: Any, description: str = "The answer", **others: Any) -> ResponseSpec:
    """A JSON answer with its example; `others` are further ones by name."""
    examples = [Example(summary=name, value=one) for name, one in {"example": value, **others}.items()]
    return ResponseSpec(container, generate_examples=False, description=description, examples=examples)


def binary(media_type: str, description: str) -> ResponseSpec:
    """An answer of bytes."""
    return ResponseSpec(bytes, generate_examples=False, description=description, media_type=media_type)


def text(media_type: str, description: str, value: str) -> ResponseSpec:
    """An answer of text with its example."""
    shown = Example(summary="example", value=value)
    return ResponseSpec(str, generate_examples=False, description=description, media_type=media_type, examples=[shown])


def empty(description: str) -> ResponseSpec:
    """An answer without a body."""
    return ResponseSpec(None, generate_examples=False, description=description)


def body_example(media_type: str, value: Mapping[str, Any]) -> type[Operation]:
    """The operation of a route whose request body has this example."""

    @dataclass
    class WithExample(Operation):
        shown: ClassVar[Example] = Example(summary="A request", value=dict(value))

        def __post_init__(self) -> None:
            if isinstance(self.request_body, RequestBody):
                self.request_body.content[media_type].examples = {"example": self.shown}

    return WithExample


def in_other_forms(media_type: str, value: Mapping[str, Any], forms: Mapping[str, OpenAPIMediaType]) -> type[Operation]:
    """As `body_example`, for a route whose answer also comes in `forms`, by media type."""

    @dataclass
    class InOtherForms(body_example(media_type, value)):  # type: ignore[misc] # a class made here
        def __post_init__(self) -> None:
            super().__post_init__()
            answer = (self.responses or {}).get("200")
            if isinstance(answer, OpenAPIResponse):
                answer.content = {**(answer.content or {}), **forms}

    return InOtherForms


def events_example(events: str) -> OpenAPIMediaType:
    """An answer that comes as a stream."""
    words = "Server-sent events; each `data` is one JSON object."
    return OpenAPIMediaType(
        Schema(type=OpenAPIType.STRING, description=words), examples={"events": Example(summary="events", value=events)}
    )


def object_example(value: Mapping[str, Any], words: str) -> OpenAPIMediaType:
    """An answer whose schema is a standard's, not ours."""
    shown = Example(summary="example", value=dict(value))
    return OpenAPIMediaType(Schema(type=OpenAPIType.OBJECT, description=words), examples={"example": shown})


def _problem(status: int) -> ResponseSpec:
    reason, title, detail = _PROBLEMS[status]
    value = {
        "type": f"urn:dermacite:problem:{reason}", "title": title, "status": status, "detail": detail,
        "instance": "urn:uuid:6f1c1e0e-3f6e-4e53-9d8b-0c1f5a4c7b52", "reason": reason,
    }  # fmt: skip
    shown = Example(summary=reason, value=value)
    return ResponseSpec(Problem, generate_examples=False, description=title, media_type=PROBLEM_JSON, examples=[shown])


def openapi_config(version: str, cookie: str) -> OpenAPIConfig:
    """The document alone, under /schema/openapi.json: pages that show it load scripts from elsewhere.

    What each operation needs stands with it (api.door): its role in either of two ways, by a key or by the cookie.
    """
    return OpenAPIConfig(
        title="Dermacite",
        version=version,
        description=DESCRIPTION,
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "key": SecurityScheme(type="http", scheme="bearer", description=_KEY),
                "session": SecurityScheme(
                    type="apiKey", security_scheme_in="cookie", name=cookie, description=_SESSION
                ),
            }
        ),
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, opt={"role": Role.READER}),
        render_plugins=[JsonRenderPlugin(path="/openapi.json", media_type=MediaType.JSON)],
    )
