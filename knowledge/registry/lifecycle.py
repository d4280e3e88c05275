"""Documents and their versions: what was taken in, what is approved, superseded, retired and deleted.

    (nothing) -> draft -> live <-> superseded
                           |  \\       |
                           v   <---> retired          any of them -> (deleted)

At most one version of a document is live. What makes one live supersedes the one before in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from knowledge.errors import NotFound, TransitionRefused
from knowledge.registry.audit import UNKNOWN_ACTOR, record
from knowledge.registry.documents import NO_DOCUMENT, Documents, version_row, versions_where
from knowledge.registry.jobs import ItemEnd, write_end
from knowledge.registry.rows import (
    bury,
    document_id_of,
    exists,
    insert_all,
    next_generation,
    now,
    passage_rows,
    source_values,
)
from knowledge.registry.tables import DOCUMENTS, JOB_ITEMS, PAGES, PASSAGES, VERSIONS
from knowledge.types import (
    Cut,
    DocumentVersion,
    Page,
    Source,
    VersionState,
)


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


class Lifecycle(Documents):
    """Changes of the documents of one database."""

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
            others = versions_where(connection, VERSIONS.c.document_id == document_id)
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
            return versions_where(connection, VERSIONS.c.id == new.id)[0]

    def approve(self, version_id: str, actor: str = UNKNOWN_ACTOR, *, four_eyes: bool = False) -> DocumentVersion:
        """Make a draft live, or a superseded or retired version live again; what was live is superseded in the same step.

        Raises NotFound, and TransitionRefused for a live one, or where `four_eyes` wants another person than who added it.
        """
        with self._database.write() as connection:
            version = version_row(connection, version_id)
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
            return version_row(connection, version_id)

    def retire(self, version_id: str, actor: str = UNKNOWN_ACTOR) -> DocumentVersion:
        """Take a live or superseded version out of use; it can still be opened. Raises NotFound, TransitionRefused."""
        with self._database.write() as connection:
            version = version_row(connection, version_id)
            if version.state not in {VersionState.LIVE, VersionState.SUPERSEDED}:
                raise TransitionRefused(
                    "not_live", f"the version is {version.state}; only what is live or superseded can be retired"
                )
            next_generation(connection)
            retired = {"state": VersionState.RETIRED}
            connection.execute(update(VERSIONS).where(VERSIONS.c.id == version_id).values(**retired))
            record(connection, actor, "retire", "version", version_id, was=version.state)
            return version_row(connection, version_id)

    def describe(self, version_id: str, source: Source, actor: str = UNKNOWN_ACTOR) -> DocumentVersion:
        """Correct what is known of a version's source. Raises NotFound."""
        with self._database.write() as connection:
            before = version_row(connection, version_id)
            if before.source == source:
                return before
            next_generation(connection)  # a date or a licence decides what may be found
            connection.execute(update(VERSIONS).where(VERSIONS.c.id == version_id).values(**source_values(source)))
            changed = sorted(k for k, v in source_values(source).items() if v != source_values(before.source)[k])
            record(connection, actor, "describe", "version", version_id, changed=changed)
            return version_row(connection, version_id)

    def delete_version(self, version_id: str, actor: str = UNKNOWN_ACTOR) -> tuple[str, ...]:
        """Make one version invisible and forget it, in one step; its document goes with the last. Returns passage ids.

        Raises NotFound.
        """
        with self._database.write() as connection:
            version = version_row(connection, version_id)
            ids = _delete_versions(connection, [version], actor)
            if not versions_where(connection, VERSIONS.c.document_id == version.document_id):
                connection.execute(delete(DOCUMENTS).where(DOCUMENTS.c.id == version.document_id))
        return ids

    def delete_document(self, document_id: str, actor: str = UNKNOWN_ACTOR) -> tuple[str, ...]:
        """Make a document with all its versions invisible and forget it, in one step. Returns passage ids.

        Raises NotFound.
        """
        document_id = self.document(document_id).id
        with self._database.write() as connection:
            ids = _delete_versions(connection, versions_where(connection, VERSIONS.c.document_id == document_id), actor)
            connection.execute(delete(DOCUMENTS).where(DOCUMENTS.c.id == document_id))
            record(connection, actor, "delete", "document", document_id)
        return ids


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
