"""From an answer to a record: which of five things happened, and what of the answer is kept."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from evaluation.datasets import Item
from evaluation.records import CaseRecord, EvidenceRecord, Result
from inference.citations import is_verbatim
from inference.engines.errors import EngineError
from inference.labelsets import LabelSet
from inference.retrieved import Neighbours
from inference.types import (
    Abstention,
    Answer,
    Candidate,
    Diagnosis,
    Evidence,
    EvidenceKind,
    Narrative,
    ReportMode,
    Statement,
    Verdict,
)

NO_CASES: Final = Neighbours()
UNPARSED: Final = "unparsed"  # the reason of an abstention: see inference.judging


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked under which arm and seed."""

    arm: str
    seed: int
    item: Item

    @property
    def key(self) -> tuple[str, str, int]:
        """That of its record."""
        return self.arm, self.item.id, self.seed


class LabelNames:
    """Gives a served model's labels the names that a data set has for them.

    Where the data set has several names for one label of the model, a model that says it has said each of them.
    """

    def __init__(self, labels: LabelSet | None, of_dataset: Iterable[str]) -> None:
        self._labels = labels
        self._ours: dict[str, str] = {}
        for label in sorted(of_dataset):
            self._ours.setdefault(self._theirs(label), label)

    def named(self, label: str, truth: str) -> str:
        """`label` as the data set calls it; as `truth` where it means the same."""
        theirs = self._theirs(label)
        return truth if theirs == self._theirs(truth) else self._ours.get(theirs, label)

    def _theirs(self, label: str) -> str:
        known = self._labels.known_as(label) if self._labels else None
        return label if known is None else known.name


def record_of(
    question: Question, answer: Answer, candidates: Sequence[Candidate], names: LabelNames, total_ms: float,
    found: Neighbours = NO_CASES,
) -> CaseRecord:  # fmt: skip
    """`candidates` are all that were ranked, also where the service then declined; `found` the cases they rest on."""
    item, trace = question.item, answer.trace
    reason = answer.reason if isinstance(answer, Abstention) else None
    result = _result(reason)
    ranked = [(names.named(one.label, item.label), one.probability) for one in candidates]
    first = ranked[0][0] if ranked and result is not Result.UNPARSED else None
    if result is None:
        result = Result.CORRECT if first == item.label else Result.WRONG
    narrative = answer.narrative if isinstance(answer, Diagnosis) else None
    statements = tuple(_statements(answer, narrative))
    checked = answer.citations if isinstance(answer, Diagnosis) else None
    return CaseRecord(
        case=item.id, arm=question.arm, seed=question.seed, label=item.label, result=result, first=first, reason=reason,
        probabilities=tuple((label, share) for label, share in ranked if share is not None),
        evidence=tuple(_evidence(answer.ledger)), voters=tuple(_voters(answer, found)),
        group=item.group, skin_tone=item.skin_tone, body_site=item.body_site,
        prompt_hashes=tuple(stage.prompt_hash for stage in trace.stages),
        raw=tuple(text for stage in trace.stages for text in stage.raw),
        caption=_caption(narrative), reference_caption=item.caption or None,
        citations=checked.total if checked else 0, citations_verified=checked.verified if checked else 0,
        citations_verbatim=_verbatim(answer),
        statements=len(statements),
        statements_supported=sum(one.verdict is Verdict.SUPPORTED for one in statements),
        prompt_tokens=_tokens([stage.prompt_tokens for stage in trace.stages]),
        completion_tokens=_tokens([stage.completion_tokens for stage in trace.stages]),
        timings_ms={**trace.timings_ms, "consultation": round(total_ms, 2)}, warnings=answer.warnings,
    )  # fmt: skip


def failed_record(question: Question, reason: str, total_ms: float) -> CaseRecord:
    """Nobody answered: the engine failed, or the picture cannot be read."""
    item = question.item
    return CaseRecord(
        case=item.id, arm=question.arm, seed=question.seed, label=item.label, result=Result.FAILED, reason=reason,
        group=item.group, skin_tone=item.skin_tone, body_site=item.body_site, reference_caption=item.caption or None,
        timings_ms={"consultation": round(total_ms, 2)},
    )  # fmt: skip


def _result(reason: str | None) -> Result | None:
    """None where there is a diagnosis, which is right or wrong."""
    if reason is None:
        return None
    if reason == UNPARSED:
        return Result.UNPARSED
    return Result.FAILED if reason in _ENGINE_REASONS else Result.ABSTAINED


def _reasons(kind: type[EngineError]) -> Iterator[str]:
    yield kind.reason
    for one in kind.__subclasses__():
        yield from _reasons(one)


_ENGINE_REASONS: Final = frozenset(_reasons(EngineError))


def _evidence(ledger: Sequence[Evidence]) -> Iterator[EvidenceRecord]:
    ranks: dict[str, int] = {}
    for one in ledger:
        rank = ranks[one.kind] = ranks.get(one.kind, 0) + 1
        yield EvidenceRecord(one.id, one.kind.value, rank, one.score, dict(one.scores), one.label)


def _voters(answer: Answer, found: Neighbours) -> Iterator[EvidenceRecord]:
    voted = [hit for hit in found.hits if hit.id in set(answer.trace.voters)]
    for rank, hit in enumerate(voted, start=1):
        legs = {name: leg.score for name, leg in hit.legs.items()}
        yield EvidenceRecord(hit.id, EvidenceKind.CASE.value, rank, hit.score, legs, found.cases[hit.id].label)


def _statements(answer: Answer, narrative: Narrative | None) -> Iterator[Statement]:
    """Those of the report, and those of a model that were kept out of it because nothing supports them."""
    if isinstance(answer, Diagnosis):
        yield from answer.report
        yield from (one for one in (narrative.statements if narrative else ()) if one not in answer.report)


def _verbatim(answer: Answer) -> int:
    """How many of the report's citations quote what is stored."""
    report = answer.report if isinstance(answer, Diagnosis) else ()
    return sum(is_verbatim(one) for statement in report for one in statement.citations)


def _caption(narrative: Narrative | None) -> str | None:
    written = narrative is not None and narrative.mode in (ReportMode.PLAIN, ReportMode.GUIDED)
    return narrative.text if narrative is not None and written else None


def _tokens(counts: Sequence[int | None]) -> int | None:
    """None where no model was asked, or one server does not say."""
    known = [one for one in counts if one is not None]
    return sum(known) if counts and len(known) == len(counts) else None
