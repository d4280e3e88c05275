"""The one door: every request to every route passes it. Who asks, whether the route serves him, whether his page sent it.

It is a middleware and no guard, so that nothing of a stranger's request is read and none waits for a turn.
"""

import hmac
from collections.abc import Callable
from typing import TypeVar, cast
from urllib.parse import quote

import anyio
import anyio.to_thread
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from api.auth import EVERYBODY, SIGN_IN, Caller, must_be
from api.errors import CsrfRefused, KeyNeeded
from api.limits import Rate
from knowledge.registry.keys import AccessKey
from runtime.errors import KeyRefused
from runtime.keys import KeyRing, Role, csrf_token

T = TypeVar("T")

CSRF_HEADER = "x-csrf-token"
BEARER = "bearer"
STRANGERS, KEYLESS = "strangers", "keyless"  # who share one measure each; no id of a key
_CHECKS = 4  # keys looked up at once; each is one indexed read of a row
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # change and compute nothing worth another page's while


class Door(ASGIMiddleware):
    """Lets in whom a route serves. `keyless`: whether a home without keys serves everybody who reaches it."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, ring: Callable[[], KeyRing], cookie: str, rate: Rate, *, keyless: bool) -> None:
        self._ring = ring
        self._cookie = cookie
        self._rate = rate
        self._keyless = keyless
        self._needed = False  # keys are never forgotten, so this is asked until it is true
        self._limiter = anyio.CapacityLimiter(_CHECKS)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Raises KeyNeeded, TooManyRequests, CsrfRefused or RoleTooLow."""
        asked = cast(HTTPScope, scope)  # see `scopes`
        handler = asked["route_handler"]
        needed = role_of(handler, asked["method"])
        if needed is not None:
            try:
                caller = await self._caller(scope)
            except KeyNeeded:
                await self._rate.spend(STRANGERS)
                if handler.opt.get("page"):
                    await _sent_to_sign_in(asked["path"], send)
                    return
                raise
            if handler.opt.get("rated", True):
                await self._rate.spend(caller.key_id or KEYLESS)
            scope["user"] = caller  # first: who is refused is logged, and his page greets him
            _admit(caller, needed, asked)
        await next_app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller:
        """Who sends this. Raises KeyNeeded."""
        if not self._needed:
            self._needed = await self._looked_up(lambda: self._ring().needed())
        if not self._needed and self._keyless:
            return Caller(Role.ADMIN)
        scheme, _, key = Headers.from_scope(scope).get("authorization", "").partition(" ")
        token = None if scheme else ASGIConnection(scope).cookies.get(self._cookie)
        if scheme.lower() != BEARER and token is None:
            raise KeyNeeded("This needs a key: Authorization: Bearer KEY. Make one: dermacite keys create")
        try:
            if token is None:
                return _caller(await self._looked_up(lambda: self._ring().check(key.strip())))
            return _caller(await self._looked_up(lambda: self._ring().signed_in(token)), token)
        except KeyRefused as error:
            raise KeyNeeded(str(error), error.reason) from error

    async def _looked_up(self, look: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(look, limiter=self._limiter)


def _caller(key: AccessKey, token: str | None = None) -> Caller:
    return Caller(Role(key.role), key.name, key.id, None if token is None else csrf_token(token))


def _admit(caller: Caller, needed: Role, scope: HTTPScope) -> None:
    if caller.csrf is not None and scope["method"] not in _SAFE:
        sent = Headers.from_scope(scope).get(CSRF_HEADER, "")
        if not hmac.compare_digest(sent.encode(), caller.csrf.encode()):
            raise CsrfRefused("Send the token of the page as X-CSRF-Token. Reload the page, then try again.")
    must_be(caller, needed)


async def _sent_to_sign_in(path: str, send: Send) -> None:
    """From where the visitor comes back to the page that he asked for."""
    location = SIGN_IN if path == "/" else f"{SIGN_IN}?next={quote(path, safe='')}"
    headers = [(b"location", location.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def role_of(handler: BaseRouteHandler, method: str) -> Role | None:
    """The role that a route needs for a method; None where it serves everybody.

    Litestar answers OPTIONS by itself: with the methods of a path, for whoever has any key.
    """
    if method == "OPTIONS":
        return Role.READER
    needed = handler.opt["role"]
    return None if needed == EVERYBODY else Role(needed)


class EveryRouteSaysItsRole(ReceiveRoutePlugin):
    """Refuses an application with a route that says no role, and writes the role into the API document."""

    def receive_route(self, route: BaseRoute) -> None:
        """Raises ImproperlyConfiguredException."""
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]  # type: ignore[attr-defined]
        for handler in handlers:
            if isinstance(handler, HTTPRouteHandler) and handler.http_methods == {"OPTIONS"}:
                continue
            if "role" not in handler.opt:
                raise ImproperlyConfiguredException(f"{handler} says no role; see api/auth.py")
            needed = role_of(handler, "")
            if isinstance(handler, HTTPRouteHandler):
                handler.security = [{}] if needed is None else [{"key": [needed.value]}, {"session": [needed.value]}]
