"""The page on which somebody gives his key, and what he sees where it does not open a page."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.response import Redirect

from api.auth import EVERYBODY, SIGN_IN
from api.backend import Backend
from api.errors import RoleTooLow
from api.web.shell import page


@get(SIGN_IN, role=EVERYBODY, page=True, include_in_schema=False)
async def show_sign_in(request: Request[Any, Any, Any], backend: NamedDependency[Backend]) -> Response[Any]:
    """A form for the key; where this machine needs none, the first page."""
    settings, keys = backend.service.settings, backend.service.keys
    if settings.public_url is None and not await backend.read(keys.needed):
        return Redirect("/", status_code=303)
    return page(request, "sign-in")


def show_role_too_low(request: Request[Any, Any, Any], error: RoleTooLow) -> Response[str]:
    """Instead of a page that needs a higher role than the visitor's."""
    return page(request, "role-too-low", 403, why=str(error))
