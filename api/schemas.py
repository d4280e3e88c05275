"""What callers send.

Unknown fields are refused: a misspelt option that is silently ignored would change an experiment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal

from litestar.datastructures import UploadFile
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from inference.admission import MAX_NOTE, MAX_SEED
from inference.lookup import SearchOptions
from inference.profiles import Layout
from inference.types import Consultation, DiagnosisOptions, EngineFailure, GroupUse, ReportMode
from knowledge.pictures import Picture
from knowledge.types import Source
from retrieval.filters import DATES, Filters
from retrieval.hybrid import Fusion


def _iso_date(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a calendar date like 2024-01-31") from None
    return text


_ANY_JSON: TypeAdapter[Any] = TypeAdapter(Any)  # unlike `json`, refuses what is nested too deep instead of overflowing

Id = Annotated[str, Field(min_length=1, max_length=200)]
IsoDate = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_iso_date)]
ShortText = Annotated[str, Field(min_length=1, max_length=500)]
_FILTERS = "Only evidence for which all of this holds."
_STRATEGY = (
    "A: captions are compared with the picture (encoders that share a space); B: with the words. Else as configured."
)
_FUSION = "How meaning and words become one ranking of passages; else adaptive."
_RERANK = "True: the configured reranker reads the best hits again and orders them anew."


class JsonText(BaseModel):
    """A model that is also read from JSON text, which is how a form carries it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return _ANY_JSON.validate_json(value)
        except ValueError:
            raise ValueError("must be JSON text") from None


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[tuple[ShortText, ...], BeforeValidator(_several), Field(max_length=50)]


class FiltersRequest(JsonText):
    """Only evidence for which all of this holds; of several values of one filter any may, and one may stand without a list.

    Each filter restricts only what has the property: passages have no label, cases no jurisdiction.
    """

    source: Names = Field((), description="Passages: title or publisher of the document.")
    jurisdiction: Names = Field((), description="Passages: where the document applies.")
    language: Names = Field((), description="Passages: language of the document; `pt` finds `pt-BR` too.")
    document: Names = Field((), description="Passages: id of the document.")
    grade: Names = Field((), description="Passages: strength of the document's evidence, as its publisher grades it.")
    role: Names = Field(
        (),
        description="Passages: `body`, `table`, `caption`, `footnote`, `references`. Without it, all but references.",
    )
    standing: Names = Field(
        (), description="Passages: `in_force` (without it, only these), `expired`, `superseded`, `retired`."
    )
    effective_from: IsoDate | None = Field(
        None, description="Passages: of documents that took effect on this day or later."
    )
    effective_to: IsoDate | None = Field(
        None, description="Passages: of documents that took effect on this day or earlier, so those in force on it."
    )
    dataset: Names = Field((), description="Cases: data set or declared source.")
    label: Names = Field((), description="Cases: diagnosis.")
    skin_tone: Names = Field((), description="Cases: as the data set writes it.")
    split: Names = Field((), description="Cases: as the data set writes it.")
    licence: Names = Field((), description="Passages and cases.")

    def filters(self) -> Filters:
        """As retrieval takes them."""
        dates = {name: day and date.fromisoformat(day) for name in DATES for day in [getattr(self, name)]}
        return Filters(**{**self.model_dump(), **dates})


class OptionsRequest(JsonText):
    """What a caller may switch; what is left out is as the service is configured."""

    k: int | None = Field(None, ge=0, le=20, strict=True, description="Reference cases shown as evidence.")
    alpha: float | None = Field(
        None, ge=0, le=1, strict=True, description="Share of the picture against the note in case retrieval."
    )
    strategy: Literal["A", "B"] | None = Field(None, description=_STRATEGY)
    fusion: Fusion | None = Field(None, description=_FUSION)
    rerank: bool = Field(False, strict=True, description=_RERANK)
    cases: bool = Field(True, strict=True, description="False: no reference cases, hence an abstention.")
    passages: bool = Field(True, strict=True, description="False: no guideline passages.")
    leak_guard: bool = Field(
        True, strict=True, description="False: also find the very same picture or lesion; marks the answer."
    )
    references: int | None = Field(
        None, ge=0, le=20, strict=True, description="Reference cases shown to the stage 2 model, up to its image limit."
    )
    layout: Layout | None = Field(None, description="How they stand in its message.")
    prompt: str | None = Field(None, max_length=40, description="Stage 2's prompt, by name: T1 to T3, P0 to P3g.")
    captions: Literal["shown", "masked"] = Field("shown", description="masked: without the diagnosis they state.")
    group: GroupUse = Field(GroupUse.IGNORED, description="What becomes of stage 1's group.")
    constrain: bool | None = Field(
        None, strict=True, description="Whether the server holds stage 2 to its labels; false: its text is parsed."
    )
    report: ReportMode | None = Field(None, description="Who writes about the picture; quotes stand in every report.")
    on_engine_failure: EngineFailure | None = Field(
        None, description="When a served model fails: abstain, or let the reference cases answer. Else it is an error."
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, strict=True, description="For models that sample.")
    leak_report: bool = Field(
        False, strict=True, description="True: the trace lists which reference cases were kept back, and why."
    )
    filters: FiltersRequest = Field(default_factory=FiltersRequest, description=_FILTERS)


