"""The nouns of the knowledge base. All are immutable; ids come from content.

Character spans are half-open `[start, end)` in code points of a version's stored text. Page numbers are 1-based.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Source:
    """Where a document comes from. Dates are ISO 8601 (`2024-01-31`); unknown is None, never guessed.

    `language` is a BCP 47 tag ("en", "pt-BR"); not declared, it is read from the text where that is clear.
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


class VersionState(StrEnum):
    """States of one exact set of bytes. Only `live` is retrieved."""

    RECEIVED = "received"
    EXTRACTING = "extracting"
    INDEXING = "indexing"
    LIVE = "live"
    SUPERSEDED = "superseded"
    RETIRED = "retired"
    FAILED = "failed"


class PageState(StrEnum):
    """What reading one page gave."""

    TEXT = "text"
    EMPTY = "empty"
    IMAGE_ONLY = "image_only"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Page:
    """Text of one page as a span of the version's text; `reason` says why there is none."""

    number: int
    start: int
    end: int
    state: PageState
    reason: str | None = None


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


@dataclass(frozen=True, slots=True)
class Passage:
    """A cut of a version's text that can be found; its role says whether it may be cited as advice."""

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


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One exact set of bytes of a document; `id` is their sha256."""

    id: str
    document_id: str
    state: VersionState
    text_sha256: str | None
    page_count: int
    passage_count: int
    bytes: int
    warnings: tuple[str, ...]
    created_at: str


@dataclass(frozen=True, slots=True)
class Document:
    """A guideline: what it is, and its current version."""

    id: str
    source: Source
    version: DocumentVersion


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
class FileOutcome:
    """One entry per input file of an ingest. `reason` and `message` are set when it was refused."""

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
