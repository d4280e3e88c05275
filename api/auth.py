"""Who asks, and what he may do. A route says in one way whom it serves:

    @get("/v1/audit", role=Role.CURATOR, ...)               those who have this role or a higher one
    @get("/sign-in", role=EVERYBODY, ...)                   also strangers
    @get("/knowledge", role=Role.CURATOR, page=True, ...)   a page: who is not signed in is sent to /sign-in

`api.door` holds every request to it, and an application with a route that says nothing does not start. In the same way a
route says `answers=True` when it computes, so that it waits for its turn (`api.limits`), and `rated=False` when it counts for
no rate.
A handler that must know more asks `caller_of(request)`, and `must_be` where what it does depends on what it is sent.
"""

from dataclasses import dataclass
from typing import Any, Final

from litestar.connection import ASGIConnection

from api.errors import RoleTooLow
from runtime.keys import Role

EVERYBODY: Final = "everybody"
SIGN_IN: Final = "/sign-in"
COOKIE: Final = "dermacite"


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


def cookie_name(public_url: str | None) -> str:
    """Behind TLS a browser sees to it that no other host of the domain, and no plain page, can have set the cookie."""
    return COOKIE if public_url is None else f"__Host-{COOKIE}"


def must_be(caller: Caller, needed: Role, what: str = "This", needs: str = "needs") -> None:
    """Raises RoleTooLow naming the role that `what` needs."""
    if not caller.role.may(needed):
        raise RoleTooLow(f"{what} {needs} the role {needed}; this key has the role {caller.role}.")
