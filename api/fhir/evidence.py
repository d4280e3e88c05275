"""The ledger as DocumentReferences: every piece of evidence with the addresses under which it can be opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from api.fhir.elements import Frame, Resource, concept, filled, identifier, plain
from inference.types import Evidence, EvidenceKind
from knowledge.types import Standing


@dataclass(frozen=True, slots=True)
class Address:
    """Where something of a piece of evidence is: absolute, and what it is."""

    url: str
    media_type: str
    title: str


def name_of(key: str) -> str:
    """The name of the resource of an evidence key."""
    return f"evidence {key}"


def evidence_of(ledger: Sequence[Evidence], frame: Frame) -> dict[str, Resource]:
    """A resource for each piece by its name."""
    return {name_of(item.key): _document(item, frame) for item in ledger}


def addresses(item: Evidence, base: str, page: int | None = None) -> list[Address]:
    """Where a piece of evidence opens, what a person wants first at the front; `page`: where the quote begins."""
    if item.kind is EvidenceKind.CASE:
        case = f"{base}/v1/cases/{quote(item.id, safe='')}"
        record = Address(case, "application/json", f"Reference case {item.id}")
        # A case whose licence forbids showing it has no picture here.
        return [Address(f"{case}/picture", "image/webp", f"Picture of {item.id}"), record] if item.picture else [record]
    number = page or item.first_page or 1
    document = f"{base}/v1/documents/{quote(item.version_id or item.document_id or '', safe='')}"
    title = f"{item.title}, page {number}"
    return [
        Address(f"{document}/pages/{number}/image", "image/png", title),
        Address(f"{document}/file#page={number}", "application/pdf", title),
    ]


def described(item: Evidence) -> str:
    """One line on what it is, where it stands and what may be done with it."""
    pages = None
    if item.first_page is not None:
        several = item.last_page not in (None, item.first_page)
        pages = f"pages {item.first_page} to {item.last_page}" if several else f"page {item.first_page}"
    standing = item.standing.value if item.standing not in (None, Standing.IN_FORCE) else None
    parts = (item.title, " > ".join(item.section), pages, standing, item.licence and f"licence {item.licence}")
    return f"{item.key}: " + ", ".join(part for part in parts if part)


def _document(item: Evidence, frame: Frame) -> Resource:
    case = item.kind is EvidenceKind.CASE
    kind = f"Reference case labelled {item.label}" if case else "Passage of a clinical guideline"
    return frame.resource(
        "DocumentReference", name_of(item.key), asserted=False, masterIdentifier=identifier(item.kind.value, item.id),
        identifier=[identifier("version", item.version_id)] if item.version_id else [],
        status="superseded" if item.standing is Standing.SUPERSEDED else "current",
        type=concept(kind), description=plain(described(item)),
        content=[{"attachment": _attachment(one)} for one in addresses(item, frame.about.base)],
    )  # fmt: skip


def _attachment(address: Address) -> Resource:
    return filled({"contentType": address.media_type, "url": address.url, "title": plain(address.title)})
