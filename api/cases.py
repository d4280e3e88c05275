"""Reference cases, so that every piece of evidence can be opened."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import PathParameter

from api import examples
from api.backend import Backend
from api.content import etag_of, not_modified, whole
from api.errors import LicenceForbids
from api.openapi import binary, empty, example, problems
from knowledge.licences import may_show, shown
from knowledge.types import ReferenceCase
from runtime.keys import Role

WEBP = "image/webp"

CaseId = Annotated[
    str, PathParameter(description="Id of a reference case.", examples=[Example(value=examples.CASE_ID)])
]


@get(
    "/v1/cases/{case_id:str}", role=Role.READER, operation_id="get_case",
    summary="Open a reference case", tags=["cases"],
    responses={200: example(ReferenceCase, examples.CASE), **problems(400, 404, 503)},
)  # fmt: skip
async def get_case(case_id: CaseId, backend: NamedDependency[Backend]) -> ReferenceCase:
    """Label, caption, licence and origin of a case. Where its licence forbids showing it: id, label, dataset and licence."""
    return await backend.read(lambda: shown(backend.service.registry.case(case_id)))


@get(
    "/v1/cases/{case_id:str}/picture", role=Role.READER, operation_id="get_case_picture",
    summary="Open the picture of a case",
    tags=["cases"], media_type=WEBP,
    responses={
        200: binary(WEBP, "The stored picture, lossless and without metadata"),
        304: empty("The caller holds it already"),
        **problems(400, 404, 451, 503),
    },
)  # fmt: skip
async def get_case_picture(
    case_id: CaseId, request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> Response[bytes]:
    """The entity tag is the sha256 of the picture."""
    case = await backend.read(lambda: backend.service.registry.case(case_id))
    if not may_show(case.licence):
        raise LicenceForbids("The licence of this case does not allow showing its picture.")
    etag = etag_of(case.picture)
    held = not_modified(request, etag)
    return held or whole(await backend.read(lambda: backend.service.blobs.get(case.picture)), WEBP, etag)
