"""Around every request, also those that no route answers: an id, one line in the log, metrics, a span, and the end.

The route is its template, never the path: paths hold ids, and some callers put more into them.
"""

import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.serialization import encode_json
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from api.draining import Draining, Running
from api.errors import ServerEnding
from api.logs import REQUEST_ID
from api.metrics import Metrics
from api.openapi import EVENT_STREAM
from api.problems import PROBLEM_JSON, domain_problem, without_nothing
from api.tracing import Tracing

_log = logging.getLogger("dermacite.requests")

HEADER: Final = "X-Request-ID"
NO_ROUTE: Final = "(none)"
OTHER_METHOD: Final = "OTHER"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What is answered until the very end: whoever watches must see how it goes.
ALWAYS: Final = frozenset({"/health/live", "/health/ready", "/metrics"})


@dataclass(frozen=True, slots=True)
class Watchers:
    """Who looks on."""

    draining: Draining
    metrics: Metrics
    tracing: Tracing


def watch(app: Litestar, watchers: Watchers) -> None:
    """Put the watchers around an application: its own middleware never meets a request that no route answers."""
    inner = app.asgi_handler

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await inner(scope, receive, send)
            return
        await _Exchange(scope, send, watchers).answered_by(inner, receive)

    app.asgi_handler = watched


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: HTTPScope, send: Send, watchers: Watchers) -> None:
        self._scope, self._send, self._watchers = scope, send, watchers
        self._id = _id_of(scope)
        self._running = Running(scope["method"])
        self._status: int | None = None
        self._bodied = False  # the answer is complete

    async def answered_by(self, app: ASGIApp, receive: Receive) -> None:
        """Answer it, and tell the watchers how that went."""
        watchers, started = self._watchers, time.perf_counter()
        told = REQUEST_ID.set(self._id)
        try:
            with watchers.metrics.request_running(), watchers.tracing.request() as span:
                try:
                    await self._answer(app, receive)
                finally:
                    span.tell(self._method, self._route, self._shown_status)
        finally:
            seconds = time.perf_counter() - started
            watchers.metrics.request(self._method, self._route, self._shown_status, seconds)
            self._log(seconds)
            REQUEST_ID.reset(told)

    async def _answer(self, app: ASGIApp, receive: Receive) -> None:
        draining = self._watchers.draining
        if self._scope["path"] in ALWAYS:
            await app(self._scope, receive, self._sent)
            return
        if draining.begun:
            await self._refuse()
            return
        with draining.counted(self._running):
            with self._running.scope:
                await app(self._scope, receive, self._sent)
            if self._running.scope.cancelled_caught and not self._bodied:
                await self._refuse()

    async def _sent(self, message: Message) -> None:
        """What the application sends, with the id and, near the end, the wish that the connection be closed."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableScopeHeaders(message)
            headers[HEADER] = self._id
            if self._watchers.draining.begun:
                headers["Connection"] = "close"
            self._running.streams = headers.get("content-type", "").startswith(EVENT_STREAM)
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            self._bodied = True
        await self._send(message)

    async def _refuse(self) -> None:
        """Say that the server ends: as a problem document, or as the last event of a stream that has begun."""
        problem = domain_problem(ServerEnding())
        words = encode_json(without_nothing(problem))
        if self._status is None:
            await self._sent(_start(problem.status, {
                "Content-Type": PROBLEM_JSON, "Content-Length": str(len(words)), "Retry-After": str(problem.retry_after),
            }))  # fmt: skip
        elif self._running.streams:
            words = b"event: error\r\ndata: " + words + b"\r\n\r\n"
        else:
            return  # half an answer: the connection is closed, and its length says that it is not whole
        await self._sent({"type": "http.response.body", "body": words, "more_body": False})

    # --- what is told ----------------------------------------------------------------------------------------------

    @property
    def _method(self) -> str:
        return self._scope["method"] if self._scope["method"] in METHODS else OTHER_METHOD

    @property
    def _route(self) -> str:
        """The template of the route, the same for all requests that none answers."""
        return str(self._scope.get("path_template") or NO_ROUTE)

    @property
    def _shown_status(self) -> int:
        return self._status or HTTPStatus.INTERNAL_SERVER_ERROR

    def _log(self, seconds: float) -> None:
        fields: dict[str, Any] = {
            "event": "request", "route": self._route, "method": self._method, "status": self._shown_status,
            "duration_ms": round(seconds * 1000, 1), "request_id": self._id,
        }  # fmt: skip
        key = key_id_of(self._scope)
        if key is not None:
            fields["key_id"] = key
        # Probes and scrapes come every few seconds: those that went well are of no interest.
        told = logging.DEBUG if self._scope["path"] in ALWAYS and self._shown_status < 400 else logging.INFO
        _log.log(
            told, "%s %s %d %.1f ms request=%s%s", self._method, self._route, self._shown_status, seconds * 1000, self._id,
            f" key={key}" if key else "", extra={"fields": fields},
        )  # fmt: skip


def key_id_of(scope: Mapping[str, Any] | Scope) -> str | None:
    """The id of the key that the caller showed, where the door put one into the scope; never its name."""
    found = getattr(scope.get("user"), "key_id", None)
    return found if isinstance(found, str) else None


def _id_of(scope: HTTPScope) -> str:
    """The caller's own id where that is a plain UUID, so that both logs agree; else a fresh one."""
    given = Headers.from_scope(scope).get(HEADER, "")
    try:
        known = str(uuid.UUID(given))
    except ValueError:
        return str(uuid.uuid4())
    return known if given.lower() == known else str(uuid.uuid4())


def _start(status: int, headers: Mapping[str, str]) -> Message:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}
