"""CDS Hooks 2.0: a records system sends a hook with pictures in its prefetch, and shows the card that comes back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from pydantic import BaseModel, ConfigDict, Field

from api import cds_examples
from api.answers import own_address
from api.backend import Backend
from api.cds_cards import Cards, card_of
from api.cds_reading import carried, consultation_of
from api.fhir import About
from api.leaving import unless_left
from api.openapi import body_example, example, problems
from inference.types import MAX_PICTURES
from runtime.keys import Role

SERVICE = "dermacite"
HOOK = "patient-view"
PREFETCH = {"pictures": f"Media?patient={{{{context.patientId}}}}&type=image&_sort=-_lastUpdated&_count={MAX_PICTURES}"}


@dataclass(frozen=True, slots=True)
class CdsService:
    """One service of the discovery. Its field names are those of CDS Hooks."""

    hook: str
    title: str
    description: str
    id: str
    prefetch: dict[str, str]
    usageRequirements: str  # noqa: N815


@dataclass(frozen=True, slots=True)
class CdsServices:
    """What there is to call."""

    services: tuple[CdsService, ...]


class HookRequest(BaseModel):
    """What a records system sends. Members beyond these, its server and access token among them, are not looked at."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    hook: str = Field(min_length=1, max_length=200, description="Any: the pictures decide, not the occasion.")
    hookInstance: UUID = Field(description="Not looked at.")  # noqa: N815
    context: dict[str, Any] = Field(
        description="Media or DocumentReference resources among its values count as in prefetch."
    )
    prefetch: dict[str, Any] | None = Field(
        None, description="FHIR R4 Media or DocumentReference resources with the pictures inline as base64."
    )


OFFERED = CdsService(
    HOOK,
    "Dermacite: what a skin picture may show, with evidence",
    "Ranked diagnoses of skin pictures in which every statement cites a guideline passage or a reference case, or the "
    "reason why there is none. Research use: decision support for clinicians, not a diagnosis.",
    SERVICE,
    PREFETCH,
    f"1 to {MAX_PICTURES} pictures inline as base64 in the prefetch. The FHIR server is never asked.",
)


@get(
    "/cds-services", role=Role.READER, operation_id="list_cds_services", summary="What there is for CDS Hooks",
    tags=["interoperability"],
    responses={200: example(CdsServices, {"services": [cds_examples.SERVICE]}, "The services"), **problems()},
)  # fmt: skip
async def list_cds_services() -> CdsServices:
    """Discovery, as CDS Hooks 2.0 has it."""
    return CdsServices((OFFERED,))


@post(
    f"/cds-services/{SERVICE}", status_code=200, role=Role.READER, answers=True, operation_id="answer_cds_hook",
    summary="Answer a CDS hook", tags=["interoperability"],
    responses={
        200: example(
            Cards, {"cards": [cds_examples.CARD]}, "One card: the likeliest diagnoses with evidence, or why there are none",
            declined={"cards": [cds_examples.DECLINED]},
        ),
        **problems(400, 412, 413, 422, 502, 503, 504),
    },
    operation_class=body_example("application/json", cds_examples.REQUEST),
)  # fmt: skip
async def answer_cds_hook(
    data: JSONBody[HookRequest], request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> Cards:
    """Send 1 to 4 pictures as FHIR R4 Media or DocumentReference with inline content, in `prefetch` (or `context`).

    `Media.note` is the note, `Media.bodySite` the body site; nothing else is read, and nothing is fetched or stored.
    Declining is a card too. A prefetch without usable pictures is 412; `errors` names each that is not, counted from 1.
    """
    found = carried(data.prefetch, data.context)
    pipeline = await backend.answer(lambda: backend.service.pipeline)
    consultation = await consultation_of(found, backend)
    answer = await unless_left(request, partial(pipeline.diagnose, consultation))
    pictures = tuple(one.sha256 for one in consultation.pictures)
    about = About(datetime.now(UTC), own_address(request, backend), pictures)
    return Cards((await backend.answer(partial(card_of, answer, about)),))
