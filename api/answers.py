"""The forms in which an answer can be had: JSON, events, and FHIR; and what a caller must say for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from litestar import Request
from litestar.datastructures import UploadFile
from pydantic import Field

from api.backend import Backend
from api.fhir import FHIR_JSON, About, bundle_of
from api.openapi import EVENT_STREAM
from api.schemas import DiagnosisRequest
from inference.errors import ConsultationRefused
from inference.types import Answer
from knowledge.pictures import Picture

_PATIENT = r"^(https?://[^\s?#]{1,300}/)?Patient/[A-Za-z0-9\-.]{1,64}(/_history/[A-Za-z0-9\-.]{1,64})?$|^urn:uuid:[0-9a-f-]{36}$"


class AnswerRequest(DiagnosisRequest):
    """The words beside the pictures, and how the answer is to be handed on. Nothing of it is stored or logged."""

    fhir: bool = Field(
        False, strict=True,
        description="True: a stream also has an event `fhir`, the answer as a FHIR R4 Bundle, before `outcome`.",
    )  # fmt: skip
    patient: str | None = Field(
        None, pattern=_PATIENT,
        description="For FHIR: the reference that becomes the subject, such as Patient/123. Without it there is none.",
    )  # fmt: skip


@dataclass
class DiagnosisForm:
    """1 to 4 pictures (JPEG, PNG or WebP) and the words beside them."""

    images: list[UploadFile]
    request: AnswerRequest = field(default_factory=AnswerRequest)


@dataclass(frozen=True, slots=True)
class Wanted:
    """In which form a caller wants an answer."""

    streamed: bool
    fhir: bool


def wanted(request: Request[Any, Any, Any], asked: AnswerRequest) -> Wanted:
    """What the headers and the request say together. Raises ConsultationRefused for a word that would have no effect."""
    accept = request.headers.get("accept", "")
    streamed, alone = EVENT_STREAM in accept, FHIR_JSON in accept
    if asked.fhir and not streamed and not alone:
        raise ConsultationRefused(
            f"`fhir` adds an event to a stream (Accept: {EVENT_STREAM}); for the Bundle alone send Accept: {FHIR_JSON}"
        )
    if asked.patient is not None and not (asked.fhir or alone):
        raise ConsultationRefused(
            f"`patient` is only named in FHIR; send Accept: {FHIR_JSON}, or `fhir` with a stream, or leave it out"
        )
    return Wanted(streamed, asked.fhir or alone)


def own_address(request: Request[Any, Any, Any], backend: Backend) -> str:
    """The address of this service: what the settings say, else that under which the caller reached it.

    The guard has checked the name that the caller used.
    """
    return backend.service.settings.public_url or f"{request.url.scheme}://{request.headers['host']}"


@dataclass(frozen=True, slots=True)
class AsFhir:
    """Makes the Bundle of the answer to one request."""

    backend: Backend
    base: str
    pictures: Sequence[Picture]
    patient: str | None

    async def __call__(self, answer: Answer) -> dict[str, Any]:
        """The Bundle, made in a thread: it takes its time."""
        pictures = tuple(one.sha256 for one in self.pictures)
        about = About(datetime.now(UTC), self.base, pictures, self.patient)
        return await self.backend.answer(partial(bundle_of, answer, about))
