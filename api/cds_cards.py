"""An answer as a CDS Hooks card: what is likeliest, what was quoted, and where it opens."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from api.fhir.elements import About, frame_of, plain
from api.fhir.evidence import addresses
from api.fhir.observations import shown
from api.fhir.report import percent
from inference.types import Abstention, Answer, Candidate, Citation, Diagnosis, Evidence, Statement

LONGEST_SUMMARY = 139  # CDS Hooks: less than 140 characters
MOST_SHOWN = 5  # candidates
MOST_QUOTED = 8  # statements
RESEARCH = "Research use, not a diagnosis"
# Whatever could become markup where markdown is shown: evidence is data, and may try to be a link or a picture.
_MARKUP = re.compile(r"[\\`*_\[\]<>!|~&#:@$]|(?<=www)\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a piece of cited evidence opens."""

    label: str
    url: str
    type: Literal["absolute"] = "absolute"


@dataclass(frozen=True, slots=True)
class Source:
    """Who says what is on the card."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """One card. `indicator` is always "info": how urgent it is, is for a clinician to say."""

    uuid: str
    summary: str
    detail: str
    source: Source
    links: tuple[Link, ...]
    indicator: Literal["info", "warning", "critical"] = "info"


@dataclass(frozen=True, slots=True)
class Cards:
    """What a CDS Hooks service answers; here always one card."""

    cards: tuple[Card, ...]


def card_of(answer: Answer, about: About) -> Card:
    """A diagnosis with its quotes, or why there is none."""
    title, lines = _declined(answer) if isinstance(answer, Abstention) else _diagnosed(answer, about.base)
    warned = [f"- Warning: {marked(warning)}" for warning in answer.warnings]
    parts = [[f"**{marked(answer.notice)}**"], *lines, warned]
    detail = "\n\n".join("\n".join(part) for part in parts if part)
    source = Source("Dermacite, retrieval-grounded decision support (research software)", about.base)
    return Card(frame_of(answer, about).id_of("card"), _summary(title), detail, source, _links(answer, about.base))


def marked(words: str) -> str:
    """Text for markdown, on one line, in which nothing is markup."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(plain(words).split()))


def _summary(title: str) -> str:
    """The title cut where it is too long, never the words that say what it is for."""
    room = LONGEST_SUMMARY - len(f" ({RESEARCH})")
    cut = title if len(title) <= room else f"{title[: room - 1]}…"
    return f"{cut} ({RESEARCH})"


def _diagnosed(answer: Diagnosis, base: str) -> tuple[str, list[list[str]]]:
    ledger = {item.key: item for item in answer.ledger}
    likeliest = _named(answer.candidates[0]) if answer.candidates else "none"
    ranked = [f"{rank}. {marked(percent(one))}" for rank, one in enumerate(answer.candidates[:MOST_SHOWN], start=1)]
    said = [_stated(one, ledger, base) for one in answer.report[:MOST_QUOTED]]
    checked = f"Citations that say what they are cited for: {answer.citations.verified} of {answer.citations.total}."
    return f"Likeliest: {likeliest}", [ranked, said, [checked]]


def _declined(answer: Abstention) -> tuple[str, list[list[str]]]:
    title = f"No answer: {' '.join(plain(answer.explanation).split())}"
    return title, [[f"No diagnosis: {marked(answer.explanation)}"], [marked(answer.helps)]]


def _named(candidate: Candidate) -> str:
    sure = "" if candidate.probability is None else f", {candidate.probability:.0%}"
    return f"{' '.join(plain(shown(candidate)).split())}{sure}"


def _stated(statement: Statement, ledger: Mapping[str, Evidence], base: str) -> str:
    """A statement, its verdict, and where each citation opens."""
    cited = ", ".join(_cited(one, ledger.get(one.evidence), base) for one in statement.citations)
    return f"- {marked(statement.text)} ({statement.verdict.value}{f'; {cited}' if cited else ''})"


def _cited(citation: Citation, item: Evidence | None, base: str) -> str:
    if item is None:
        return marked(citation.evidence)
    # Ours, percent-encoded, and in angle brackets, so that no parenthesis ends it.
    return f"[{marked(_label(item, citation.page))}](<{addresses(item, base, citation.page)[0].url}>)"


def _label(item: Evidence, page: int | None) -> str:
    where = f", page {page}" if page is not None else ""
    return f"{item.key}: {' '.join(plain(item.title).split())}{where}"


def _links(answer: Answer, base: str) -> tuple[Link, ...]:
    """One for each piece of evidence that a statement cites, in the order in which they are cited."""
    ledger = {item.key: item for item in answer.ledger}
    first: dict[str, int | None] = {}
    for one in _citations(answer):
        if one.evidence in ledger:
            first.setdefault(one.evidence, one.page)
    return tuple(
        Link(_label(ledger[key], page), addresses(ledger[key], base, page)[0].url) for key, page in first.items()
    )


def _citations(answer: Answer) -> Sequence[Citation]:
    statements = answer.report[:MOST_QUOTED] if isinstance(answer, Diagnosis) else ()
    return [citation for statement in statements for citation in statement.citations]
