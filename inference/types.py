"""The nouns of an answer. Everything a reader needs to check it is inside; nothing of the patient is.

Character spans are half-open `[start, end)` in code points. Probabilities are 0..1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from knowledge.pictures import Picture

MAX_PICTURES = 4


@dataclass(frozen=True, slots=True)
class Consultation:
    """What the caller sends. `lesion`, `subject` and `source` are what the leak guard should exclude, for studies.

    `source` says which original the pictures are: an address, a file name or an identifier.
    """

    pictures: tuple[Picture, ...]
    note: str = ""
    age: int | None = None
    sex: str | None = None
    body_site: str | None = None
    lesion: str | None = None
    subject: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class DiagnosisOptions:
    """What a caller may switch. None means: as the service is configured."""

    k: int | None = None  # reference cases shown in the ledger, 0..20
    alpha: float | None = None  # share of the picture in case retrieval, 0..1
    cases: bool = True  # False: no reference cases, hence no classifier
    passages: bool = True  # False: no guideline passages
    leak_guard: bool = True  # False marks the answer
    leak_report: bool = False  # True lists in the trace which cases the leak guard kept back, and why


class EvidenceKind(StrEnum):
    """What a piece of evidence is."""

    CASE = "case"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One hit, complete enough to be shown, cited and opened. `start` and `end` lie in the version's (or caption's) text.

    `scores` and `ranks` are per leg of the search that found it; `found_by` says which part of the consultation did.
    """

    key: str
    kind: EvidenceKind
    id: str
    text: str
    title: str
    found_by: tuple[str, ...]
    score: float
    scores: Mapping[str, float]
    ranks: Mapping[str, int | None]
    start: int
    end: int
    licence: str | None = None
    label: str | None = None
    group: str | None = None
    picture: str | None = None
    document_id: str | None = None
    version_id: str | None = None
    section: tuple[str, ...] = ()
    first_page: int | None = None
    last_page: int | None = None


class Verdict(StrEnum):
    """What checking a citation found. `supported`: the quote is there byte for byte and says what the statement says."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote of one piece of evidence. `page` is where the quote begins; `problem` says why it is not supported."""

    evidence: str
    quote: str
    start: int
    end: int
    page: int | None = None
    verdict: Verdict = Verdict.UNSUPPORTED
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of the report, with what it rests on. `about` is the label it speaks of."""

    text: str
    about: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible diagnosis. `evidence` are the keys of the reference cases that voted for it."""

    label: str
    probability: float
    group: str | None
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """How many citations were checked and how many held."""

    verified: int
    total: int


@dataclass(frozen=True, slots=True)
class Trace:
    """How the answer came about: every setting in force, the time of each step in ms, what the leak guard kept back.

    `excluded` counts what the leak guard kept back by reason; `excluded_ids` says which, where it was asked for.
    `voters` are the ids of all reference cases that voted, nearest first; the ledger shows only some of them.
    """

    configuration: Mapping[str, Any]
    timings_ms: Mapping[str, float]
    excluded: Mapping[str, int] = field(default_factory=dict)
    excluded_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    voters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Ranked candidates and a report. For research and decision support: never a decision."""

    candidates: tuple[Candidate, ...]
    report: tuple[Statement, ...]
    ledger: tuple[Evidence, ...]
    citations: CitationCheck
    trace: Trace
    warnings: tuple[str, ...]
    notice: str
    outcome: Literal["diagnosis"] = "diagnosis"


@dataclass(frozen=True, slots=True)
class Abstention:
    """Why there is no diagnosis, and what would help. `considered` is what was weighed and found too light."""

    reason: str
    explanation: str
    helps: str
    considered: tuple[Candidate, ...]
    ledger: tuple[Evidence, ...]
    trace: Trace
    warnings: tuple[str, ...]
    notice: str
    outcome: Literal["abstention"] = "abstention"


Answer = Diagnosis | Abstention
