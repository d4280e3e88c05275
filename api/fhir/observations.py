"""What was found, as Observations: the ranked candidates, each voice by itself, and every statement with its citations."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.fhir.elements import Frame, Resource, absent, concept, notes, own_code, plain, probability, string
from api.fhir.evidence import name_of
from inference.types import (
    Abstention,
    Answer,
    Candidate,
    Citation,
    Diagnosis,
    Evidence,
    LabelShare,
    ModelOpinion,
    Statement,
    Verdict,
)

CANDIDATES = "Candidate diagnoses and their probabilities"


def observations_of(answer: Answer, frame: Frame) -> dict[str, Resource]:
    """Every observation of an answer by its name, in the order of a reader."""
    first = _diagnosed(answer, frame) if isinstance(answer, Diagnosis) else _declined(answer, frame)
    return dict([first, *_voices(answer, frame), *_statements(answer, frame)])


def shown(candidate: Candidate) -> str:
    """How a candidate's label is written for people."""
    return candidate.display or candidate.label


def _diagnosed(answer: Diagnosis, frame: Frame) -> tuple[str, Resource]:
    ranked = answer.candidates
    first = {"valueCodeableConcept": concept(shown(ranked[0]))} if ranked else absent("unknown")
    return _observation(
        frame, "candidates", CANDIDATES, first, component=_ranking(ranked),
        derivedFrom=_cited(frame, answer.ledger, [key for one in ranked for key in one.evidence]),
        note=notes(answer.notice, *answer.warnings),
    )  # fmt: skip


def _declined(answer: Abstention, frame: Frame) -> tuple[str, Resource]:
    """No value, and why: as a code of ours and in words. What was weighed and found too light stands as components."""
    why = absent("unknown", answer.explanation, own_code("abstention", answer.reason))
    return _observation(
        frame, "candidates", CANDIDATES, why, component=_ranking(answer.considered),
        derivedFrom=_cited(frame, answer.ledger, [key for one in answer.considered for key in one.evidence]),
        note=notes(answer.helps, answer.notice, *answer.warnings),
    )  # fmt: skip


def _voices(answer: Answer, frame: Frame) -> list[tuple[str, Resource]]:
    """The reference cases and the served models side by side, so that a conflict shows; none twice."""
    opinions = answer.opinions
    ranked = answer.candidates if isinstance(answer, Diagnosis) else answer.considered
    voices = [
        _voice(frame, f"opinion {stage}", f"Opinion of the model {opinion.profile} ({stage})", opinion)
        for stage, opinion in (("disease", opinions.disease), ("group", opinions.group))
        if opinion is not None
    ]
    if opinions.neighbours and opinions.neighbours != ranked:  # without a served model the vote is the answer
        first = {"valueCodeableConcept": concept(shown(opinions.neighbours[0]))}
        components = _ranking(opinions.neighbours)
        title = "Vote of the reference cases"
        voices.insert(0, _observation(frame, "opinion neighbours", title, first, component=components))
    return voices


def _voice(frame: Frame, name: str, title: str, opinion: ModelOpinion) -> tuple[str, Resource]:
    stated = (
        {"valueCodeableConcept": concept(opinion.stated)} if opinion.stated else absent("unknown", "named no label")
    )
    sure = "calibrated" if opinion.calibrated else "not calibrated"
    return _observation(
        frame, name, title, stated, component=_ranking(opinion.shares),
        method=concept(f"{opinion.method}; probabilities {sure}"),
    )  # fmt: skip


def _statements(answer: Answer, frame: Frame) -> list[tuple[str, Resource]]:
    """The report, then the sentences of a model's text that are not part of it."""
    if isinstance(answer, Abstention):
        return []
    ledger = {item.key: item for item in answer.ledger}
    told = answer.narrative
    own = [one for one in told.statements if one not in answer.report] if told else []
    written = f"written by {told.model} ({told.mode.value})" if told else ""
    grounded = set(told.statements) if told else set()
    said = [
        (f"statement {number}", one, written if one in grounded else "quoted from the evidence")
        for number, one in enumerate(answer.report, start=1)
    ]
    said += [(f"sentence {number}", one, written) for number, one in enumerate(own, start=1)]
    return [_statement(frame, name, one, how, ledger) for name, one, how in said]


def _statement(
    frame: Frame, name: str, statement: Statement, how: str, ledger: Mapping[str, Evidence]
) -> tuple[str, Resource]:
    return _observation(
        frame, name, f"Statement about: {statement.about}", string(statement.text), method=concept(how),
        interpretation=[_verdict(statement.verdict)],
        component=[_quote(one, ledger.get(one.evidence)) for one in statement.citations],
        derivedFrom=_cited(frame, list(ledger.values()), [one.evidence for one in statement.citations]),
    )  # fmt: skip


def _quote(citation: Citation, evidence: Evidence | None) -> Resource:
    title = f" {evidence.title}" if evidence else ""
    page = f", page {citation.page}" if citation.page is not None else ""
    read = "" if citation.ocr is None else f", read by text recognition ({citation.ocr:.2f} sure)"
    where = f"{citation.evidence}{title}{page}, characters {citation.start} to {citation.end}{read}"
    verdict = _verdict(citation.verdict, citation.problem)
    return {"code": concept(f"Quote of {where}"), **string(citation.quote), "interpretation": [verdict]}


def _verdict(verdict: Verdict, problem: str | None = None) -> Resource:
    words = f"{verdict.value}: {problem}" if problem else verdict.value
    return concept(words, own_code("verdict", verdict.value))


def _ranking(ranked: Sequence[Candidate | LabelShare]) -> list[Resource]:
    return [
        {"code": concept(shown(one) if isinstance(one, Candidate) else one.label), **probability(one.probability)}
        for one in ranked
    ]


def _cited(frame: Frame, ledger: Sequence[Evidence], keys: Sequence[str]) -> list[Resource]:
    """References to evidence that is there; a model may name some that is not."""
    known = {item.key for item in ledger}
    return frame.references([name_of(key) for key in keys if key in known])


def _observation(frame: Frame, name: str, title: str, value: Resource, **members: Any) -> tuple[str, Resource]:
    return name, frame.resource(
        "Observation", name, status="preliminary", code=concept(plain(title)), **frame.subject(), issued=frame.at,
        device=frame.reference("device"), **value, **members,
    )  # fmt: skip
