"""What a run writes down: one `CaseRecord` per case, arm and seed, one JSON object a line, and nothing that only memory knows.

Everything a report says is computed from these lines and the run's description; no model and no home is needed again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Result(StrEnum):
    """What became of one case. Five different things: only the first two say anything about the label."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNPARSED = "unparsed"  # a model answered, and its answer names no label
    ABSTAINED = "abstained"  # the service declined, with its reason
    FAILED = "failed"  # an engine or a file failed: nobody answered


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """One piece of evidence as it was used: enough to generate from it again (see evaluation.frozen).

    `rank` is its place among its kind, from 1. `scores` are per leg.
    """

    id: str
    kind: str  # "case" or "passage"
    rank: int
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)
    label: str | None = None


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """One case under one arm with one seed.

    `label` is the truth, `first` the label put first, also where the service then declined (None: none was named).
    `evidence` is the ledger; it shows some of the `voters`, the reference cases that voted, nearest first, with the labels
    under which they did (none in records of earlier versions).
    `probabilities` are of the ranked candidates, best first, each 0..1; empty where nobody could say. `raw` are the models'
    answers, stage by stage; `caption` is what a captioning model wrote, `reference_caption` what the data set says.
    `citations_verified` of `citations` hold; `citations_verbatim` of them quote what is stored byte for byte, whether or not it
    says what the statement says (None: not counted). Times are in ms.
    """

    case: str
    arm: str
    seed: int
    label: str
    result: Result
    first: str | None = None
    reason: str | None = None
    probabilities: tuple[tuple[str, float], ...] = ()
    evidence: tuple[EvidenceRecord, ...] = ()
    voters: tuple[EvidenceRecord, ...] = ()
    group: str | None = None
    skin_tone: str | None = None
    body_site: str | None = None
    prompt_hashes: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    caption: str | None = None
    reference_caption: str | None = None
    citations: int = 0
    citations_verified: int = 0
    citations_verbatim: int | None = None
    statements: int = 0
    statements_supported: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes it one of its kind: a run that goes on does not ask again."""
        return self.arm, self.case, self.seed

    @property
    def hit(self) -> bool:
        """Whether the label put first is the true one, also where the service then declined."""
        return self.first == self.label


def line_of(record: CaseRecord) -> str:
    """A record as one line, with its end."""
    return json.dumps(asdict(record), ensure_ascii=False, sort_keys=True) + "\n"


def record_of(values: Mapping[str, Any]) -> CaseRecord:
    """A record from what `line_of` wrote. Raises TypeError or ValueError for anything else."""
    cases = {name: tuple(EvidenceRecord(**one) for one in values.get(name, ())) for name in ("evidence", "voters")}
    shares = tuple((str(label), float(share)) for label, share in values.get("probabilities", ()))
    lists = {name: tuple(values.get(name, ())) for name in ("prompt_hashes", "raw", "warnings")}
    return CaseRecord(**{**values, **lists, **cases, "result": Result(values["result"]), "probabilities": shares})


def read_records(file: Path) -> Iterator[CaseRecord]:
    """Every whole line of a file. A last line without its end was being written when the run was killed: it is not there."""
    with file.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield record_of(json.loads(line))
