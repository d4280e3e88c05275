"""Who did what to what, and when."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from api import examples
from api.backend import Backend
from api.openapi import example, problems
from api.schemas import AuditList
from runtime.keys import Role

Item = Annotated[
    str | None,
    QueryParameter(
        max_length=100,
        description="Only of this version, document, data set or job.",
        examples=[Example(value=examples.VERSION_ID)],
    ),
]
After = Annotated[
    int, QueryParameter(ge=0, description="Only entries above this number.", examples=[Example(value=16)])
]
Limit = Annotated[int, QueryParameter(ge=1, le=10_000, description="At most so many.", examples=[Example(value=100)])]


@get(
    "/v1/audit", role=Role.CURATOR, operation_id="list_audit", summary="Read the audit log", tags=["audit"],
    responses={200: example(AuditList, {"entries": [examples.AUDIT_ENTRY]}), **problems(400, 503)},
)  # fmt: skip
async def list_audit(
    backend: NamedDependency[Backend], item: Item = None, after: After = 0, limit: Limit = 1_000
) -> AuditList:
    """The earliest first; never what anything says."""
    entries = await backend.read(lambda: backend.service.registry.audit.entries(item, after=after, limit=limit))
    return AuditList(tuple(entries))
