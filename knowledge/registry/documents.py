"""Documents and their versions: what was taken in, what is approved, superseded, retired and deleted.

    (nothing) -> draft -> live <-> superseded
                           |  \\       |
                           v   <---> retired          any of them -> (deleted)

At most one version of a document is live. What makes one live supersedes the one before in the same transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from knowledge.errors import NotFound, TransitionRefused
from knowledge.registry.audit import UNKNOWN_ACTOR, record
from knowledge.registry.database import Database
from knowledge.registry.jobs import ItemEnd, write_end
from knowledge.registry.rows import (
    PASSAGE_COLUMNS,
    SEARCHED,
    SOURCE_COLUMNS,
    bury,
    document_id_of,
    document_of,
    exists,
    insert_all,
    next_generation,
    now,
    passage_of,
    passage_rows,
    slices,
    source_values,
    today,
    version_of,
)
from knowledge.registry.tables import DOCUMENTS, JOB_ITEMS, PAGES, PASSAGES, VERSIONS
from knowledge.types import (
    Cut,
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
NO_DOCUMENT = "no such document. List them: dermacite documents list"


@dataclass(frozen=True, slots=True)
class NewVersion:
    """One version, ready to be seen: its files are stored and its passages have vectors.

    `document_id` names the document that it is a version of; None: a document of its own.
    """

    id: str
    source: Source
    size: int
    text_sha256: str
    pages: Sequence[Page]
    passages: Sequence[tuple[str, Cut]]
    lines_sha256: str | None = None
    warnings: Sequence[str] = field(default_factory=tuple)
    document_id: str | None = None


class Documents:
    """The documents of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- changes ---------------------------------------------------------------------------------------------------

    def add_version(
        self, new: NewVersion, state: VersionState = VersionState.LIVE, actor: str = UNKNOWN_ACTOR,
        ends: ItemEnd | None = None,
    ) -> DocumentVersion | None:  # fmt: skip
        """Put a version in as draft, live or superseded, with all its pages and passages. None when it is there already.

        A live one supersedes the live one before. `ends` is the file of a job that comes to its end by this, in the same
        step: a kill in between would let it say later that it found the bytes there. Raises NotFound for an unknown document.
        """
        document_id = new.document_id or document_id_of(new.id)
        with self._database.write() as connection:
            if exists(connection, VERSIONS, new.id):
                return None
            others = _versions(connection, VERSIONS.c.document_id == document_id)
            if new.document_id is not None and not others:
                raise NotFound(NO_DOCUMENT)
            # Not how many there are: one in the middle may have been deleted.
            number = 1 + max((one.number for one in others), default=0)
            if not others:
                connection.execute(insert(DOCUMENTS).values(id=document_id, created_at=now()))
            generation = 0 if state is VersionState.DRAFT else next_generation(connection)
            _insert_version(connection, new, document_id, number, state, actor)
            insert_all(connection, PASSAGES, passage_rows(new.id, new.passages, new.pages, generation))
            if state is VersionState.LIVE:
                _supersede_others(connection, document_id, new.id, actor)
            elif state is VersionState.SUPERSEDED:
                live = _live(connection, document_id)
                connection.execute(update(VERSIONS).where(VERSIONS.c.id == new.id).values(superseded_by=live))
            if ends is not None:
                write_end(connection, ends, state, keep=False)
            record(connection, actor, "add", "version", new.id, document=document_id, number=number, state=state)
            return _versions(connection, VERSIONS.c.id == new.id)[0]

    def approve(self, version_id: str, actor: str = UNKNOWN_ACTOR, *, four_eyes: bool = False) -> DocumentVersion:
        """Make a draft live, or a superseded or retired version live again; what was live is superseded in the same step.

        Raises NotFound, and TransitionRefused for a live one, or where `four_eyes` wants another person than who added it.
        """
        with self._database.write() as connection:
            version = _version(connection, version_id)
            if version.state is VersionState.LIVE:
                raise TransitionRefused("already_live", "the version is live already; there is nothing to approve")
            if four_eyes and version.added_by in {actor, None, UNKNOWN_ACTOR}:
                raise TransitionRefused(
                    "four_eyes", "another person than the one who added the version must approve it (setting: approval)"
                )
            generation = next_generation(connection)
            if version.state is VersionState.DRAFT:
                mine = PASSAGES.c.version_id == version_id
                connection.execute(update(PASSAGES).where(mine).values(live_since=generation))
            values = {"state": VersionState.LIVE, "approved_by": actor, "approved_at": now(), "superseded_by": None}
            connection.execute(update(VERSIONS).where(VERSIONS.c.id == version_id).values(**values))
            _supersede_others(connection, version.document_id, version_id, actor)
            record(connection, actor, "approve", "version", version_id, was=version.state)
            return _version(connection, version_id)

    def retire(self, version_id: str, actor: str = UNKNOWN_ACTOR) -> DocumentVersion:
        """Take a live or superseded version out of use; it can still be opened. Raises NotFound, TransitionRefused."""
        with self._database.write() as connection:
            version = _version(connection, version_id)
            if version.state not in {VersionState.LIVE, VersionState.SUPERSEDED}:
                raise TransitionRefused(
                    "not_live", f"the version is {version.state}; only what is live or superseded can be retired"
                )
            next_generation(connection)
            retired = {"state": VersionState.RETIRED}
            connection.execute(update(VERSIONS).where(VERSIONS.c.id == version_id).values(**retired))
            record(connection, actor, "retire", "version", version_id, was=version.state)
            return _version(connection, version_id)

    def describe(self, version_id: str, source: Source, actor: str = UNKNOWN_ACTOR) -> DocumentVersion:
        """Correct what is known of a version's source. Raises NotFound."""
        with self._database.write() as connection:
            before = _version(connection, version_id)
            if before.source == source:
                return before
            next_generation(connection)  # a date or a licence decides what may be found
            connection.execute(update(VERSIONS).where(VERSIONS.c.id == version_id).values(**source_values(source)))
            changed = sorted(k for k, v in source_values(source).items() if v != source_values(before.source)[k])
            record(connection, actor, "describe", "version", version_id, changed=changed)
            return _version(connection, version_id)

    def delete_version(self, version_id: str, actor: str = UNKNOWN_ACTOR) -> tuple[str, ...]:
        """Make one version invisible and forget it, in one step; its document goes with the last. Returns passage ids.

        Raises NotFound.
        """
        with self._database.write() as connection:
            version = _version(connection, version_id)
            ids = _delete_versions(connection, [version], actor)
            if not _versions(connection, VERSIONS.c.document_id == version.document_id):
                connection.execute(delete(DOCUMENTS).where(DOCUMENTS.c.id == version.document_id))
        return ids

    def delete_document(self, document_id: str, actor: str = UNKNOWN_ACTOR) -> tuple[str, ...]:
        """Make a document with all its versions invisible and forget it, in one step. Returns passage ids.

        Raises NotFound.
        """
        document_id = self.document(document_id).id
        with self._database.write() as connection:
            ids = _delete_versions(connection, _versions(connection, VERSIONS.c.document_id == document_id), actor)
            connection.execute(delete(DOCUMENTS).where(DOCUMENTS.c.id == document_id))
            record(connection, actor, "delete", "document", document_id)
        return ids

    # --- reads -----------------------------------------------------------------------------------------------------

    def has_version(self, version_id: str) -> bool:
        """Whether these exact bytes are a version already."""
        with self._database.read() as connection:
            return exists(connection, VERSIONS, version_id)

    def documents(self) -> tuple[Document, ...]:
        """Every document, by title, then id."""
        with self._database.read() as connection:
            versions = _versions(connection)
        of: dict[str, list[DocumentVersion]] = {}
        for version in versions:
            of.setdefault(version.document_id, []).append(version)
        return tuple(sorted(map(document_of, of.values()), key=lambda one: (one.source.title, one.id)))

    def document(self, document_id: str) -> Document:
        """One document by its id or the id of any of its versions. Raises NotFound."""
        return document_of(self.versions(document_id))

    def versions(self, document_id: str) -> tuple[DocumentVersion, ...]:
        """All versions of a document, by its id or that of one of them, the earliest first. Raises NotFound."""
        named = select(VERSIONS.c.document_id).where(VERSIONS.c.id == document_id)
        mine = (VERSIONS.c.document_id == document_id) | VERSIONS.c.document_id.in_(named)
        with self._database.read() as connection:
            found = _versions(connection, mine)
        if not found:
            raise NotFound(NO_DOCUMENT)
        return found

    def version(self, version_id: str) -> DocumentVersion:
        """One version, whatever its state. Raises NotFound."""
        with self._database.read() as connection:
            return _version(connection, version_id)

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
        query = select(PASSAGES.c.text, PASSAGES.c.header).join(VERSIONS).where(which).order_by(PASSAGES.c.start)
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
        mine = query.where(PASSAGES.c.version_id == version_id).order_by(PASSAGES.c.start)
        day = today()
        with self._database.read() as connection:
            return [passage_of(row, day) for row in connection.execute(mine)]


