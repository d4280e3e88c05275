"""What is known of evidence besides its words and pictures, one row each, for filters."""

from dataclasses import dataclass, fields

from sqlalchemy import select

from knowledge.registry.database import Database
from knowledge.registry.rows import SEARCHED, SOURCE_COLUMNS, source_of, today
from knowledge.registry.tables import CASES, PASSAGES, VERSIONS
from knowledge.types import Role, Source, Standing, VersionState, standing_of


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


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What filters ask of a document's version, as it stands today."""

    document_id: str
    source: Source
    standing: Standing


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

    def places_of_passages(self, since: int = 0) -> dict[str, tuple[str, Role]]:
        """Passage id -> (version id, role in it), of every passage that was approved once."""
        query = (
            select(PASSAGES.c.id, PASSAGES.c.version_id, PASSAGES.c.role)
            .join(VERSIONS)
            .where(PASSAGES.c.live_since > since, VERSIONS.c.state.in_(SEARCHED))
        )
        with self._database.read() as connection:
            return {row.id: (row.version_id, Role(row.role)) for row in connection.execute(query)}

    def versions(self) -> dict[str, VersionFacts]:
        """Version id -> what is known of it, of every version that was approved once."""
        query = select(VERSIONS.c.id, VERSIONS.c.document_id, VERSIONS.c.state, *SOURCE_COLUMNS)
        day = today()
        found: dict[str, VersionFacts] = {}
        with self._database.read() as connection:
            for row in connection.execute(query.where(VERSIONS.c.state.in_(SEARCHED))):
                source = source_of(row)
                standing = standing_of(VersionState(row.state), source, day)
                if standing is not None:
                    found[row.id] = VersionFacts(row.document_id, source, standing)
        return found
