"""Who did what to what, and when."""

from functools import partial
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from api import examples, job_examples
from api.backend import Backend
from api.openapi import example, problems
from api.replies import AuditList
from runtime.keys import Role

LAST = 2**53  # numbers that a database and a browser can hold

Item = Annotated[
    str | None,
    QueryParameter(
        max_length=100,
        description="Only of this version, document, data set or job.",
        examples=[Example(value=examples.VERSION_ID)],
    ),
]
After = Annotated[
    int, QueryParameter(ge=0, le=LAST, description="Only entries above this number.", examples=[Example(value=16)])
]
Before = Annotated[
    int | None,
    QueryParameter(ge=1, le=LAST, description="Only entries below this number.", examples=[Example(value=40)]),
]
By = Annotated[
    str | None,
    QueryParameter(
        name="actor", max_length=100, description="Only what this one did.", examples=[Example(value="dr.lind")]
    ),
]
Action = Annotated[
    str | None,
    QueryParameter(max_length=40, description="Only deeds of this kind.", examples=[Example(value="approve")]),
]
NewestFirst = Annotated[bool, QueryParameter(description="True: the newest first.", examples=[Example(value=True)])]
Limit = Annotated[int, QueryParameter(ge=1, le=10_000, description="At most so many.", examples=[Example(value=100)])]


@get(
    "/v1/audit", role=Role.CURATOR, operation_id="list_audit", summary="Read the audit log", tags=["audit"],
    responses={200: example(AuditList, {"entries": [job_examples.AUDIT_ENTRY]}), **problems(400, 503)},
)  # fmt: skip
async def list_audit(
    backend: NamedDependency[Backend], item: Item = None, by: By = None, action: Action = None, after: After = 0,
    before: Before = None, newest_first: NewestFirst = False, limit: Limit = 1_000,
) -> AuditList:  # fmt: skip
    """The earliest first unless asked otherwise; never what anything says."""
    log = backend.service.registry.audit
    wanted = partial(
        log.entries, item, actor=by, action=action, after=after, before=before, newest_first=newest_first, limit=limit
    )
    return AuditList(tuple(await backend.read(wanted)))
