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
from knowledge.registry.jobs import Job
from knowledge.types import Document, DocumentVersion, FileOutcome, Outcome, Passage, Role, Standing, VersionState
from retrieval.generation import Manifest
from retrieval.listing import IndexSet, recall_told
from runtime.changes import Difference
from runtime.doctor import Check

SHOWN_CANDIDATES = 5
EXCERPT = 160  # characters of a passage in a list of results


def as_json(value: Any) -> str:
    """One JSON object, readable by people too. Dataclasses become objects, enums their values.

    Bytes of a file's name that are no text become question marks: they cannot be printed.
    """
    told = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    text = json.dumps(told, indent=2, ensure_ascii=False, default=str)
    return text.encode("utf-8", "replace").decode("utf-8")


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
    return f"{item.title}, page {citation.page}{_recognised(item)}"


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
    aside = f", {item.standing.replace('_', ' ')}" if item.standing not in {None, Standing.IN_FORCE} else ""
    role = f", {item.role}" if item.role not in {None, Role.BODY} else ""
    return f"{item.title}, page {_pages(item)}{role}{_recognised(item)}{aside}"


def _recognised(item: Evidence) -> str:
    return f", OCR {item.ocr:.0%}: compare its numbers with the page" if item.ocr is not None else ""


def _pages(item: Evidence) -> str:
    return f"{item.first_page}" if item.first_page == item.last_page else f"{item.first_page}-{item.last_page}"


def _legs(item: Evidence) -> str:
    ranks = {name: f"#{rank}" if rank else "-" for name, rank in item.ranks.items()}
    return "  ".join(f"{name} {score:.3f} {ranks[name]}" for name, score in item.scores.items())


def outcome_line(outcome: FileOutcome) -> str:
    """What became of one file. Its name is the sender's: a line end or a terminal's commands in it are replaced."""
    return harmless(_outcome(outcome))


def _outcome(outcome: FileOutcome) -> str:
    if outcome.state is Outcome.REFUSED:
        page = f", page {outcome.page}" if outcome.page else ""
        return f"refused    {outcome.file}{page}: {outcome.message} [{outcome.reason}]"
    counts = f"{outcome.pages} pages, {outcome.passages} passages" if outcome.pages else f"{outcome.cases} case"
    aside = f", {outcome.version_state}" if outcome.version_state not in {None, VersionState.LIVE} else ""
    instead = f", in place of {outcome.supersedes[:12]}" if outcome.supersedes else ""
    return f"{outcome.state:<10} {outcome.file}: {counts}{aside}{instead} ({outcome.id})"


def totals(outcomes: Sequence[FileOutcome]) -> dict[str, int]:
    """How many files of each outcome, and what they hold together."""
    by_state = {state.value: sum(one.state is state for one in outcomes) for state in Outcome}
    return {**by_state, "passages": sum(one.passages for one in outcomes), "cases": sum(one.cases for one in outcomes)}


def document_lines(document: Document) -> Iterator[str]:
    """One document with its version."""
    return map(harmless, _document(document))


def _document(document: Document) -> Iterator[str]:
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


def version_line(version: DocumentVersion) -> str:
    """One version in a list."""
    by = f", approved by {version.approved_by}" if version.approved_by else ""
    after = f", superseded by {version.superseded_by[:12]}" if version.superseded_by else ""
    dates = "".join(
        f", {name} {value}"
        for name, value in (("effective", version.source.effective), ("expires", version.source.expires))
        if value
    )
    return f"    version {version.number} {version.id}: {version.state}{by}{after}{dates}"


def passage_lines(passage: Passage) -> Iterator[str]:
    """One passage as it was understood."""
    pages = f"page {passage.first_page}" + (f"-{passage.last_page}" if passage.last_page > passage.first_page else "")
    role = "" if passage.role is Role.BODY else f"  [{passage.role}]"
    yield f"{passage.id}  {pages}{role}  {' > '.join(passage.section)}".rstrip()
    if passage.header:
        yield f"    ({harmless(_one_line(passage.header))})"
    for line in passage.text.splitlines():
        yield f"    {harmless(line)}"


def difference_lines(found: Difference) -> Iterator[str]:
    """What changed from one version to another, as a curator reads it."""
    for change in found.changed:
        yield f"changed  page {change.after.first_page}: {_one_line(change.before.text)}"
        yield f"     ->  {_one_line(change.after.text)}"
        if change.numbers_gone or change.numbers_new:
            yield f"         numbers: {', '.join(change.numbers_gone) or '-'} -> {', '.join(change.numbers_new) or '-'}"
    for name, passages in (("removed", found.removed), ("added", found.added)):
        for one in passages:
            yield f"{name:<8} page {one.first_page}: {_one_line(one.text)}"
    for use in found.answers or ():
        yield f"answer   {use.answer_id} of {use.at} {'cited' if use.cited else 'showed'} {use.item_id}"
    changes = f"{len(found.changed)} changed, {len(found.removed)} removed, {len(found.added)} added"
    yield f"{found.unchanged} unchanged, {changes}"
    if found.answers is None:
        yield "past answers are not kept (setting: keep_answers)"


def job_lines(job: Job) -> Iterator[str]:
    """A job: one line for the whole, then one a file."""
    ended = len(job.items) - len(job.open_items)
    why = f": {job.message} [{job.reason}]" if job.message else ""
    yield f"{job.id}  {job.kind} by {job.actor}, {job.created_at}: {job.state}, {ended} of {len(job.items)} files{why}"
    for item in job.items:
        if item.outcome is None:
            of = f", page {item.pages_done} of {item.page_count}" if item.page_count else ""
            yield f"    {item.state:<10} {item.name}{of}"
            continue
        yield f"    {outcome_line(item.outcome)}"
        for page in item.outcome.without_text:
            yield f"        page {page.page}: {page.state} {page.reason or ''}".rstrip()


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
