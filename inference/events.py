"""What happens while a consultation is answered, in order. The last event of every answer is its outcome."""

from dataclasses import dataclass
from typing import ClassVar

from inference.types import Answer, Candidate, CitationCheck, Evidence, ModelOpinion, Statement


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """New items of the ledger; their keys stay. Cases come first, passages when it is known what to look for."""

    evidence: tuple[Evidence, ...]
    name: ClassVar[str] = "evidence"


@dataclass(frozen=True, slots=True)
class GroupHeard:
    """What the stage 1 model says."""

    group: ModelOpinion
    name: ClassVar[str] = "group"


@dataclass(frozen=True, slots=True)
class DiseaseHeard:
    """The ranked candidates, and what the stage 2 model says where one was asked."""

    candidates: tuple[Candidate, ...]
    opinion: ModelOpinion | None
    name: ClassVar[str] = "disease"


@dataclass(frozen=True, slots=True)
class ReportPiece:
    """The next words of the narrative."""

    text: str
    name: ClassVar[str] = "report"


@dataclass(frozen=True, slots=True)
class CitationsChecked:
    """The statements of the report with their verdicts, and how many citations held."""

    report: tuple[Statement, ...]
    citations: CitationCheck
    name: ClassVar[str] = "citations"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole answer."""

    answer: Answer
    name: ClassVar[str] = "outcome"


Event = EvidenceFound | GroupHeard | DiseaseHeard | ReportPiece | CitationsChecked | Outcome
