"""What only this layer answers. Answers of the layers below are their own dataclasses."""

from dataclasses import dataclass

from knowledge.places import Place
from knowledge.registry import AuditEntry
from knowledge.registry.jobs import Job
from knowledge.types import Document, DocumentVersion, FileOutcome, Line, Page, Passage, Source
from retrieval.canary import LegCheck


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of each file, in the order sent."""

    outcomes: tuple[FileOutcome, ...]


@dataclass(frozen=True, slots=True)
class DocumentList:
    """Every guideline, by title, then id."""

    documents: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class DocumentDetail:
    """A guideline: one version of it, what reading each of its pages gave, and all versions, the earliest first."""

    id: str
    source: Source
    version: DocumentVersion
    pages: tuple[Page, ...]
    versions: tuple[DocumentVersion, ...]


@dataclass(frozen=True, slots=True)
class PassageList:
    """Every passage of a version, in the order of the document."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class JobList:
    """The newest jobs, newest first."""

    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class AuditList:
    """Who did what to what, the earliest first. Ask on with `after` = the last id."""

    entries: tuple[AuditEntry, ...]


@dataclass(frozen=True, slots=True)
class PageText:
    """Text of one page. `start` and `end` place it in the version's text, where citations have their spans.

    `lines` say where each printed line of it is on the page; `confidence` how sure text recognition was, where it read it.
    """

    document_id: str
    version_id: str
    number: int
    of: int
    state: str
    reason: str | None
    start: int
    end: int
    text: str
    confidence: float | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class PlaceList:
    """Rectangles on pages, in fractions 0..1 of the page as it is drawn, from its top left corner."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """The process runs and its event loop turns."""

    alive: bool = True


@dataclass(frozen=True, slots=True)
class Ready:
    """Whether answers can be trusted: every leg of retrieval is alive. `problem` says what to do when they cannot."""

    ready: bool
    checks: tuple[LegCheck, ...] = ()
    problem: str | None = None
