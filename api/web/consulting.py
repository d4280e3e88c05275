"""The page on which somebody asks."""

from typing import Any

from litestar import Request, Response, get

from api.web.shell import page
from inference.admission import MAX_NOTE
from inference.types import MAX_PICTURES


@get("/", include_in_schema=False)
async def show_consult(request: Request[Any, Any, Any]) -> Response[str]:
    """The form; the answer is fetched from the JSON routes."""
    return page(request, "consult", max_pictures=MAX_PICTURES, max_note=MAX_NOTE)
