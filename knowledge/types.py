"""The nouns of the knowledge base. All are immutable; ids come from content.

Character spans are half-open `[start, end)` in code points of a version's stored text. Page numbers are 1-based.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Source:
    """Where one version of a document comes from. Dates are ISO 8601 (`2024-01-31`); unknown is None, never guessed.

    In force from `effective` on, to be looked at again on `review`, no longer in force from `expires` on. `language` is
    a BCP 47 tag ("en", "pt-BR"); not declared, it is read from the text where that is clear. `grade` is the strength of
    its evidence as its publisher grades it.
    """

    title: str
    publisher: str | None = None
    url: str | None = None
    licence: str | None = None
    jurisdiction: str | None = None
    edition: str | None = None
    effective: str | None = None
    review: str | None = None
    language: str | None = None
    expires: str | None = None
    grade: str | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(self.tags))  # JSON and callers have lists


class VersionState(StrEnum):
    """States of one exact set of bytes: received, extracting and indexing while a job works on it; failed is its end
    where it was refused; the others are those of a version that is there. Only `live` is retrieved unasked."""

    RECEIVED = "received"
    EXTRACTING = "extracting"
    INDEXING = "indexing"
    DRAFT = "draft"
    LIVE = "live"
    SUPERSEDED = "superseded"
    RETIRED = "retired"
    FAILED = "failed"


class Standing(StrEnum):
    """What a version that was approved once is worth today."""

    IN_FORCE = "in_force"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    RETIRED = "retired"


def standing_of(state: VersionState, source: Source, today: date) -> Standing | None:
    """None for a version that nobody approved. A date that is none expires nothing."""
    if state is not VersionState.LIVE:
        return Standing(state) if state in {VersionState.SUPERSEDED, VersionState.RETIRED} else None
    # ISO dates compare as texts do.
    return Standing.EXPIRED if source.expires and source.expires <= today.isoformat() else Standing.IN_FORCE


class PageState(StrEnum):
    """What reading one page gave."""

    TEXT = "text"
    OCR = "ocr"
    EMPTY = "empty"
    IMAGE_ONLY = "image_only"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Page:
    """Text of one page as a span of the version's text; `reason` says why there is none.

    `confidence` (0 to 1) is the recogniser's own, mean over the characters, of a page in state `ocr`; None of others.
    """

    number: int
    start: int
    end: int
    state: PageState
    reason: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading line and its depth (1 = top) as a span of the version's text."""

    start: int
    end: int
    level: int


class Role(StrEnum):
    """What a stretch of text is. Captions, footnotes and references are never cited as advice."""

    BODY = "body"
    TABLE = "table"
    CAPTION = "caption"
    FOOTNOTE = "footnote"
    REFERENCES = "references"


ADVICE = frozenset({Role.BODY, Role.TABLE})  # what may be cited as advice
FOUND = frozenset(Role) - {
    Role.REFERENCES
}  # what a search finds unasked: a list of references has every word of its field


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span of the version's text that is not body. `header` is the text of a table's header rows.

    Where the header is printed in this stretch, the span begins with exactly that text.
    """

    start: int
    end: int
    role: Role
    header: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line, or one cell of a table row whose cells hold several: its span and where it is on the page.

    The rectangle is in fractions (0 to 1) of the page as it is drawn, turned and cropped; the origin is top left.
    """

    start: int
    end: int
    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class ExtractedText:
    """What was understood of a document: one text, and where its pages, headings and other parts are in it.

    `stretches` and `lines` are in the order of the text and do not overlap; what is in no stretch is body.
    """

    text: str
    pages: tuple[Page, ...]
    headings: tuple[Heading, ...] = ()
    title: str | None = None
    warnings: tuple[str, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """A passage before it has an id: `text == version_text[start:end]` exactly; `tokens` as the encoder counts.

    `header` stands beside the text, not in it: the header rows of the table whose rows the text is. `tokens` counts
    both.
    """

    start: int
    end: int
    text: str
    first_page: int
    last_page: int
    section: tuple[str, ...]
    tokens: int
    role: Role = Role.BODY
    header: str | None = None


def searched_text(text: str, header: str | None) -> str:
    """What is encoded and whose words are indexed: the rows of a table say little without the names of its columns."""
    return f"{header}\n{text}" if header else text


@dataclass(frozen=True, slots=True)
class Passage:
    """A cut of a version's text that can be found; its role says whether it may be cited as advice.

    `header` stands beside the text: the header rows of the table whose rows it is. `ocr` is how sure text recognition was
    (0..1, of its least sure page); None where the file's own text was read. `standing` is None for a draft.
    """

    id: str
    document_id: str
    version_id: str
    start: int
    end: int
    text: str
    first_page: int
    last_page: int
    section: tuple[str, ...]
    source: Source
    role: Role = Role.BODY
    header: str | None = None
    ocr: float | None = None
    standing: Standing | None = Standing.IN_FORCE


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One exact set of bytes of a document; `id` is their sha256, `number` counts from 1 in the order of arrival.

    `added_by` and `approved_by` are who did it, as they named themselves. `superseded_by` is the id of the version that
    took its place.
    """

    id: str
    document_id: str
    number: int
    state: VersionState
    source: Source
    text_sha256: str | None
    page_count: int
    passage_count: int
    bytes: int
    warnings: tuple[str, ...]
    created_at: str
    added_by: str | None = None
    approved_by: str | None = None
    approved_at: str | None = None
    superseded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A guideline with its current version: the live one, else the newest. `source` is that version's."""

    id: str
    source: Source
    version: DocumentVersion
    versions: int = 1


@dataclass(frozen=True, slots=True)
class ReferenceCase:
    """One captioned picture. `picture` is the sha256 of the stored (metadata-free) picture, `original` of what came in.

    `perceptual_hash` is 16 hex digits (64 bits). `lesion` and `subject` are ids within `dataset`.
    """

    id: str
    dataset: str
    label: str
    caption: str
    picture: str
    original: str
    perceptual_hash: str
    group: str | None = None
    subject: str | None = None
    lesion: str | None = None
    split: str | None = None
    skin_tone: str | None = None
    licence: str | None = None
    source: str | None = None


class Outcome(StrEnum):
    """What became of one input file or row."""

    ADDED = "added"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """A page that gave no text of its own, and why."""

    page: int
    state: PageState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """One entry per input file of an ingest. `reason` and `message` are set when it was refused.

    Of a document: `id` names it, `version` its bytes, `version_state` whether they are in force, `supersedes` the version
    they took the place of, `without_text` the pages that need a look.
    """

    file: str
    state: Outcome
    reason: str | None = None
    message: str | None = None
    page: int | None = None
    id: str | None = None
    pages: int = 0
    passages: int = 0
    cases: int = 0
    rejected: int = 0
    warnings: tuple[str, ...] = ()
    version: str | None = None
    version_state: VersionState | None = None
    supersedes: str | None = None
    without_text: tuple[PageOutcome, ...] = ()
