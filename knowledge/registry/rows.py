"""Rows of the tables as the nouns of knowledge.types, and back."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Row, select

from knowledge.registry.tables import CASES, DOCUMENTS, PASSAGES, VERSIONS
from knowledge.types import Cut, Document, DocumentVersion, Passage, ReferenceCase, Source, VersionState


@dataclass(frozen=True, slots=True)
class CaseGuard:
    """What the leak guard must know of a reference case. `perceptual_hash` is 16 hex digits."""

    id: str
    dataset: str
    label: str
    picture: str
    original: str
    perceptual_hash: str
    subject: str | None
    lesion: str | None
    split: str | None
    source: str | None = None


CASE_COLUMNS = [CASES.c[field.name] for field in fields(ReferenceCase)]
PASSAGE_COLUMNS = [*PASSAGES.c, VERSIONS.c.document_id]
GUARD_COLUMNS = [CASES.c[field.name] for field in fields(CaseGuard)]
SOURCE_COLUMNS = [DOCUMENTS.c[field.name] for field in fields(Source)]
DOCUMENTS_WITH_VERSION = (
    select(
        VERSIONS,
        *SOURCE_COLUMNS,
    )
    .select_from(DOCUMENTS.join(VERSIONS))
    .order_by(DOCUMENTS.c.title, DOCUMENTS.c.id)
)


def document_id_of(version_id: str) -> str:
    """The id of the document whose first version has these bytes."""
    return f"d-{version_id[:20]}"


def source_of(row: Row[Any]) -> Source:
    """From a row that has SOURCE_COLUMNS."""
    return Source(**{field.name: row._mapping[field.name] for field in fields(Source)})


def document_of(row: Row[Any]) -> Document:
    """From a row of DOCUMENTS_WITH_VERSION."""
    values = {field.name: row._mapping[field.name] for field in fields(DocumentVersion)}
    values.update(state=VersionState(row.state), warnings=tuple(row.warnings))
    return Document(row.document_id, source_of(row), DocumentVersion(**values))


def passage_of(row: Row[Any]) -> Passage:
    """From a row that has PASSAGE_COLUMNS and SOURCE_COLUMNS."""
    return Passage(
        row.id, row.document_id, row.version_id, row.start, row.end, row.text, row.first_page, row.last_page,
        tuple(row.section), source_of(row),
    )  # fmt: skip


def passage_rows(version_id: str, passages: Iterable[tuple[str, Cut]], generation: int) -> Iterator[dict[str, Any]]:
    """What to insert for (id, cut) of one version that becomes visible in `generation`."""
    for passage_id, cut in passages:
        row = asdict(cut)
        del row["tokens"]
        yield {
            **row,
            "id": passage_id,
            "version_id": version_id,
            "section": list(cut.section),
            "live_since": generation,
        }
