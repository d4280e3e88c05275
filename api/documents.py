"""Guidelines in, listed, opened and out again."""

from dataclasses import replace
from functools import partial
from typing import Annotated

from litestar import Response, delete, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import MultipartBody, PathParameter, QueryParameter

from api import examples, job_examples
from api.actors import Actor, curator
from api.backend import Backend
from api.errors import DocumentsRefused, UploadRefused
from api.openapi import body_example, example, problems
from api.replies import DocumentDetail, DocumentList, Ingested
from api.schemas import DocumentsForm
from knowledge.registry.jobs import Job
from knowledge.types import FileOutcome, Outcome
from runtime.deletion import Receipt
from runtime.jobs import JobRunner, Upload
from runtime.keys import Role
from runtime.service import Service

MAX_FILES = 20
FULL_SIZE_PDFS = 4  # of the largest size in one upload; more of them go one by one
MAX_NAME = 200  # characters of a file's name that are given back

DocumentId = Annotated[
    str, PathParameter(description="Id of a document.", examples=[Example(value=examples.DOCUMENT_ID)])
]

Background = Annotated[
    bool,
    QueryParameter(
        description="True: answer at once with a job that goes on, and survives a crash.",
        examples=[Example(value=True)],
    ),
]


def shown_name(file: UploadFile, number: int) -> str:
    """The caller's name for a file, made harmless: no folders, printable, at most MAX_NAME characters."""
    name = file.filename.replace("\\", "/").rpartition("/")[2]
    printable = "".join(sign for sign in name if sign.isprintable()).strip()[:MAX_NAME]
    return printable or f"file {number}"


@post(
    "/v1/documents", role=Role.CURATOR, operation_id="add_documents", summary="Take guidelines in", tags=["documents"],
    responses={
        201: example(Ingested, {"outcomes": [examples.OUTCOME, examples.REFUSED_OUTCOME]}, "At least one was added"),
        200: example(Ingested, {"outcomes": [{**examples.OUTCOME, "state": "unchanged"}]}, "All were there already"),
        202: example(Job, job_examples.JOB, "Accepted with `background`; `Location` names the job"),
        **problems(400, 404, 413, 422, 503),
    },
    operation_class=body_example(
        "multipart/form-data", {"files": ["(bytes of a PDF)"], "source": examples.SOURCE}
    ),
)  # fmt: skip
async def add_documents(
    data: MultipartBody[DocumentsForm], backend: NamedDependency[Backend], actor: Actor,
    background: Background = False,
) -> Response[Ingested | Job]:  # fmt: skip
    """Send 1 to 20 PDFs as `files`; `source`, as JSON, and `document` may go with a single one. One outcome per file, in order.

    Each document is searchable when it is reported. Sending the same bytes again changes nothing. New bytes with the id of
    a `document`, or with the title and publisher of one, are its next version and take the place of the one in force; with
    `draft`, or where the setting `approval` says so, once they are approved.
    """
    if not 1 <= len(data.files) <= MAX_FILES:
        raise UploadRefused(f"send 1 to {MAX_FILES} files, not {len(data.files)}")
    if (data.source is not None or data.document) and len(data.files) > 1:
        raise UploadRefused("a source or a document is about one file; send that file alone")
    source = None if data.source is None else data.source.source()
    uploads = [
        Upload(shown_name(file, number), file.file.read, source) for number, file in enumerate(data.files, start=1)
    ]
    writer = curator(backend, actor)
    intent = partial(writer.intent, document_id=data.document or None, draft=data.draft)
    if background:
        job = await backend.write(lambda: JobRunner(writer).accept_documents(uploads, intent()))
        backend.worker.wake()
        return Response(job, status_code=202, headers={"Location": f"/v1/jobs/{job.id}"})
    outcomes = await backend.write(
        lambda: writer.ingest_documents(uploads, document_id=data.document or None, draft=data.draft)
    )
    if all(one.state is Outcome.REFUSED for one in outcomes):
        raise DocumentsRefused(outcomes)
    told = tuple(_with_source_told(one) for one in outcomes) if source else tuple(outcomes)
    changed = any(one.state in {Outcome.ADDED, Outcome.REPLACED} for one in outcomes)
    return Response(Ingested(told), status_code=201 if changed else 200)


def _with_source_told(outcome: FileOutcome) -> FileOutcome:
    if outcome.state is not Outcome.UNCHANGED:
        return outcome
    return replace(outcome, warnings=(*outcome.warnings, "the document was there already; its source was not changed"))


@get(
    "/v1/documents", role=Role.READER, operation_id="list_documents", summary="List the guidelines", tags=["documents"],
    responses={200: example(DocumentList, {"documents": [examples.DOCUMENT]}), **problems(503)},
)  # fmt: skip
async def list_documents(backend: NamedDependency[Backend]) -> DocumentList:
    """Every guideline with its source and version, by title, then id."""
    return DocumentList(await backend.read(lambda: backend.service.registry.documents()))


@get(
    "/v1/documents/{document_id:str}", role=Role.READER, operation_id="get_document",
    summary="Open a guideline", tags=["documents"],
    responses={200: example(DocumentDetail, examples.DOCUMENT_DETAIL), **problems(400, 404, 503)},
)  # fmt: skip
async def get_document(document_id: DocumentId, backend: NamedDependency[Backend]) -> DocumentDetail:
    """By the id of the document: its version in force, else the newest. By that of a version: that one. And all of them."""
    return await backend.read(partial(_detail, backend.service, document_id))


def _detail(service: Service, document_id: str) -> DocumentDetail:
    document = service.registry.document(document_id)
    versions = service.registry.versions(document_id)
    shown = next((one for one in versions if one.id == document_id), document.version)
    return DocumentDetail(document.id, shown.source, shown, service.registry.pages(shown.id), versions)


@delete(
    "/v1/documents/{document_id:str}", status_code=200, role=Role.CURATOR, operation_id="delete_document",
    summary="Delete a guideline",
    tags=["documents"], responses={200: example(Receipt, examples.RECEIPT), **problems(400, 404, 503)},
)  # fmt: skip
async def delete_document(document_id: DocumentId, backend: NamedDependency[Backend], actor: Actor) -> Receipt:
    """All versions: invisible at once, then gone from wherever they were; the receipt says where that was looked for."""
    return await backend.write(lambda: curator(backend, actor).delete_document(document_id))
