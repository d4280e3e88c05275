"""The pages on which a curator runs the knowledge base. Each is a frame; its module fetches from the JSON routes."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from api.backend import Backend
from api.documents import FULL_SIZE_PDFS, MAX_FILES
from api.web.shell import page, visitor
from inference.admission import MAX_NOTE
from knowledge.types import Role as RoleOfText
from knowledge.types import Standing
from retrieval.hybrid import Fusion
from runtime.keys import Role

Asked = Request[Any, Any, Any]
Id = Annotated[str, PathParameter()]
Version = Annotated[str, QueryParameter(max_length=200)]

# The parts of the knowledge base, and the lowest role that may see each.
_PARTS: Final = (
    ("Documents", "/knowledge", Role.READER),
    ("Upload", "/knowledge/upload", Role.CURATOR),
    ("Search test", "/knowledge/search", Role.READER),
    ("Datasets", "/knowledge/datasets", Role.RESEARCHER),
    ("Coverage", "/knowledge/coverage", Role.RESEARCHER),
    ("Jobs", "/knowledge/jobs", Role.CURATOR),
    ("Audit", "/knowledge/audit", Role.CURATOR),
)


def _framed(request: Asked, name: str, template: str | None = None, **given: object) -> Response[str]:
    """The frame of the module `knowledge-NAME.js`; it finds `given` in the `data-` attributes of <main>."""
    return page(request, f"knowledge-{template or name}", **_frame(request, name), given=given)


def _frame(request: Asked, name: str) -> dict[str, Any]:
    """What every frame needs: the parts that the visitor may see, which of them this is, and the module."""
    role = Role(visitor(request).role)
    parts = [(part, address) for part, address, needed in _PARTS if role.may(needed)]
    # What belongs to a guideline is below its list.
    own = next((address for _, address in parts[1:] if request.url.path.startswith(address)), _PARTS[0][1])
    return {"parts": parts, "part": own, "module": f"knowledge-{name}.js"}


@get("/knowledge", role=Role.READER, page=True, include_in_schema=False)
async def show_documents(request: Asked) -> Response[str]:
    """Every guideline."""
    return _framed(request, "documents")


@get("/knowledge/upload", role=Role.CURATOR, page=True, include_in_schema=False)
async def show_upload(request: Asked, backend: NamedDependency[Backend]) -> Response[str]:
    """Guidelines in; what is too large is said before it is sent."""
    largest = backend.service.settings.pdf_megabytes
    return _framed(request, "upload", files=MAX_FILES, megabytes=largest, together=FULL_SIZE_PDFS * largest)


@get("/knowledge/documents/{document_id:str}", role=Role.READER, page=True, include_in_schema=False)
async def show_document(request: Asked, document_id: Id) -> Response[str]:
    """One guideline with its versions."""
    return _framed(request, "document", document=document_id)


@get("/knowledge/versions/{version_id:str}", role=Role.READER, page=True, include_in_schema=False)
async def show_pages(request: Asked, version_id: Id) -> Response[str]:
    """The pages of one version, with its passages laid over."""
    return _framed(request, "pages", version=version_id)


@get("/knowledge/compare", role=Role.CURATOR, page=True, include_in_schema=False)
async def show_difference(request: Asked, before: Version, after: Version) -> Response[str]:
    """What changed between two versions."""
    return _framed(request, "compare", before=before, after=after)


@get("/knowledge/search", role=Role.READER, page=True, include_in_schema=False)
async def show_search(request: Asked, backend: NamedDependency[Backend]) -> Response[str]:
    """What a search finds, and why."""
    has_reranker = backend.service.settings.reranker is not None
    return page(
        request, "knowledge-search", **_frame(request, "search"), given={}, max_text=MAX_NOTE, reranker=has_reranker,
        fusions=tuple(Fusion), roles=tuple(RoleOfText), standings=tuple(Standing),
    )  # fmt: skip


@get("/knowledge/datasets", role=Role.RESEARCHER, page=True, include_in_schema=False)
async def show_datasets(request: Asked) -> Response[str]:
    """Every dataset."""
    return _framed(request, "datasets")


@get("/knowledge/datasets/{name:str}", role=Role.RESEARCHER, page=True, include_in_schema=False)
async def show_dataset(request: Asked, name: Id) -> Response[str]:
    """The report on one."""
    return _framed(request, "datasets", dataset=name)


@get("/knowledge/coverage", role=Role.RESEARCHER, page=True, include_in_schema=False)
async def show_coverage(request: Asked) -> Response[str]:
    """Labels without a guideline."""
    return _framed(request, "coverage")


@get("/knowledge/jobs", role=Role.CURATOR, page=True, include_in_schema=False)
async def show_jobs(request: Asked) -> Response[str]:
    """What was taken in."""
    return _framed(request, "jobs")


@get("/knowledge/jobs/{job_id:str}", role=Role.CURATOR, page=True, include_in_schema=False)
async def show_job(request: Asked, job_id: Id) -> Response[str]:
    """One job as it goes on."""
    return _framed(request, "jobs", "job", job=job_id)


@get("/knowledge/audit", role=Role.CURATOR, page=True, include_in_schema=False)
async def show_audit(request: Asked) -> Response[str]:
    """Who did what."""
    return _framed(request, "audit")


PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    show_documents, show_upload, show_document, show_pages, show_difference, show_search, show_datasets, show_dataset,
    show_coverage, show_jobs, show_job, show_audit,
)  # fmt: skip
