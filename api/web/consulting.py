"""The page on which somebody asks."""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from api.auth import caller_of
from api.backend import Backend
from api.web.shell import page
from inference.admission import MAX_NOTE
from inference.types import MAX_PICTURES
from runtime.keys import Role
from runtime.models import EMBEDDED
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Served:
    """Which parts this service has beyond the embedded ones. An option for a part that is missing would be refused."""

    classifier: bool
    reporter: bool
    grouper: bool
    reranker: bool


@get("/", role=Role.READER, page=True, include_in_schema=False)
async def show_consult(request: Request[Any, Any, Any], backend: NamedDependency[Backend]) -> Response[str]:
    """The form; the answer is fetched from the JSON routes."""
    settings, caller = backend.service.settings, caller_of(request)
    return page(
        request, "consult", max_pictures=MAX_PICTURES, max_note=MAX_NOTE, max_megabytes=settings.picture_megabytes,
        served=_served(settings), studies=caller is not None and caller.role.may(Role.RESEARCHER),
    )  # fmt: skip


def _served(settings: Settings) -> Served:
    return Served(
        classifier=settings.classifier != EMBEDDED["classifier"],
        reporter=settings.reporter != EMBEDDED["reporter"],
        grouper=settings.grouper != EMBEDDED["grouper"],
        reranker=settings.reranker is not None,
    )