def _insert_version(
    connection: Connection, new: NewVersion, document_id: str, number: int, state: VersionState, actor: str
) -> None:
    approved = state is not VersionState.DRAFT
    connection.execute(
        insert(VERSIONS).values(
            id=new.id,
            document_id=document_id,
            number=number,
            state=state,
            text_sha256=new.text_sha256,
            lines_sha256=new.lines_sha256,
            bytes=new.size,
            page_count=len(new.pages),
            passage_count=len(new.passages),
            warnings=list(new.warnings),
            created_at=now(),
            added_by=actor,
            approved_by=actor if approved else None,
            approved_at=now() if approved else None,
            **source_values(new.source),
        )
    )
    pages = (
        {"version_id": new.id, "number": page.number, "start": page.start, "end": page.end, "state": page.state,
         "reason": page.reason, "confidence": page.confidence}
        for page in new.pages
    )  # fmt: skip
    insert_all(connection, PAGES, pages)


def _versions(connection: Connection, which: object = None) -> tuple[DocumentVersion, ...]:
    query = select(VERSIONS).order_by(VERSIONS.c.document_id, VERSIONS.c.number)
    rows = connection.execute(query if which is None else query.where(which))  # type: ignore[arg-type]
    return tuple(map(version_of, rows))


def _version(connection: Connection, version_id: str) -> DocumentVersion:
    found = _versions(connection, VERSIONS.c.id == version_id)
    if not found:
        raise NotFound("no such version of a document. List them: dermacite documents show DOCUMENT")
    return found[0]


