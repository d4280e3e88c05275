"""What an answer depends on: the same consultation again without each piece of its evidence."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import MultipartBody
from pydantic import Field

from api import counterfactual_examples, examples
from api.admitting import pictures_of
from api.backend import Backend
from api.leaving import unless_left
from api.openapi import body_example, example, problems
from api.schemas import DiagnosisRequest, JsonText
from inference import counterfactual
from inference.counterfactual import MOST_ITEMS, MOST_SHUFFLES, CounterfactualOptions, Counterfactuals
from runtime.keys import Role

_DEFAULT = CounterfactualOptions()


class CounterfactualOptionsRequest(JsonText):
    """How often the consultation is asked again; each run costs as much as a diagnosis."""

    items: int = Field(
        _DEFAULT.items, ge=1, le=MOST_ITEMS, strict=True,
        description="Pieces of evidence that are taken away in turn, at most; those that a statement cites come first.",
    )  # fmt: skip
    shuffles: int = Field(
        _DEFAULT.shuffles, ge=0, le=MOST_SHUFFLES, strict=True,
        description="Runs in which every reference case has a label that is not its own.",
    )  # fmt: skip


class CounterfactualRequest(DiagnosisRequest):
    """The words beside the pictures, as for a diagnosis, and how often it is asked again."""

    counterfactual: CounterfactualOptionsRequest = Field(default_factory=CounterfactualOptionsRequest)

    def asked(self) -> CounterfactualOptions:
        """As the layer below takes it."""
        return CounterfactualOptions(**self.counterfactual.model_dump())


@dataclass
class CounterfactualForm:
    """1 to 4 pictures (JPEG, PNG or WebP) and the words beside them."""

    images: list[UploadFile]
    request: CounterfactualRequest = field(default_factory=CounterfactualRequest)


@post(
    "/v1/diagnoses/counterfactual", status_code=200, role=Role.RESEARCHER, answers=True,
    operation_id="diagnose_counterfactually",
    summary="Ask what a diagnosis depends on", tags=["answers"],
    responses={
        200: example(
            Counterfactuals, counterfactual_examples.COUNTERFACTUALS, "The answer, and what became of it in every run"
        ),
        **problems(400, 413, 415, 422, 502, 503, 504),
    },
    operation_class=body_example(
        "multipart/form-data",
        {"images": ["(bytes of a JPEG)"], "request": {**examples.CONSULTATION, "counterfactual": {"items": 12, "shuffles": 3}}},
    ),
)  # fmt: skip
async def diagnose_counterfactually(
    data: MultipartBody[CounterfactualForm], request: Request[Any, Any, Any], backend: NamedDependency[Backend]
) -> Response[Any]:
    """Send what `POST /v1/diagnoses` takes. The answer comes with what it depends on.

    It is asked again without each piece of its evidence, without all that is cited, with labels that are wrong, and once
    with nothing changed. `depends_on` lists the evidence without which outcome, first label or its probability is another,
    `cited_not_used` what a statement cites and the answer does not need, `used_not_cited` the reverse. At most 73 runs;
    how many is set by `counterfactual`. A failing model is an error: `on_engine_failure` is refused here.
    Closing the connection ends the work.
    """
    pictures = await pictures_of(backend, data.images)
    pipeline = await backend.answer(lambda: backend.service.pipeline)
    consultation, options = data.request.consultation(pictures), data.request.diagnosis_options()
    work = partial(counterfactual.counterfactuals, pipeline, consultation, options, data.request.asked())
    return Response(await unless_left(request, work))
