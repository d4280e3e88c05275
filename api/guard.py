"""Under which names the service answers, and to whose pages: this machine, and `public_url` where that is set.

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
_HSTS = "max-age=31536000"  # a year; of the host alone, since others of its domain are not ours


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine for certain. Only `localhost` is believed by name."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class OwnNames(ASGIMiddleware):
    """Refuses requests under foreign names or from foreign pages. Ports of this machine do not matter.

    `public_url` is `https://HOST[:PORT]`, the address of the proxy in front.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, public_url: str | None = None) -> None:
        self._origin = public_url
        self._public = public_url and public_url.removeprefix("https://")

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Raises HostRefused or OriginRefused."""
        headers = Headers.from_scope(scope)
        ours = self._origins(headers.get("host", "").lower())
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in ours:
            raise OriginRefused("Requests from pages of other origins are refused.")
        await next_app(scope, receive, send)

    def _origins(self, host: str) -> set[str | None]:
        """Whose pages may send requests under this name. Raises HostRefused for a name that is not ours."""
        if self._public is not None and host.removesuffix(":443") == self._public:
            return {self._origin}
        authority = _AUTHORITY.fullmatch(host)
        if authority is None or not is_loopback(authority["six"] or authority["name"]):
            raise HostRefused(
                "This service answers under loopback names, such as localhost or 127.0.0.1, and under that of the setting "
                "public_url."
            )
        # A proxy may put the name of this machine in the place of its own.
        return {f"http://{host}", f"https://{host}", self._origin}


async def add_security_headers(message: Message, scope: Scope) -> None:  # noqa: ARG001
    """To every response, also to errors; what a handler said of itself stays."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders(message)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)


async def add_hsts(message: Message, scope: Scope) -> None:  # noqa: ARG001
    """To every response of a service with a `public_url`: a browser then asks for it over TLS only."""
    if message["type"] == "http.response.start":
        MutableScopeHeaders(message).setdefault("Strict-Transport-Security", _HSTS)
