"""Documents and their versions as they are: lists, single ones, pages and passages."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from knowledge.errors import NotFound
from knowledge.registry.database import Database
from knowledge.registry.rows import (
    PASSAGE_COLUMNS,
    SEARCHED,
    SOURCE_COLUMNS,
    document_of,
    exists,
    passage_of,
    slices,
    today,
    version_of,
)
from knowledge.registry.tables import PAGES, PASSAGES, VERSIONS
from knowledge.types import (
    Document,
    DocumentVersion,
    Page,
    PageState,
    Passage,
    Source,
    Standing,
    VersionState,
    searched_text,
)

IN_FORCE = frozenset({Standing.IN_FORCE})
IN_ORDER = (PASSAGES.c.start, PASSAGES.c.id)  # of a document
NO_DOCUMENT = "no such document. List them: dermacite documents list"


class Documents:
    """The documents of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_version(self, version_id: str) -> bool:
        """Whether these exact bytes are a version already."""
        with self._database.read() as connection:
            return exists(connection, VERSIONS, version_id)

    def documents(self) -> tuple[Document, ...]:
        """Every document, by title, then id."""
        with self._database.read() as connection:
            versions = versions_where(connection)
        return tuple(sorted(_documents(versions), key=lambda one: (one.source.title, one.id)))

    def documents_named(self, source: Source) -> tuple[Document, ...]:
        """Documents whose title, publisher and jurisdiction read like this source's, whatever their case and blanks."""
        wanted = _named(source)
        names = (VERSIONS.c.document_id, VERSIONS.c.title, VERSIONS.c.publisher, VERSIONS.c.jurisdiction)
        with self._database.read() as connection:
            # Case is folded here: databases fold ASCII alone, or as their locale has it. Only what fits is read whole.
            ids = {row.document_id for row in connection.execute(select(*names)) if _named(row) == wanted}
            versions = versions_where(connection, VERSIONS.c.document_id.in_(ids)) if ids else ()
        # An older version may have had the name that its document has no more.
        return tuple(one for one in _documents(versions) if _named(one.source) == wanted)

    def document(self, document_id: str) -> Document:
        """One document by its id or the id of any of its versions. Raises NotFound."""
        return document_of(self.versions(document_id))

    def versions(self, document_id: str) -> tuple[DocumentVersion, ...]:
        """All versions of a document, by its id or that of one of them, the earliest first. Raises NotFound."""
        named = select(VERSIONS.c.document_id).where(VERSIONS.c.id == document_id)
        mine = (VERSIONS.c.document_id == document_id) | VERSIONS.c.document_id.in_(named)
        with self._database.read() as connection:
            found = versions_where(connection, mine)
        if not found:
            raise NotFound(NO_DOCUMENT)
        return found

    def version(self, version_id: str) -> DocumentVersion:
        """One version, whatever its state. Raises NotFound."""
        with self._database.read() as connection:
            return version_row(connection, version_id)

    def version_named(self, document_id: str) -> DocumentVersion:
        """The very version of this id, or the current one of a document. Raises NotFound."""
        versions = self.versions(document_id)
        return next((one for one in versions if one.id == document_id), document_of(versions).version)

    def lines_of(self, version_id: str) -> str | None:
        """The name of the stored file that says where the lines of a version are on its pages, if there is one."""
        query = select(VERSIONS.c.lines_sha256).where(VERSIONS.c.id == version_id)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def pages(self, version_id: str) -> tuple[Page, ...]:
        """The pages of a version in order."""
        query = select(PAGES).where(PAGES.c.version_id == version_id).order_by(PAGES.c.number)
        with self._database.read() as connection:
            return tuple(
                Page(row.number, row.start, row.end, PageState(row.state), row.reason, row.confidence)
                for row in connection.execute(query)
            )

    def passage_texts(self, since: int = 0) -> list[tuple[str, str]]:
        """(id, text with its header) of every passage that was approved once and became visible after `since`, by id."""
        query = (
            select(PASSAGES.c.id, PASSAGES.c.text, PASSAGES.c.header)
            .join(VERSIONS)
            .where(PASSAGES.c.live_since > since, VERSIONS.c.state.in_(SEARCHED))
            .order_by(PASSAGES.c.id)
        )
        with self._database.read() as connection:
            return [(row.id, searched_text(row.text, row.header)) for row in connection.execute(query)]

    def draft_texts(self) -> list[str]:
        """The passage texts of drafts, with headers: they have vectors, and are in no index."""
        return self._texts(VERSIONS.c.state == VersionState.DRAFT)

    def texts_of_version(self, version_id: str) -> list[str]:
        """The passage texts of one version, with headers, in the order of the document."""
        return self._texts(PASSAGES.c.version_id == version_id)

    def _texts(self, which: ColumnElement[bool]) -> list[str]:
        query = select(PASSAGES.c.text, PASSAGES.c.header).join(VERSIONS).where(which).order_by(*IN_ORDER)
        with self._database.read() as connection:
            return [searched_text(row.text, row.header) for row in connection.execute(query)]

    def passages(self, ids: Sequence[str], standings: Collection[Standing] = IN_FORCE) -> dict[str, Passage]:
        """Passages of these standings by id; any other id is simply absent."""
        query = select(*PASSAGE_COLUMNS, *SOURCE_COLUMNS).select_from(PASSAGES.join(VERSIONS))
        found: dict[str, Passage] = {}
        day = today()
        with self._database.read() as connection:
            for some in slices(ids):
                rows = connection.execute(query.where(PASSAGES.c.id.in_(some), VERSIONS.c.state.in_(SEARCHED)))
                passages = (passage_of(row, day) for row in rows)
                found.update((one.id, one) for one in passages if one.standing in standings)
        return found

    def passages_of(self, version_id: str) -> list[Passage]:
        """All passages of one version, whatever its state, in the order of the document."""
        query = select(*PASSAGE_COLUMNS, *SOURCE_COLUMNS).select_from(PASSAGES.join(VERSIONS))
        mine = query.where(PASSAGES.c.version_id == version_id).order_by(*IN_ORDER)
        day = today()
        with self._database.read() as connection:
            return [passage_of(row, day) for row in connection.execute(mine)]


def _named(of: Source | Row[*tuple[Any, ...]]) -> tuple[str, ...]:
    return tuple(" ".join((one or "").casefold().split()) for one in (of.title, of.publisher, of.jurisdiction))


def _documents(versions: Iterable[DocumentVersion]) -> Iterator[Document]:
    """Of versions that stand by document and number."""
    for _, mine in groupby(versions, lambda one: one.document_id):
        yield document_of([*mine])


def versions_where(connection: Connection, which: object = None) -> tuple[DocumentVersion, ...]:
    """The versions that fit, or all, by document and number."""
    query = select(VERSIONS).order_by(VERSIONS.c.document_id, VERSIONS.c.number)
    rows = connection.execute(query if which is None else query.where(which))  # type: ignore[arg-type]
    return tuple(map(version_of, rows))


def version_row(connection: Connection, version_id: str) -> DocumentVersion:
    """One version. Raises NotFound."""
    found = versions_where(connection, VERSIONS.c.id == version_id)
    if not found:
        raise NotFound("no such version of a document. List them: dermacite documents show DOCUMENT")
    return found[0]
