"""Pictures and words in, a diagnosis with its evidence out, or the reason why there is none."""

from functools import partial
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import MultipartBody
from litestar.response import ServerSentEvent

from api import examples, fhir_examples
from api.admitting import pictures_of
from api.answers import AsFhir, DiagnosisForm, own_address, wanted
from api.auth import caller_of
from api.backend import Backend
from api.fhir import FHIR_JSON
from api.leaving import unless_left
from api.limits import answer_until
from api.openapi import EVENT_STREAM, events_example, example, in_other_forms, object_example, problems
from api.plain import must_be_plain
from api.telling import told
from inference.types import Abstention, Diagnosis
from runtime.keys import Role


@post(
    "/v1/diagnoses", status_code=200, role=Role.READER, answers=True, operation_id="diagnose",
    summary="Ask for a diagnosis", tags=["answers"],
    responses={
        200: example(
            Diagnosis | Abstention, examples.DIAGNOSIS, "A diagnosis, or an abstention with its reason",
            abstention=examples.ABSTENTION,
        ),
        **problems(400, 413, 415, 422, 502, 503, 504),
    },
    operation_class=in_other_forms(
        "multipart/form-data", {"images": ["(bytes of a JPEG)"], "request": examples.CONSULTATION},
        {EVENT_STREAM: events_example(examples.EVENTS), FHIR_JSON: object_example(fhir_examples.BUNDLE, "A FHIR R4 Bundle")},
    ),
)  # fmt: skip
async def diagnose(
    data: MultipartBody[DiagnosisForm], request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> Response[Any]:
    """Send 1 to 4 pictures as `images` and, as JSON, the words beside them as `request`.

    Declining is an answer: `outcome` is "diagnosis" or "abstention", both with status 200 and with their evidence.
    With `Accept: text/event-stream` the same answer comes in steps: events `evidence` (cases, then passages), `group`,
    `disease`, `report` (words as they are written), `citations`, and at the end `outcome`, or `error` with a problem.
    With `Accept: application/fhir+json` it is a FHIR R4 Bundle; with `"fhir": true` a stream has it before `outcome`.
    Closing the connection ends the work. A reader may set `k` from 1 on, `filters`, `rerank`, `report` and
    `on_engine_failure`; other options, and what is for studies, need a researcher.
    """
    must_be_plain(caller_of(request), data.request)
    pictures = await pictures_of(backend, data.images)
    pipeline = await backend.answer(lambda: backend.service.pipeline)
    consultation, options = data.request.consultation(pictures), data.request.diagnosis_options()
    pipeline.admit(consultation, options)
    form = wanted(request, data.request)
    as_fhir = AsFhir(backend, own_address(request, backend), pictures, data.request.patient) if form.fhir else None
    if form.streamed:
        return ServerSentEvent(told(pipeline.events(consultation, options), as_fhir, answer_until(request)))
    answer = await unless_left(request, partial(pipeline.diagnose, consultation, options))
    return Response(await as_fhir(answer), media_type=FHIR_JSON) if as_fhir else Response(answer)
