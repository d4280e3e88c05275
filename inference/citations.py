"""Checks every citation against what is stored: the quote must be there byte for byte, and say what the statement says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from inference.sentences import sentence_spans
from inference.types import Citation, CitationCheck, Evidence, EvidenceKind, Statement, Verdict
from knowledge.blobs import BlobStore
from knowledge.errors import BlobCorrupt, NotFound
from knowledge.registry import Registry

# Numbers, also as ranges, ratios and decimals; the unit follows directly or after one space.
_QUANTITY = re.compile(
    r"\d+(?:[.,:/–-]\d+)*(?:\s?(?:[%‰]|(?:[µμ]g|mcg|mg|g|kg|ml|mm|cm|nm|mJ|J|IU|units?)\b))?", re.IGNORECASE
)

NOT_IN_LEDGER = "cites evidence that is not in the ledger"
OUTSIDE = "the quote lies outside the cited evidence"
NOT_STORED = "the quote is not in the stored text"
UNREADABLE = "the cited text cannot be read"


class CitationVerifier:
    """Reads the stored text itself, never the copy in the ledger: a ledger can be wrong, and then it must show."""

    def __init__(self, registry: Registry, blobs: BlobStore) -> None:
        self._registry = registry
        self._blobs = blobs

    def verify(self, report: Sequence[Statement], ledger: Sequence[Evidence]) -> tuple[Statement, ...]:
        """The same statements with a verdict, and the page, on each citation, and a verdict of their own."""
        by_key = {item.key: item for item in ledger}
        texts: dict[str, str] = {}  # one read per stored version, however often it is cited

        def checked(statement: Statement) -> Statement:
            citations = tuple(self._check(statement, one, by_key, texts) for one in statement.citations)
            return replace(statement, citations=citations, verdict=_weakest(citations))

        return tuple(checked(statement) for statement in report)

    def _check(
        self, statement: Statement, citation: Citation, ledger: Mapping[str, Evidence], texts: dict[str, str]
    ) -> Citation:
        evidence = ledger.get(citation.evidence)
        if evidence is None:
            return replace(citation, verdict=Verdict.UNSUPPORTED, problem=NOT_IN_LEDGER)
        if not evidence.start <= citation.start < citation.end <= evidence.end:
            return replace(citation, verdict=Verdict.UNSUPPORTED, problem=OUTSIDE)
        try:
            stored = self._stored_text(evidence, texts)
        except (NotFound, BlobCorrupt) as error:
            return replace(citation, verdict=Verdict.UNSUPPORTED, problem=f"{UNREADABLE}: {error}")
        if stored[citation.start : citation.end] != citation.quote:
            return replace(citation, verdict=Verdict.UNSUPPORTED, problem=NOT_STORED)
        verdict, problem = judge(statement.text, citation.quote)
        page = self._page(evidence, citation.start)
        return replace(citation, page=page, verdict=verdict, problem=problem, ocr=evidence.ocr)

    def _stored_text(self, evidence: Evidence, texts: dict[str, str]) -> str:
        if evidence.kind is EvidenceKind.CASE:
            return self._registry.case(evidence.id).caption
        version = self._registry.version(str(evidence.version_id))
        digest = version.text_sha256
        if digest is None:
            raise NotFound("the cited version has no text")
        if digest not in texts:
            texts[digest] = self._blobs.get(digest).decode()
        return texts[digest]

    def _page(self, evidence: Evidence, start: int) -> int | None:
        if evidence.kind is EvidenceKind.CASE:
            return None
        pages = self._registry.pages(str(evidence.version_id))
        return next((page.number for page in pages if page.start <= start < page.end), None)


def _weakest(citations: Sequence[Citation]) -> Verdict:
    """One false citation makes a statement false to a reader who opens just that one. Nothing cited, nothing supported."""
    verdicts = {citation.verdict for citation in citations}
    weakest_first = (Verdict.UNSUPPORTED, Verdict.PARTLY, Verdict.SUPPORTED)
    return next((one for one in weakest_first if one in verdicts), Verdict.UNSUPPORTED)


def judge(statement: str, quote: str) -> tuple[Verdict, str | None]:
    """How far a quote that is really there carries a statement. Every quantity of the statement must be in the quote.

    Supported is the quote itself or a whole sentence of it. A part of a sentence is not: "malignant" stands in "not
    malignant" too.
    """
    missing = [number for number in quantities(statement) if number not in quantities(quote)]
    if missing:
        return Verdict.UNSUPPORTED, f"the cited text does not say {missing[0]}"
    whole = {_plain(quote), *(_plain(quote[start:end]) for start, end in sentence_spans(quote))}
    if _plain(statement) in whole:
        return Verdict.SUPPORTED, None
    return Verdict.PARTLY, "the statement is not in the words of the cited text"


def quantities(text: str) -> list[str]:
    """Numbers with their units, white space removed, in order."""
    return ["".join(match.group().split()).casefold() for match in _QUANTITY.finditer(text)]


def held(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Those of which no citation is unsupported."""
    return tuple(one for one in statements if one.verdict is not Verdict.UNSUPPORTED)


def count(report: Sequence[Statement]) -> CitationCheck:
    """How many citations of a report are supported."""
    verdicts = [citation.verdict for statement in report for citation in statement.citations]
    return CitationCheck(verdicts.count(Verdict.SUPPORTED), len(verdicts))


def is_verbatim(citation: Citation) -> bool:
    """Whether a citation that was checked quotes its evidence byte for byte, whatever that says about the statement."""
    return not (citation.problem or "").startswith((NOT_IN_LEDGER, OUTSIDE, NOT_STORED, UNREADABLE))


def _plain(text: str) -> str:
    return " ".join(text.split())