def _live(connection: Connection, document_id: str) -> str | None:
    mine = (VERSIONS.c.document_id == document_id) & (VERSIONS.c.state == VersionState.LIVE)
    return connection.execute(select(VERSIONS.c.id).where(mine)).scalar_one_or_none()


def _supersede_others(connection: Connection, document_id: str, by: str, actor: str) -> None:
    mine = (VERSIONS.c.document_id == document_id) & (VERSIONS.c.state == VersionState.LIVE) & (VERSIONS.c.id != by)
    for (before,) in connection.execute(select(VERSIONS.c.id).where(mine)).all():
        values = {"state": VersionState.SUPERSEDED, "superseded_by": by}
        connection.execute(update(VERSIONS).where(VERSIONS.c.id == before).values(**values))
        record(connection, actor, "supersede", "version", before, by=by)


def _delete_versions(connection: Connection, versions: Sequence[DocumentVersion], actor: str) -> tuple[str, ...]:
    generation = next_generation(connection)
    gone: list[str] = []
    for version in versions:
        mine = PASSAGES.c.version_id == version.id
        gone += connection.execute(select(PASSAGES.c.id).where(mine).order_by(PASSAGES.c.id)).scalars()
        for table in (PASSAGES, PAGES):
            connection.execute(delete(table).where(table.c.version_id == version.id))
        connection.execute(delete(VERSIONS).where(VERSIONS.c.id == version.id))
        # A job that was killed just after this version came in would keep its bytes.
        connection.execute(update(JOB_ITEMS).where(JOB_ITEMS.c.file == version.id).values(file=None))
        record(connection, actor, "delete", "version", version.id, document=version.document_id, was=version.state)
    bury(connection, gone, generation)
    return tuple(gone)