class DiagnosisRequest(JsonText):
    """The words beside the pictures. Nothing of it is stored or logged."""

    note: str = Field("", max_length=MAX_NOTE, description="What is seen and known, in the clinician's words.")
    age: int | None = Field(None, ge=0, le=130, strict=True, description="Years.")
    sex: Literal["female", "male", "other", "unknown"] | None = None
    body_site: ShortText | None = Field(None, description="Where on the body.")
    lesion: Id | None = Field(None, description="For studies: reference cases of this lesion are kept back.")
    subject: Id | None = Field(None, description="For studies: reference cases of this subject are kept back.")
    source: ShortText | None = Field(
        None, description="For studies: address, file name or id of the original; cases from it are kept back."
    )
    options: OptionsRequest = Field(default_factory=OptionsRequest)

    def consultation(self, pictures: Sequence[Picture]) -> Consultation:
        """The consultation of these words and admitted pictures."""
        return Consultation(
            tuple(pictures), self.note, self.age, self.sex, self.body_site, self.lesion, self.subject, self.source
        )

    def diagnosis_options(self) -> DiagnosisOptions:
        """What was switched."""
        return DiagnosisOptions(**{**self.options.model_dump(), "filters": self.options.filters.filters()})


class _SearchRequest(JsonText):
    k: int = Field(5, ge=1, le=50, strict=True, description="Results of each kind.")
    filters: FiltersRequest = Field(default_factory=FiltersRequest, description=_FILTERS)
    fusion: Fusion | None = Field(None, description=_FUSION)
    rerank: bool = Field(False, strict=True, description=_RERANK)

    def options(self) -> SearchOptions:
        """As the search takes them."""
        given = self.model_dump(exclude={"text", "filters"})
        return SearchOptions(**given, filters=self.filters.filters())


class SearchRequest(_SearchRequest):
    """Words to search for. Passages and captions are searched by meaning and by word."""

    text: str = Field(min_length=1, max_length=MAX_NOTE, pattern=r"\S")


class PictureSearchRequest(_SearchRequest):
    """Words beside a picture; they may be left out."""

    text: str = Field("", max_length=MAX_NOTE)
    alpha: float | None = Field(None, ge=0, le=1, strict=True, description="Share of the picture against the words.")
    strategy: Literal["A", "B"] | None = Field(None, description=_STRATEGY)
    hard_negatives: bool = Field(
        False, strict=True, description="True: only cases that look alike and are something else."
    )
    against: ShortText | None = Field(
        None, description="The diagnosis hard negatives must not have; without it, what most of the nearest cases have."
    )


class SourceRequest(JsonText):
    """Where a document comes from. Without it the title is taken from the document."""

    title: ShortText
    publisher: ShortText | None = None
    url: str | None = Field(None, max_length=2_000, pattern=r"^https?://\S+$")
    licence: ShortText | None = Field(None, description="SPDX id where there is one, else its text.")
    jurisdiction: ShortText | None = None
    edition: ShortText | None = None
    effective: IsoDate | None = Field(None, description="In force from.")
    review: IsoDate | None = Field(None, description="Due for review on.")
    expires: IsoDate | None = Field(None, description="No longer in force from this day on.")
    grade: ShortText | None = Field(None, description="Strength of its evidence, as its publisher grades it.")
    tags: tuple[ShortText, ...] = Field((), max_length=50)
    language: str | None = Field(
        None,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        description="BCP 47 tag (`en`, `pt-BR`). Without it, what the text itself shows.",
    )

    def source(self) -> Source:
        """As the registry keeps it."""
        return Source(**self.model_dump())


@dataclass
class PictureSearchForm:
    """One picture (JPEG, PNG or WebP) and the words beside it."""

    image: UploadFile
    request: PictureSearchRequest = field(default_factory=PictureSearchRequest)


@dataclass
class DocumentsForm:
    """1 to 20 PDFs; `source` and `document` only where there is exactly one.

    `document` is the id of the document that the file is a new version of; `draft` waits for an approval.
    """

    files: list[UploadFile]
    source: SourceRequest | None = None
    document: str | None = None
    draft: bool = False
