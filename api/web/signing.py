"""The page on which somebody gives his key, where keys are needed."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.response import Redirect

from api.auth import EVERYBODY, SIGN_IN
from api.backend import Backend
from api.web.shell import page


@get(SIGN_IN, role=EVERYBODY, page=True, include_in_schema=False)
async def show_sign_in(request: Request[Any, Any, Any], backend: NamedDependency[Backend]) -> Response[Any]:
    """A form for the key; where this machine needs none, the first page."""
    settings, keys = backend.service.settings, backend.service.keys
    if settings.public_url is None and not await backend.read(keys.needed):
        return Redirect("/", status_code=303)
    return page(request, "sign-in")
