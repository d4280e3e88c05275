"""Reading and writing documents, passages and cases. Every visible change is one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from knowledge.errors import NotFound, StorageFailed
from knowledge.registry.database import Database
from knowledge.registry.facts import Facts
from knowledge.registry.rows import (
    CASE_COLUMNS,
    DOCUMENTS_WITH_VERSION,
    GUARD_COLUMNS,
    PASSAGE_COLUMNS,
    SOURCE_COLUMNS,
    CaseGuard,
    document_id_of,
    document_of,
    passage_of,
    passage_rows,
)
from knowledge.registry.tables import CASES, CORPUS, DOCUMENTS, PAGES, PASSAGES, TOMBSTONES, VERSIONS
from knowledge.types import (
    Cut,
    Document,
    ExtractedText,
    Outcome,
    Page,
    PageState,
    Passage,
    ReferenceCase,
    Source,
    VersionState,
)

IDS_PER_QUERY = 500  # SQLite refuses statements with too many variables


class Registry:
    """The one source of truth. Reads see committed states only; writers queue."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._database.upgrade()
        self.facts = Facts(self._database)

    @classmethod
    def in_folder(cls, folder: Path) -> "Registry":
        """The SQLite registry of a home folder, made when it is not there. Raises StorageFailed."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailed(f"the folder of the registry cannot be made: {error.strerror}.") from error
        return cls(f"sqlite:///{folder / 'registry.sqlite3'}")

    def close(self) -> None:
        """Give every connection back."""
        self._database.close()

    # --- the corpus generation -------------------------------------------------------------------------------------

    def corpus_generation(self) -> int:
        """A number that grows by one with every visible change. Cheap: asked once a request."""
        with self._database.read() as connection:
            return int(connection.execute(select(CORPUS.c.generation)).scalar_one())

    def tombstones(self, since: int) -> frozenset[str]:
        """Ids that an index built at generation `since` holds although they are gone."""
        with self._database.read() as connection:
            rows = connection.execute(select(TOMBSTONES.c.item_id).where(TOMBSTONES.c.gone_since > since))
            return frozenset(rows.scalars())

    def changes_since(self, generation: int) -> int:
        """How many items came or went after an index was built at `generation`."""
        tables = ((PASSAGES, "live_since"), (CASES, "live_since"), (TOMBSTONES, "gone_since"))
        with self._database.read() as connection:
            return sum(
                connection.execute(select(func.count()).where(table.c[column] > generation)).scalar_one()
                for table, column in tables
            )

    # --- documents -------------------------------------------------------------------------------------------------

    def add_document(
        self, source: Source, *, version_id: str, size: int, text_sha256: str, extracted: ExtractedText,
        passages: Sequence[tuple[str, Cut]],
    ) -> bool:  # fmt: skip
        """Make one version live with all its pages and passages. False when these bytes are already there."""
        document_id = document_id_of(version_id)
        now = _now()
        with self._database.write() as connection:
            if _exists(connection, VERSIONS, version_id):
                return False
            generation = _next_generation(connection)
            connection.execute(insert(DOCUMENTS).values(id=document_id, created_at=now, **asdict(source)))
            connection.execute(
                insert(VERSIONS).values(
                    id=version_id,
                    document_id=document_id,
                    state=VersionState.LIVE,
                    text_sha256=text_sha256,
                    bytes=size,
                    page_count=len(extracted.pages),
                    passage_count=len(passages),
                    warnings=list(extracted.warnings),
                    created_at=now,
                )
            )
            _insert_all(connection, PAGES, ({"version_id": version_id, **asdict(page)} for page in extracted.pages))
            _insert_all(connection, PASSAGES, passage_rows(version_id, passages, generation))
        return True

    def has_version(self, version_id: str) -> bool:
        """Whether these exact bytes are a document already."""
        with self._database.read() as connection:
            return _exists(connection, VERSIONS, version_id)

    def documents(self) -> tuple[Document, ...]:
        """Every document, by title, then id."""
        with self._database.read() as connection:
            return tuple(document_of(row) for row in connection.execute(DOCUMENTS_WITH_VERSION))

    def document(self, document_id: str) -> Document:
        """One document by its id or an exact version id. Raises NotFound."""
        query = DOCUMENTS_WITH_VERSION.where((DOCUMENTS.c.id == document_id) | (VERSIONS.c.id == document_id))
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound("no such document. List them: dermacite documents list")
        return document_of(row)

    def pages(self, version_id: str) -> tuple[Page, ...]:
        """The pages of a version in order."""
        query = select(PAGES).where(PAGES.c.version_id == version_id).order_by(PAGES.c.number)
        with self._database.read() as connection:
            return tuple(
                Page(row.number, row.start, row.end, PageState(row.state), row.reason)
                for row in connection.execute(query)
            )

    def delete_document(self, document_id: str) -> tuple[str, ...]:
        """Make a document and its passages invisible and forget them, in one step; return the passages' ids.

        Raises NotFound.
        """
        version = self.document(document_id).version
        with self._database.write() as connection:
            generation = _next_generation(connection)
            ids = tuple(connection.execute(select(PASSAGES.c.id).where(PASSAGES.c.version_id == version.id)).scalars())
            _bury(connection, ids, generation)
            connection.execute(delete(PASSAGES).where(PASSAGES.c.version_id == version.id))
            connection.execute(delete(PAGES).where(PAGES.c.version_id == version.id))
            connection.execute(delete(VERSIONS).where(VERSIONS.c.id == version.id))
            connection.execute(delete(DOCUMENTS).where(DOCUMENTS.c.id == version.document_id))
        return ids

    def forget_deleted(self) -> bool:
        """Take what was deleted out of the database's log too. False when a reader kept it from that."""
        return self._database.empty_log()

    # --- passages --------------------------------------------------------------------------------------------------

    def passage_texts(self, since: int = 0) -> list[tuple[str, str]]:
        """(id, text) of every live passage that became visible after generation `since`, by id."""
        query = (
            select(PASSAGES.c.id, PASSAGES.c.text)
            .join(VERSIONS)
            .where(PASSAGES.c.live_since > since, VERSIONS.c.state == VersionState.LIVE)
            .order_by(PASSAGES.c.id)
        )
        with self._database.read() as connection:
            return [(row.id, row.text) for row in connection.execute(query)]

    def texts_of_version(self, version_id: str) -> list[str]:
        """The passage texts of one version, in the order of the document."""
        query = select(PASSAGES.c.text).where(PASSAGES.c.version_id == version_id).order_by(PASSAGES.c.start)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def passages(self, ids: Sequence[str]) -> dict[str, Passage]:
        """Live passages by id; an id that is not live is simply absent."""
        query = select(*PASSAGE_COLUMNS, *SOURCE_COLUMNS).select_from(PASSAGES.join(VERSIONS).join(DOCUMENTS))
        found: dict[str, Passage] = {}
        with self._database.read() as connection:
            for some in _slices(ids):
                live = query.where(PASSAGES.c.id.in_(some), VERSIONS.c.state == VersionState.LIVE)
                found.update((row.id, passage_of(row)) for row in connection.execute(live))
        return found

    # --- cases -----------------------------------------------------------------------------------------------------

    def put_cases(self, cases: Sequence[ReferenceCase]) -> dict[str, Outcome]:
        """Make all `cases` visible in one step. Returns {id: added, unchanged or replaced}.

        A case with the dataset and picture of an older one takes its place ("replaced").
        """
        outcome: dict[str, Outcome] = {}
        with self._database.write() as connection:
            generation: int | None = None
            for case in cases:
                if _exists(connection, CASES, case.id):
                    outcome.setdefault(case.id, Outcome.UNCHANGED)
                    continue
                generation = generation or _next_generation(connection)
                outcome[case.id] = _replace_case(connection, case, generation)
        return outcome

    def case_captions(self, since: int = 0) -> list[tuple[str, str, str]]:
        """(id, picture sha256, caption) of every case that became visible after generation `since`, by id."""
        query = (
            select(CASES.c.id, CASES.c.picture, CASES.c.caption).where(CASES.c.live_since > since).order_by(CASES.c.id)
        )
        with self._database.read() as connection:
            return [(row.id, row.picture, row.caption) for row in connection.execute(query)]

    def case_guards(self) -> list[CaseGuard]:
        """What the leak guard must know, of every live case, by id."""
        with self._database.read() as connection:
            return [CaseGuard(*row) for row in connection.execute(select(*GUARD_COLUMNS).order_by(CASES.c.id))]

    def cases(self, ids: Sequence[str]) -> dict[str, ReferenceCase]:
        """Live cases by id; an id that is not live is simply absent."""
        found: dict[str, ReferenceCase] = {}
        with self._database.read() as connection:
            for some in _slices(ids):
                rows = connection.execute(select(*CASE_COLUMNS).where(CASES.c.id.in_(some)))
                found.update((row.id, ReferenceCase(**row._mapping)) for row in rows)
        return found

    def datasets(self) -> frozenset[str]:
        """Names of the collections that have live cases."""
        with self._database.read() as connection:
            return frozenset(connection.execute(select(CASES.c.dataset).distinct()).scalars())

    def case(self, case_id: str) -> ReferenceCase:
        """One case. Raises NotFound."""
        case = self.cases([case_id]).get(case_id)
        if case is None:
            raise NotFound("no such reference case, or it was deleted")
        return case

    def integrity_problems(self) -> list[str]:
        """What the database itself finds wrong; empty is good."""
        return self._database.integrity_problems()

    def counts(self) -> dict[str, int]:
        """How many documents, passages and cases are live."""
        with self._database.read() as connection:
            return {
                table.name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
                for table in (DOCUMENTS, PASSAGES, CASES)
            }

    def blobs_in_use(self) -> frozenset[str]:
        """The sha256 of every stored file that something live points at."""
        with self._database.read() as connection:
            used = set(connection.execute(select(CASES.c.picture)).scalars())
            for row in connection.execute(select(VERSIONS.c.id, VERSIONS.c.text_sha256)):
                used.update((row.id, row.text_sha256))
        return frozenset(used - {None})


