"""Datasets: which there are, whether their cases are found, and what is counted of them.

    (nothing) -> live <-> retired        either -> (deleted)

A dataset comes with its first case and goes with its last one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from knowledge.errors import NotFound, TransitionRefused
from knowledge.registry.audit import UNKNOWN_ACTOR, record
from knowledge.registry.database import Database
from knowledge.registry.rows import CASE_COLUMNS, bury, next_generation, now
from knowledge.registry.tables import CASES, DATASETS
from knowledge.types import Dataset, DatasetState, ReferenceCase

NO_DATASET = "no such dataset. List them: dermacite datasets list"
_ITEM_LENGTH = 80  # characters, of the column


@dataclass(frozen=True, slots=True)
class LabelUse:
    """How often a manifest's spelling became a label. `written` is None for cases from before spellings were kept."""

    written: str | None
    label: str
    cases: int


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How many cases have this label, skin tone and split; None is unknown."""

    label: str
    skin_tone: str | None
    split: str | None
    cases: int


class Datasets:
    """The datasets of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- changes ---------------------------------------------------------------------------------------------------

    def retire(self, name: str, actor: str = UNKNOWN_ACTOR) -> Dataset:
        """Hide all its cases from every search; they can still be opened. Raises NotFound, TransitionRefused."""
        return self._move(name, DatasetState.RETIRED, actor, retired_at=now(), retired_by=actor)

    def restore(self, name: str, actor: str = UNKNOWN_ACTOR) -> Dataset:
        """Let its cases be found again. Raises NotFound, TransitionRefused."""
        return self._move(name, DatasetState.LIVE, actor, retired_at=None, retired_by=None)

    def _move(self, name: str, state: DatasetState, actor: str, **values: Any) -> Dataset:
        with self._database.write() as connection:
            before = _dataset(connection, name)
            if before.state is state:
                raise TransitionRefused(f"already_{state}", f"the dataset is {state} already; there is nothing to do")
            next_generation(connection)
            mine = DATASETS.c.name == name
            connection.execute(update(DATASETS).where(mine).values(state=state, **values))
            action = "retire" if state is DatasetState.RETIRED else "restore"
            record(connection, actor, action, "dataset", item_of(name), cases=before.cases)
            return _dataset(connection, name)

    def delete(self, name: str, actor: str = UNKNOWN_ACTOR) -> tuple[str, ...]:
        """Make a dataset with all its cases invisible and forget it, in one step. Returns case ids. Raises NotFound."""
        with self._database.write() as connection:
            was = _dataset(connection, name).state
            ids = _delete_cases(connection, CASES.c.dataset == name)
            connection.execute(delete(DATASETS).where(DATASETS.c.name == name))
            record(connection, actor, "delete", "dataset", item_of(name), cases=len(ids), was=was)
        return ids

    def delete_case(self, case_id: str, actor: str = UNKNOWN_ACTOR) -> tuple[str, ...]:
        """The same for one case; its dataset goes with the last. Raises NotFound."""
        query = select(CASES.c.dataset).where(CASES.c.id == case_id)
        with self._database.write() as connection:
            name = connection.execute(query).scalar_one_or_none()
            if name is None:
                raise NotFound("no such reference case, or it was deleted")
            ids = _delete_cases(connection, CASES.c.id == case_id)
            record(connection, actor, "delete", "case", case_id)
            if not _dataset(connection, name).cases:
                connection.execute(delete(DATASETS).where(DATASETS.c.name == name))
                record(connection, actor, "delete", "dataset", item_of(name), cases=0)
        return ids

    def refuse_retired(self, name: str) -> None:
        """Raises TransitionRefused before any work is done for a retired dataset."""
        with self._database.read() as connection:
            refuse_retired(connection, name)

    # --- reads -----------------------------------------------------------------------------------------------------

    def all(self) -> tuple[Dataset, ...]:
        """Every dataset, by name."""
        with self._database.read() as connection:
            return _datasets(connection)

    def one(self, name: str) -> Dataset:
        """One dataset. Raises NotFound."""
        with self._database.read() as connection:
            return _dataset(connection, name)

    def names(self, state: DatasetState | None = None) -> frozenset[str]:
        """Of every dataset, or of those in one state."""
        query = select(DATASETS.c.name)
        with self._database.read() as connection:
            return frozenset(
                connection.execute(query if state is None else query.where(DATASETS.c.state == state)).scalars()
            )

    def cases_of(self, name: str) -> list[ReferenceCase]:
        """Its cases, by id."""
        query = select(*CASE_COLUMNS).where(CASES.c.dataset == name).order_by(CASES.c.id)
        with self._database.read() as connection:
            return [ReferenceCase(**row._mapping) for row in connection.execute(query)]

    def labels(self, name: str) -> tuple[LabelUse, ...]:
        """Every spelling of a label in a dataset and what it became, by label."""
        columns = (CASES.c.label_raw, CASES.c.label)
        return tuple(
            LabelUse(*row)
            for row in self._counted(name, columns, order=(CASES.c.label, CASES.c.label_raw.nulls_first()))
        )

    def licences(self, name: str) -> tuple[tuple[str | None, int], ...]:
        """(licence as declared, cases) of a dataset, the most frequent first."""
        found = self._counted(name, (CASES.c.licence,), order=(CASES.c.licence.nulls_first(),))
        return tuple(sorted(((licence, cases) for licence, cases in found), key=lambda one: -one[1]))

    def coverage(self, name: str) -> tuple[LabelCount, ...]:
        """Cases by label, skin tone and split."""
        columns = (CASES.c.label, CASES.c.skin_tone, CASES.c.split)
        return tuple(
            LabelCount(*row) for row in self._counted(name, columns, order=[one.nulls_first() for one in columns])
        )

    def _counted(self, name: str, columns: Sequence[Any], order: Sequence[Any]) -> list[Any]:
        query = select(*columns, func.count()).where(CASES.c.dataset == name).group_by(*columns).order_by(*order)
        with self._database.read() as connection:
            return list(connection.execute(query))


