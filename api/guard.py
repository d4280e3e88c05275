"""Who may talk to the service while it has no keys: this machine, and pages that this machine served itself.

Binding to loopback is not enough: a web page can point a name of its own at 127.0.0.1 (DNS rebinding), and any page may
send a form to it. The Host header stops the first, the Origin header the second.
"""

import re
from ipaddress import ip_address

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import HostRefused, OriginRefused

_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[^:@/\[\]]+))(?::[0-9]{1,5})?")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine for certain. Only `localhost` is believed by name."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class LoopbackOnly(ASGIMiddleware):
    """Refuses requests under foreign names or from foreign pages. Ports do not matter."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Raises HostRefused or OriginRefused."""
        headers = Headers.from_scope(scope)
        host = headers.get("host", "")
        authority = _AUTHORITY.fullmatch(host)
        if authority is None or not is_loopback(authority["six"] or authority["name"]):
            raise HostRefused("This service answers under loopback names only, such as localhost or 127.0.0.1.")
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host.lower()}", f"https://{host.lower()}"}:
            raise OriginRefused("Requests from pages of other origins are refused.")
        await next_app(scope, receive, send)


async def add_security_headers(message: Message, scope: Scope) -> None:  # noqa: ARG001
    """To every response, also to errors; what a handler said of itself stays."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders(message)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