def _replace_case(connection: Connection, case: ReferenceCase, generation: int) -> Outcome:
    same_picture = (CASES.c.dataset == case.dataset) & (CASES.c.original == case.original)
    older = tuple(connection.execute(select(CASES.c.id).where(same_picture)).scalars())
    _bury(connection, older, generation)
    connection.execute(delete(CASES).where(same_picture))
    connection.execute(insert(CASES).values(**asdict(case), live_since=generation))
    return Outcome.REPLACED if older else Outcome.ADDED


def _bury(connection: Connection, ids: Iterable[str], generation: int) -> None:
    """Remember that `ids` are gone. An id that comes back and goes again moves to the newer generation."""
    for some in _slices(tuple(ids)):
        connection.execute(delete(TOMBSTONES).where(TOMBSTONES.c.item_id.in_(some)))
        _insert_all(connection, TOMBSTONES, ({"item_id": item, "gone_since": generation} for item in some))


def _next_generation(connection: Connection) -> int:
    connection.execute(update(CORPUS).values(generation=CORPUS.c.generation + 1))
    return int(connection.execute(select(CORPUS.c.generation)).scalar_one())


def _exists(connection: Connection, table: Any, item_id: str) -> bool:
    return connection.execute(select(table.c.id).where(table.c.id == item_id)).first() is not None


def _insert_all(connection: Connection, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    rows = list(rows)
    if rows:
        connection.execute(insert(table), rows)


def _slices(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield ids[start : start + IDS_PER_QUERY]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
