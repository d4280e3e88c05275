"""Answers as a person reads them in a terminal, and as a program reads them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from inference.lookup import SearchResult
from inference.types import (
    Abstention,
    Answer,
    Candidate,
    Citation,
    Diagnosis,
    Evidence,
    EvidenceKind,
    ModelOpinion,
    Narrative,
    Opinions,
)
from knowledge.types import Document, FileOutcome, Outcome
from retrieval.generation import Manifest
from retrieval.listing import IndexSet, recall_told
from runtime.doctor import Check

SHOWN_CANDIDATES = 5
EXCERPT = 160  # characters of a passage in a list of results


def as_json(value: Any) -> str:
    """One JSON object, readable by people too. Dataclasses become objects, enums their values."""
    return json.dumps(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value, indent=2,
                      ensure_ascii=False, default=str)  # fmt: skip


def answer_lines(answer: Answer) -> Iterator[str]:
    """A diagnosis or an abstention, with every citation written out."""
    return map(harmless, _answer(answer))


def _answer(answer: Answer) -> Iterator[str]:
    yield from _diagnosis(answer) if isinstance(answer, Diagnosis) else _abstention(answer)
    yield from _opinions(answer.opinions)
    for warning in answer.warnings:
        yield f"! {warning}"
    kept_back = ", ".join(f"{number} {reason}" for reason, number in answer.trace.excluded.items())
    yield f"leak guard kept back: {kept_back or 'nothing'}"
    yield f"time: {answer.trace.timings_ms.get('total', 0):.0f} ms"
    yield answer.notice


def _diagnosis(answer: Diagnosis) -> Iterator[str]:
    yield "Diagnosis (ranked)"
    yield from _candidates(answer.candidates)
    yield ""
    yield "Report"
    ledger = {item.key: item for item in answer.ledger}
    about = None
    for statement in answer.report:
        if statement.about != about:
            about = statement.about
            yield f"  {about}"
        for citation in statement.citations:
            yield f"    “{_one_line(citation.quote)}”"
            yield f"        [{citation.evidence}] {_where(ledger[citation.evidence], citation)} - {citation.verdict}"
    yield ""
    if answer.narrative is not None:
        yield from _narrative(answer.narrative)
    yield f"citations verified: {answer.citations.verified}/{answer.citations.total}"


def _narrative(narrative: Narrative) -> Iterator[str]:
    """A model's own words, each sentence with what the evidence says of it."""
    told = f", told the diagnosis {narrative.guided_by}" if narrative.guided_by else ""
    yield f"What {narrative.model} writes of the picture ({narrative.mode}{told})"
    for statement in narrative.statements:
        cited = ", ".join(citation.evidence for citation in statement.citations) or "no evidence"
        yield f"    {_one_line(statement.text)}  [{cited}: {statement.verdict}]"
    yield ""


def _opinions(opinions: Opinions) -> Iterator[str]:
    """Each voice by itself, where a served model was heard beside the reference cases."""
    if opinions.group is not None:
        yield f"stage 1 ({opinions.group.profile}): {_voice(opinions.group)}"
    if opinions.disease is not None:
        yield f"stage 2 ({opinions.disease.profile}): {_voice(opinions.disease)}"
        first = next(iter(opinions.neighbours), None)
        yield f"reference cases: {first.label} {first.probability:.1%}" if first else "reference cases: none"


def _voice(opinion: ModelOpinion) -> str:
    first = f"{opinion.shares[0].label} {opinion.shares[0].probability:.1%}" if opinion.shares else "not scored"
    mass = "" if opinion.label_mass is None else f"; any of its labels: {opinion.label_mass:.2g}"
    return f"stated {opinion.stated or 'nothing'} ({opinion.method}); most probable {first}{mass}"


def _abstention(answer: Abstention) -> Iterator[str]:
    yield f"No diagnosis ({answer.reason})"
    yield f"  {answer.explanation}"
    yield f"  {answer.helps}"
    if answer.considered:
        yield "Considered"
        yield from _candidates(answer.considered)


