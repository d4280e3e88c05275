"""The DiagnosticReport: what a person reads first, in words, and references to all that stands behind it."""

from collections.abc import Sequence
from html import escape

from api.fhir.elements import Frame, Resource, concept, identifier, plain
from api.fhir.observations import shown
from inference.types import Abstention, Answer, Candidate, Diagnosis

TITLE = "Decision support from skin pictures, asserted by software and verified by nobody"


def report_of(answer: Answer, frame: Frame, results: Sequence[str]) -> dict[str, Resource]:
    """The report on `results`.

    Its status is "partial": data may be incomplete or unverified. Its child "preliminary" would say that results have
    been verified, and "final" that an authorised person did it.
    """
    sentences = _sentences(answer)
    codes = [concept(shown(answer.candidates[0]))] if isinstance(answer, Diagnosis) and answer.candidates else []
    kept = answer.trace.kept_as
    report = frame.resource(
        "DiagnosticReport", "report", text=_narrative(sentences, _details(answer)),
        identifier=[identifier("answer", kept)] if kept else [], status="partial", code=concept(TITLE), **frame.subject(),
        issued=frame.at, result=frame.references(results), conclusion="\n".join(sentences), conclusionCode=codes,
    )  # fmt: skip
    return {"report": report}


def percent(candidate: Candidate) -> str:
    """A candidate and its probability as people read them."""
    sure = "" if candidate.probability is None else f" ({candidate.probability:.1%})"
    return f"{shown(candidate)}{sure}"


def _sentences(answer: Answer) -> list[str]:
    """The notice before all else, then the outcome and its warnings."""
    if isinstance(answer, Abstention):
        outcome = [f"No diagnosis: {answer.explanation}", answer.helps]
    else:
        ranked = ", ".join(percent(one) for one in answer.candidates) or "none"
        outcome = [
            f"Likeliest first: {ranked}.",
            f"Citations that say what they are cited for: {answer.citations.verified} of {answer.citations.total}.",
        ]
    told = (answer.notice, *outcome, *(f"Warning: {warning}" for warning in answer.warnings))
    return [plain(one) for one in told if plain(one)]


def _details(answer: Answer) -> list[str]:
    statements = answer.report if isinstance(answer, Diagnosis) else ()
    return [
        plain(f"{one.text} [{', '.join(cited.evidence for cited in one.citations)}] {one.verdict.value}")
        for one in statements
    ]


def _narrative(sentences: Sequence[str], details: Sequence[str]) -> Resource:
    paragraphs = "".join(f"<p>{escape(one)}</p>" for one in sentences)
    items = "".join(f"<li>{escape(one)}</li>" for one in details)
    listed = f"<ul>{items}</ul>" if items else ""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}{listed}</div>'}
