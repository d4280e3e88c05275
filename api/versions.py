"""Versions of guidelines: approve, retire, describe, compare, delete, and read what was understood of them."""

from functools import partial
from typing import Annotated

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import JSONBody, PathParameter, QueryParameter

from api import examples
from api.actors import Actor, curator
from api.backend import Backend
from api.openapi import body_example, example, problems
from api.pages import lines_of
from api.replies import PassageList, PlaceList
from api.schemas import SourceRequest
from knowledge.places import places_of
from knowledge.types import DocumentVersion
from runtime.changes import Difference, difference
from runtime.deletion import Receipt
from runtime.keys import Role
from runtime.service import Service

VersionId = Annotated[
    str,
    PathParameter(
        description="Id of a version: the sha256 of its file.", examples=[Example(value=examples.VERSION_ID)]
    ),
]
OtherVersion = Annotated[
    str,
    QueryParameter(
        description="Id of the version to compare with.", examples=[Example(value=examples.OTHER_VERSION_ID)]
    ),
]
Start = Annotated[int, QueryParameter(ge=0, description="First character.", examples=[Example(value=4120)])]
End = Annotated[int, QueryParameter(ge=0, description="Behind the last character.", examples=[Example(value=4187)])]

_VERSION = example(DocumentVersion, examples.VERSION, "The version as it is now")


@post(
    "/v1/versions/{version_id:str}/approve", status_code=200, role=Role.CURATOR, operation_id="approve_version",
    summary="Put a version in force", tags=["versions"], responses={200: _VERSION, **problems(400, 404, 409, 503)},
)  # fmt: skip
async def approve_version(version_id: VersionId, backend: NamedDependency[Backend], actor: Actor) -> DocumentVersion:
    """A draft, or one that was superseded or retired. The version in force is superseded in the same step."""
    return await backend.write(lambda: curator(backend, actor).approve(version_id))


@post(
    "/v1/versions/{version_id:str}/retire", status_code=200, role=Role.CURATOR, operation_id="retire_version",
    summary="Take a version out of use", tags=["versions"],
    responses={200: example(DocumentVersion, {**examples.VERSION, "state": "retired"}), **problems(400, 404, 409, 503)},
)  # fmt: skip
async def retire_version(version_id: VersionId, backend: NamedDependency[Backend], actor: Actor) -> DocumentVersion:
    """It is found no more unless asked for by its standing, and can still be opened."""
    return await backend.write(lambda: curator(backend, actor).retire(version_id))


@put(
    "/v1/versions/{version_id:str}/source", role=Role.CURATOR, operation_id="describe_version",
    summary="Correct a version's source",
    tags=["versions"], responses={200: _VERSION, **problems(400, 404, 503)},
    operation_class=body_example("application/json", examples.SOURCE),
)  # fmt: skip
async def describe_version(
    version_id: VersionId, data: JSONBody[SourceRequest], backend: NamedDependency[Backend], actor: Actor
) -> DocumentVersion:
    """All of it anew: what is left out is unknown."""
    return await backend.write(lambda: curator(backend, actor).describe(version_id, data.source()))


@delete(
    "/v1/versions/{version_id:str}", status_code=200, role=Role.CURATOR, operation_id="delete_version",
    summary="Delete a version",
    tags=["versions"], responses={200: example(Receipt, examples.RECEIPT), **problems(400, 404, 503)},
)  # fmt: skip
async def delete_version(version_id: VersionId, backend: NamedDependency[Backend], actor: Actor) -> Receipt:
    """Its document goes with the last one. The receipt says where its absence was looked for."""
    return await backend.write(lambda: curator(backend, actor).delete_version(version_id))


@get(
    "/v1/versions/{version_id:str}/passages", role=Role.READER, operation_id="list_passages",
    summary="Read what was understood",
    tags=["versions"],
    responses={200: example(PassageList, {"passages": [examples.PASSAGE]}), **problems(400, 404, 503)},
)  # fmt: skip
async def list_passages(version_id: VersionId, backend: NamedDependency[Backend]) -> PassageList:
    """Every passage with its pages, section and span, whatever the state of the version."""
    return await backend.read(partial(_passages, backend.service, version_id))


def _passages(service: Service, version_id: str) -> PassageList:
    return PassageList(tuple(service.registry.passages_of(service.registry.version(version_id).id)))


@get(
    "/v1/versions/{version_id:str}/difference", role=Role.CURATOR, operation_id="compare_versions",
    summary="Compare two versions",
    tags=["versions"], responses={200: example(Difference, examples.DIFFERENCE), **problems(400, 404, 503)},
)  # fmt: skip
async def compare_versions(version_id: VersionId, to: OtherVersion, backend: NamedDependency[Backend]) -> Difference:
    """Passages added, removed and changed, with the numbers that changed, and past answers that used what changed."""
    kept = backend.service.settings.keep_answers
    return await backend.read(lambda: difference(backend.service.registry, version_id, to, answers_kept=kept))


@get(
    "/v1/versions/{version_id:str}/places", role=Role.READER, operation_id="find_places",
    summary="Find text on its pages",
    tags=["versions"], responses={200: example(PlaceList, {"places": [examples.PLACE]}), **problems(400, 404, 503)},
)  # fmt: skip
async def find_places(version_id: VersionId, start: Start, end: End, backend: NamedDependency[Backend]) -> PlaceList:
    """The rectangles of a span of the version's text, such as a citation's: to be laid over the picture of the page."""
    lines = await backend.read(partial(lines_of, backend.service, version_id))
    return PlaceList(tuple(places_of(lines, start, end)))
