"""Jobs: what was accepted, how far it is, what became of each file and page."""

from collections.abc import AsyncGenerator
from dataclasses import fields
from functools import partial
from typing import Annotated, Any

import anyio
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import PathParameter, QueryParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from litestar.serialization import encode_json

from api import job_examples
from api.actors import Actor
from api.backend import Backend
from api.openapi import EVENT_STREAM, example, problems, text
from api.replies import JobList
from knowledge.registry.jobs import ENDS, Job, JobItem, JobState
from runtime.keys import Role

LOOK_S = 0.25  # between two looks at a job that is followed

JobId = Annotated[str, PathParameter(description="Id of a job.", examples=[Example(value=job_examples.JOB_ID)])]
State = Annotated[
    JobState | None,
    QueryParameter(name="state", description="Only jobs in this state.", examples=[Example(value="running")]),
]
Limit = Annotated[int, QueryParameter(ge=1, le=1_000, description="At most so many.", examples=[Example(value=20)])]


@get(
    "/v1/jobs", role=Role.CURATOR, operation_id="list_jobs", summary="List jobs", tags=["jobs"],
    responses={200: example(JobList, {"jobs": [job_examples.JOB]}), **problems(400, 503)},
)  # fmt: skip
async def list_jobs(backend: NamedDependency[Backend], in_state: State = None, limit: Limit = 100) -> JobList:
    """The newest first."""
    states = (in_state,) if in_state else tuple(JobState)
    return JobList(tuple(await backend.read(lambda: backend.service.registry.jobs.jobs(states, limit))))


@get(
    "/v1/jobs/{job_id:str}", role=Role.CURATOR, operation_id="get_job", summary="Look at a job", tags=["jobs"],
    responses={200: example(Job, job_examples.JOB), **problems(400, 404, 503)},
)  # fmt: skip
async def get_job(job_id: JobId, backend: NamedDependency[Backend]) -> Job:
    """How far it is, and what became of each file and of each page without text."""
    return await backend.read(lambda: backend.service.registry.jobs.job(job_id))


@get(
    "/v1/jobs/{job_id:str}/events", role=Role.CURATOR, operation_id="follow_job", summary="Follow a job", tags=["jobs"],
    media_type=EVENT_STREAM,
    responses={200: text(EVENT_STREAM, "Server-sent events", job_examples.JOB_EVENTS), **problems(400, 404, 503)},
)  # fmt: skip
async def follow_job(job_id: JobId, backend: NamedDependency[Backend]) -> Response[Any]:
    """Server-sent events: `job` when its state changes, `item` when a file moves on, and last `end` with all of it.

    Leaving does not end the job; whoever comes back gets what is, then what comes.
    """
    first = await backend.read(lambda: backend.service.registry.jobs.job(job_id))
    return ServerSentEvent(_events(backend, first))


async def _events(backend: Backend, job: Job) -> AsyncGenerator[ServerSentEventMessage, None]:
    known: dict[int, JobItem] = {}
    state: JobState | None = None
    while True:
        if job.state is not state:
            state = job.state
            yield _message("job", {one.name: getattr(job, one.name) for one in fields(job) if one.name != "items"})
        for item in job.items:
            if known.get(item.number) != item:
                known[item.number] = item
                yield _message("item", item)
        if job.state in ENDS:
            yield _message("end", job)
            return
        await anyio.sleep(LOOK_S)
        job = await backend.read(partial(backend.service.registry.jobs.job, job.id))


def _message(name: str, data: object) -> ServerSentEventMessage:
    return ServerSentEventMessage(event=name, data=encode_json(data).decode())


@post(
    "/v1/jobs/{job_id:str}/cancel", status_code=200, role=Role.CURATOR, operation_id="cancel_job",
    summary="Cancel a job", tags=["jobs"],
    responses={200: example(Job, {**job_examples.JOB, "cancelled": True}), **problems(400, 404, 409, 503)},
)  # fmt: skip
async def cancel_job(job_id: JobId, backend: NamedDependency[Backend], actor: Actor) -> Job:
    """It ends after the file at hand; what is in stays in."""
    return await backend.read(lambda: backend.service.registry.jobs.cancel(job_id, actor))


@post(
    "/v1/jobs/{job_id:str}/retry", status_code=202, role=Role.CURATOR, operation_id="retry_job",
    summary="Try a job again", tags=["jobs"],
    responses={202: example(Job, {**job_examples.JOB, "state": "queued"}), **problems(400, 404, 409, 503)},
)  # fmt: skip
async def retry_job(job_id: JobId, backend: NamedDependency[Backend], actor: Actor) -> Job:
    """The files of a failed or cancelled job that are not in."""
    job = await backend.read(lambda: backend.service.registry.jobs.retry(job_id, actor))
    backend.worker.wake()
    return job
