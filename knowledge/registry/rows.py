"""Rows of the tables as the nouns of knowledge.types, and back; and how rows are written."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from knowledge.registry.tables import CASES, CORPUS, JOB_ITEMS, PASSAGES, TOMBSTONES, VERSIONS
from knowledge.types import (
    Cut,
    Document,
    DocumentVersion,
    Page,
    Passage,
    ReferenceCase,
    Role,
    Source,
    VersionState,
    standing_of,
)

IDS_PER_QUERY = 500  # SQLite refuses statements with too many variables


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


# What stands in an index: whatever was approved once. A view leaves out what is not in force, unless it is asked for.
SEARCHED = (VersionState.LIVE, VersionState.SUPERSEDED, VersionState.RETIRED)

CASE_COLUMNS = [CASES.c[field.name] for field in fields(ReferenceCase)]
GUARD_COLUMNS = [CASES.c[field.name] for field in fields(CaseGuard)]
SOURCE_COLUMNS = [VERSIONS.c[field.name] for field in fields(Source)]
PASSAGE_COLUMNS = [*PASSAGES.c, VERSIONS.c.document_id, VERSIONS.c.state]


def document_id_of(version_id: str) -> str:
    """The id of the document whose first version has these bytes."""
    return f"d-{version_id[:20]}"


def now() -> str:
    """This second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def today() -> date:
    """The day by which evidence is in force or expired."""
    return datetime.now(UTC).date()


def source_of(row: Row[Any]) -> Source:
    """From a row that has SOURCE_COLUMNS."""
    return Source(**{field.name: row._mapping[field.name] for field in fields(Source)})


def version_of(row: Row[Any]) -> DocumentVersion:
    """From a row that has all columns of VERSIONS."""
    values = {field.name: row._mapping[field.name] for field in fields(DocumentVersion) if field.name != "source"}
    values.update(state=VersionState(row.state), warnings=tuple(row.warnings))
    return DocumentVersion(**values, source=source_of(row))


def document_of(versions: Sequence[DocumentVersion]) -> Document:
    """Of all versions of one document, at least one, in order."""
    live = [one for one in versions if one.state is VersionState.LIVE]
    current = (live or versions)[-1]
    return Document(current.document_id, current.source, current, len(versions))


def passage_of(row: Row[Any], day: date) -> Passage:
    """From a row that has PASSAGE_COLUMNS and SOURCE_COLUMNS."""
    source = source_of(row)
    return Passage(
        row.id, row.document_id, row.version_id, row.start, row.end, row.text, row.first_page, row.last_page,
        tuple(row.section), source, Role(row.role), row.header, row.ocr,
        standing_of(VersionState(row.state), source, day),
    )  # fmt: skip


def source_values(source: Source) -> dict[str, Any]:
    """What to write into SOURCE_COLUMNS."""
    return {**asdict(source), "tags": list(source.tags)}


def passage_rows(
    version_id: str, passages: Iterable[tuple[str, Cut]], pages: Sequence[Page], generation: int
) -> Iterator[dict[str, Any]]:
    """What to insert for (id, cut) of one version that becomes visible in `generation`, 0 for a draft."""
    recognised = {page.number: page.confidence for page in pages if page.confidence is not None}
    for passage_id, cut in passages:
        of_pages = [recognised[one] for one in range(cut.first_page, cut.last_page + 1) if one in recognised]
        row = asdict(cut)
        del row["tokens"]
        yield {
            **row,
            "id": passage_id,
            "version_id": version_id,
            "section": list(cut.section),
            "live_since": generation,
            "ocr": min(of_pages, default=None),
        }


def next_generation(connection: Connection) -> int:
    """Raise the corpus generation by one, for a change that becomes visible."""
    connection.execute(update(CORPUS).values(generation=CORPUS.c.generation + 1))
    return generation_of(connection)


def generation_of(connection: Connection) -> int:
    """The corpus generation."""
    return int(connection.execute(select(CORPUS.c.generation)).scalar_one())


def blobs_used(connection: Connection) -> frozenset[str]:
    """The sha256 of every stored file that something points at: evidence, or a job that is not done with it."""
    used = set(connection.execute(select(CASES.c.picture)).scalars())
    for row in connection.execute(select(VERSIONS.c.id, VERSIONS.c.text_sha256, VERSIONS.c.lines_sha256)):
        used.update(row)
    used.update(connection.execute(select(JOB_ITEMS.c.file)).scalars())
    return frozenset(used - {None})


def bury(connection: Connection, ids: Iterable[str], generation: int) -> None:
    """Remember that `ids` are gone. An id that comes back and goes again moves to the newer generation."""
    for some in slices(tuple(ids)):
        connection.execute(delete(TOMBSTONES).where(TOMBSTONES.c.item_id.in_(some)))
        insert_all(connection, TOMBSTONES, ({"item_id": item, "gone_since": generation} for item in some))


def exists(connection: Connection, table: Any, item_id: str) -> bool:
    """Whether a row has this id."""
    return connection.execute(select(table.c.id).where(table.c.id == item_id)).first() is not None


def insert_all(connection: Connection, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows, perhaps none."""
    rows = list(rows)
    if rows:
        connection.execute(insert(table), rows)


def slices(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """`ids` in parts that fit into one statement."""
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield ids[start : start + IDS_PER_QUERY]


def count_of(connection: Connection, table: Any) -> int:
    """How many rows a table has."""
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
