"""Who asks, and what he may do. A route says in one way whom it serves:

    @get("/v1/audit", role=Role.CURATOR, ...)               those who have this role or a higher one
    @get("/sign-in", role=EVERYBODY, ...)                   also strangers
    @get("/knowledge", role=Role.CURATOR, page=True, ...)   a page: who is not signed in is sent to /sign-in

`api.door` holds every request to it, and an application with a route that says nothing does not start.
A handler that must know more asks `caller_of(request)`.
"""

from dataclasses import dataclass
from typing import Any, Final

from litestar.connection import ASGIConnection

from runtime.keys import Role

EVERYBODY: Final = "everybody"
SIGN_IN: Final = "/sign-in"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is that of the key; without keys there is none, and everybody is admin.

    `csrf` is what a signed-in page must send as X-CSRF-Token with everything but GET; None without a session.
    """

    role: Role
    name: str | None = None
    key_id: str | None = None
    csrf: str | None = None

    @property
    def keyless(self) -> bool:
        """Whether no key was needed: this home has none, and only this machine can call."""
        return self.name is None


def caller_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller | None:
    """Who sent this request; None for a stranger, whom only routes for everybody serve."""
    caller: Caller | None = connection.scope.get("user")
    return caller
