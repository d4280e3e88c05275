"""The pages of a guideline as text and as pictures, and the file itself: where a citation leads.

The id of a version opens that one, also when another took its place: what an old answer cited can still be read.
"""

from functools import partial
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import PathParameter

from api import examples
from api.backend import Backend
from api.content import etag_of, not_modified, ranged, whole
from api.documents import DocumentId
from api.openapi import binary, empty, example, problems
from api.replies import PageText
from knowledge.errors import NotFound
from knowledge.places import unpacked
from knowledge.types import DocumentVersion, Line, Page
from runtime.keys import Role
from runtime.service import Service

JSON, PNG, PDF = "application/json", "image/png", "application/pdf"

PageNumber = Annotated[int, PathParameter(description="From 1.", examples=[Example(value=3)])]


@get(
    "/v1/documents/{document_id:str}/pages/{number:int}", role=Role.READER, operation_id="get_page",
    summary="Open a page",
    tags=["documents"], responses={200: example(PageText, examples.PAGE), **problems(400, 404, 503)},
)  # fmt: skip
async def get_page(
    document_id: DocumentId, number: PageNumber, request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> Response[PageText] | Response[bytes]:
    """Its text, and where that lies in the text that citations count in. `Accept: image/png` gives the picture."""
    if request.accept.best_match([JSON, PNG], default=JSON) == PNG:
        return await _picture(document_id, number, request, backend)
    text = await backend.read(partial(_text, backend.service, document_id, number))
    return Response(text, headers={"Vary": "Accept"})


@get(
    "/v1/documents/{document_id:str}/pages/{number:int}/image", role=Role.READER, operation_id="get_page_image",
    summary="Open a page as a picture", tags=["documents"], media_type=PNG,
    responses={
        200: binary(PNG, "The page, drawn"),
        304: empty("The caller holds it already"),
        **problems(400, 404, 413, 422, 503),
    },
)  # fmt: skip
async def get_page_image(
    document_id: DocumentId, number: PageNumber, request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> Response[bytes]:
    """At most 2 million pixels."""
    return await _picture(document_id, number, request, backend)


@get(
    "/v1/documents/{document_id:str}/file", role=Role.READER, operation_id="get_document_file",
    summary="Open the file of a guideline",
    tags=["documents"], media_type=PDF,
    responses={
        200: binary(PDF, "The PDF as it was sent"),
        206: binary(PDF, "The part asked for"),
        304: empty("The caller holds it already"),
        **problems(400, 404, 416, 503),
    },
)  # fmt: skip
async def get_document_file(
    document_id: DocumentId, request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> Response[bytes]:
    """The entity tag is the sha256 of the file. One range of bytes can be asked for."""
    found = await backend.read(lambda: backend.service.registry.version_named(document_id))
    etag = etag_of(found.id)
    held = not_modified(request, etag)
    if held is not None:
        return held
    # Read whole, so that its checksum is verified whichever part is sent: damaged bytes are never served.
    data = await backend.read(lambda: backend.service.blobs.get(found.id))
    response = ranged(request, data, PDF, etag)
    response.headers["Content-Disposition"] = f'inline; filename="{found.document_id}.pdf"'
    return response


async def _picture(document_id: str, number: int, request: Request[Any, Any, Any], backend: Backend) -> Response[bytes]:
    service = backend.service
    version, _ = await backend.read(partial(_page, service, document_id, number))
    etag = etag_of(f"{version.id}-{number}")
    response = not_modified(request, etag)
    if response is None:
        drawn = await backend.draw(partial(_drawn, service, version.id, number))
        response = whole(drawn, PNG, etag)
    response.headers["Vary"] = "Accept"
    return response


def _drawn(service: Service, version_id: str, number: int) -> bytes:
    with service.blobs.local(version_id) as file:
        return service.renderer.render(file, number)


def _text(service: Service, document_id: str, number: int) -> PageText:
    version, page = _page(service, document_id, number)
    text = service.blobs.get(version.text_sha256).decode() if version.text_sha256 else ""
    return PageText(
        version.document_id, version.id, page.number, version.page_count, page.state, page.reason, page.start, page.end,
        text[page.start : page.end], page.confidence, tuple(one for one in lines_of(service, version.id) if one.page == number),
    )  # fmt: skip


def lines_of(service: Service, version_id: str) -> list[Line]:
    """The printed lines of a version; none of one from before they were kept."""
    digest = service.registry.lines_of(version_id)
    return [] if digest is None else unpacked(service.blobs.get(digest))


def _page(service: Service, document_id: str, number: int) -> tuple[DocumentVersion, Page]:
    version = service.registry.version_named(document_id)
    for page in service.registry.pages(version.id):
        if page.number == number:
            return version, page
    raise NotFound(f"the document has no such page; it has {version.page_count}, counted from 1")