def item_of(name: str) -> str:
    """A dataset's name as the audit keeps it."""
    return name[:_ITEM_LENGTH]


def refuse_retired(connection: Connection, name: str) -> None:
    """Raises TransitionRefused: what came into a retired dataset would be accepted and never found."""
    state = connection.execute(select(DATASETS.c.state).where(DATASETS.c.name == name)).scalar_one_or_none()
    if state == DatasetState.RETIRED:
        raise TransitionRefused(
            "dataset_retired",
            "the dataset is retired, and nothing in it is found. First: dermacite datasets restore NAME",
        )


def ensure(connection: Connection, name: str, actor: str) -> None:
    """Let there be a dataset of this name."""
    if connection.execute(select(DATASETS.c.name).where(DATASETS.c.name == name)).first() is None:
        values = {"name": name, "state": DatasetState.LIVE, "created_at": now(), "created_by": actor}
        connection.execute(insert(DATASETS).values(**values))


def _datasets(connection: Connection, which: ColumnElement[bool] | None = None) -> tuple[Dataset, ...]:
    columns = [DATASETS.c[field.name] for field in fields(Dataset) if field.name != "cases"]
    query = select(*columns, func.count(CASES.c.id).label("cases")).select_from(
        DATASETS.outerjoin(CASES, CASES.c.dataset == DATASETS.c.name)
    )
    query = query.group_by(*columns).order_by(DATASETS.c.name)
    rows = connection.execute(query if which is None else query.where(which))
    return tuple(Dataset(**{**row._mapping, "state": DatasetState(row.state)}) for row in rows)


def _dataset(connection: Connection, name: str) -> Dataset:
    found = _datasets(connection, DATASETS.c.name == name)
    if not found:
        raise NotFound(NO_DATASET)
    return found[0]


def _delete_cases(connection: Connection, mine: ColumnElement[bool]) -> tuple[str, ...]:
    ids = tuple(connection.execute(select(CASES.c.id).where(mine).order_by(CASES.c.id)).scalars())
    bury(connection, ids, next_generation(connection))
    connection.execute(delete(CASES).where(mine))
    return ids
