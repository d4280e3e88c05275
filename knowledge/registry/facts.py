"""What is known of evidence besides its words and pictures, one row each, for filters."""

from dataclasses import dataclass, fields

from sqlalchemy import select

from knowledge.registry.database import Database
from knowledge.registry.rows import SOURCE_COLUMNS, source_of
from knowledge.registry.tables import CASES, DOCUMENTS, PASSAGES, VERSIONS
from knowledge.types import Source, VersionState


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What filters ask of a reference case. None of it ever changes: another fact makes another id."""

    id: str
    dataset: str
    label: str
    source: str | None
    skin_tone: str | None
    licence: str | None
    split: str | None


_CASE_COLUMNS = [CASES.c[field.name] for field in fields(CaseFacts)]


class Facts:
    """Reads of whole columns; `since` leaves out what was visible in that corpus generation already."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cases(self, since: int = 0) -> list[CaseFacts]:
        """Every live case."""
        with self._database.read() as connection:
            rows = connection.execute(select(*_CASE_COLUMNS).where(CASES.c.live_since > since))
            return [CaseFacts(*row) for row in rows]

    def document_of_passages(self, since: int = 0) -> dict[str, str]:
        """Passage id -> document id, of every live passage."""
        query = (
            select(PASSAGES.c.id, VERSIONS.c.document_id)
            .join(VERSIONS)
            .where(PASSAGES.c.live_since > since, VERSIONS.c.state == VersionState.LIVE)
        )
        with self._database.read() as connection:
            return {row.id: row.document_id for row in connection.execute(query)}

    def sources(self) -> dict[str, Source]:
        """Document id -> where it comes from, of every document with a live version."""
        query = (
            select(DOCUMENTS.c.id, *SOURCE_COLUMNS)
            .select_from(DOCUMENTS.join(VERSIONS))
            .where(VERSIONS.c.state == VersionState.LIVE)
        )
        with self._database.read() as connection:
            return {row.id: source_of(row) for row in connection.execute(query)}
