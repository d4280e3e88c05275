"""What past answers showed and cited: ids only, kept where a setting says so. Nothing of note, picture or patient."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, select

from knowledge.registry.database import Database
from knowledge.registry.rows import insert_all, now, slices
from knowledge.registry.tables import ANSWER_EVIDENCE, ANSWERS


@dataclass(frozen=True, slots=True)
class Shown:
    """One piece of evidence of an answer. `cited`: a statement of it quotes this; else it was only shown."""

    key: str
    kind: str
    item_id: str
    version_id: str | None
    cited: bool


@dataclass(frozen=True, slots=True)
class PastUse:
    """That an answer showed or cited an item, under `key` of its ledger."""

    answer_id: str
    at: str
    outcome: str
    key: str
    item_id: str
    cited: bool


class Answers:
    """The ledgers of past answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, answer_id: str, outcome: str, generation: int, evidence: Sequence[Shown]) -> None:
        """Keep the ledger of one answer that was made of corpus generation `generation`."""
        values = {"id": answer_id, "at": now(), "outcome": outcome, "generation": generation}
        rows = (
            {"answer_id": answer_id, "key": one.key, "kind": one.kind, "item_id": one.item_id,
             "version_id": one.version_id, "cited": one.cited}
            for one in evidence
        )  # fmt: skip
        with self._database.write() as connection:
            connection.execute(insert(ANSWERS).values(**values))
            insert_all(connection, ANSWER_EVIDENCE, rows)

    def uses_of(self, item_ids: Sequence[str]) -> list[PastUse]:
        """Every use of these items, the earliest first."""
        columns = (ANSWERS.c.id, ANSWERS.c.at, ANSWERS.c.outcome)
        mine = (ANSWER_EVIDENCE.c.key, ANSWER_EVIDENCE.c.item_id, ANSWER_EVIDENCE.c.cited)
        query = select(*columns, *mine).select_from(ANSWERS.join(ANSWER_EVIDENCE))
        found: list[PastUse] = []
        with self._database.read() as connection:
            for some in slices(item_ids):
                rows = connection.execute(query.where(ANSWER_EVIDENCE.c.item_id.in_(some)))
                found += [PastUse(*row) for row in rows]
        return sorted(found, key=lambda one: (one.at, one.answer_id, one.key))

    def used_items(self) -> frozenset[str]:
        """Ids of everything that any kept answer showed."""
        with self._database.read() as connection:
            return frozenset(connection.execute(select(ANSWER_EVIDENCE.c.item_id).distinct()).scalars())

    def kept(self) -> tuple[int, str | None]:
        """How many answers are kept, and from when the earliest is."""
        with self._database.read() as connection:
            number, since = connection.execute(select(func.count(), func.min(ANSWERS.c.at)).select_from(ANSWERS)).one()
            return int(number), since

    def forget_before(self, at: str) -> int:
        """Forget answers from before a moment (ISO 8601, UTC); returns how many."""
        old = select(ANSWERS.c.id).where(ANSWERS.c.at < at)
        with self._database.write() as connection:
            connection.execute(delete(ANSWER_EVIDENCE).where(ANSWER_EVIDENCE.c.answer_id.in_(old)))
            return int(connection.execute(delete(ANSWERS).where(ANSWERS.c.at < at)).rowcount)