def _candidates(candidates: Sequence[Candidate]) -> Iterator[str]:
    for place, one in enumerate(candidates[:SHOWN_CANDIDATES], start=1):
        sure = "unknown" if one.probability is None else f"{one.probability:6.1%}"
        bar = "█" * round((one.probability or 0) * 20)
        evidence = f"  {', '.join(one.evidence)}" if one.evidence else ""
        yield f"  {place}. {one.display or one.label:<36} {sure} {bar:<20}{evidence}"


def _where(item: Evidence, citation: Citation) -> str:
    if item.kind is EvidenceKind.CASE:
        return f"{item.title}, reference case {item.id} ({item.label})"
    return f"{item.title}, page {citation.page}"


def search_lines(result: SearchResult) -> Iterator[str]:
    """Search results with every leg's score and rank."""
    return map(harmless, _search(result))


def _search(result: SearchResult) -> Iterator[str]:
    for name, items in (("Guideline passages", result.passages), (f"Cases (by {result.cases_by})", result.cases)):
        yield name
        for place, item in enumerate(items, start=1):
            yield f"  {place}. {item.score:.3f}  {_found(item)}"
            yield f"       {_one_line(item.text)[:EXCERPT]}"
            yield f"       {_legs(item)}"
        if not items:
            yield "  nothing"
    for warning in result.warnings:
        yield f"! {warning}"


def _found(item: Evidence) -> str:
    if item.kind is EvidenceKind.CASE:
        return f"{item.label}  ({item.title}, {item.id})"
    return f"{item.title}, page {_pages(item)}"


def _pages(item: Evidence) -> str:
    return f"{item.first_page}" if item.first_page == item.last_page else f"{item.first_page}-{item.last_page}"


def _legs(item: Evidence) -> str:
    ranks = {name: f"#{rank}" if rank else "-" for name, rank in item.ranks.items()}
    return "  ".join(f"{name} {score:.3f} {ranks[name]}" for name, score in item.scores.items())


def outcome_line(outcome: FileOutcome) -> str:
    """What became of one file."""
    if outcome.state is Outcome.REFUSED:
        page = f", page {outcome.page}" if outcome.page else ""
        return f"refused    {outcome.file}{page}: {outcome.message} [{outcome.reason}]"
    counts = f"{outcome.pages} pages, {outcome.passages} passages" if outcome.pages else f"{outcome.cases} case"
    return f"{outcome.state:<10} {outcome.file}: {counts} ({outcome.id})"


def totals(outcomes: Sequence[FileOutcome]) -> dict[str, int]:
    """How many files of each outcome, and what they hold together."""
    by_state = {state.value: sum(one.state is state for one in outcomes) for state in Outcome}
    return {**by_state, "passages": sum(one.passages for one in outcomes), "cases": sum(one.cases for one in outcomes)}


def document_lines(document: Document) -> Iterator[str]:
    """One document with its version."""
    source, version = document.source, document.version
    yield f"{document.id}  {source.title}"
    yield f"    {version.state}, {version.page_count} pages, {version.passage_count} passages, {version.bytes} bytes"
    details = (
        source.publisher,
        source.edition,
        source.jurisdiction,
        source.language,
        source.effective,
        source.licence,
        source.url,
    )
    if any(details):
        yield f"    {', '.join(filter(None, details))}"


def built_lines(generation: str, manifest: Manifest) -> Iterator[str]:
    """What `dermacite reindex` built, and how well it finds neighbours."""
    yield f"serving {generation}"
    if manifest.encoders:
        yield "  encoders: " + _pairs(manifest.encoders)
    if manifest.recall_at_10:
        yield "  " + recall_told(manifest)


def index_lines(one: IndexSet) -> Iterator[str]:
    """One set of encoders in a list for a person."""
    yield f"{'serves' if one.serves else '      '} {one.key}: {_pairs(one.encoders or one.fingerprints)}"
    size = f"{one.bytes / 1e6:.1f} MB"
    yield f"       {_pairs(one.counts)}, {size}, corpus generation {one.corpus_generation}, built {one.built_at}"


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def check_line(check: Check) -> str:
    """One line of the doctor's findings."""
    mend = f"  -> {check.mend}" if check.mend else ""
    return f"{'ok ' if check.healthy else 'BAD'} {check.name}: {check.detail}{mend}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def harmless(line: str) -> str:
    """What a terminal would obey instead of show, such as a model's colours, is replaced, wherever it stands in a line."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "\ufffd" for sign in line)
