"""Reference cases: what is visible, and what replaced what."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from knowledge.errors import NotFound
from knowledge.registry.audit import UNKNOWN_ACTOR, record
from knowledge.registry.database import Database
from knowledge.registry.datasets import ensure, item_of, refuse_retired
from knowledge.registry.rows import CASE_COLUMNS, GUARD_COLUMNS, CaseGuard, bury, insert_all, next_generation, slices
from knowledge.registry.tables import CASES
from knowledge.types import Outcome, ReferenceCase


class Cases:
    """The reference cases of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_cases(self, cases: Sequence[ReferenceCase], actor: str = UNKNOWN_ACTOR) -> dict[str, Outcome]:
        """Make all `cases` visible in one step. Returns {id: added, unchanged or replaced}.

        A case with the dataset and picture of an older one takes its place ("replaced"). Raises TransitionRefused where
        their dataset is retired.
        """
        names = sorted({case.dataset for case in cases})
        with self._database.write() as connection:
            for name in names:
                refuse_retired(connection, name)
                ensure(connection, name, actor)
            change = _Change(_there(connection, cases))
            for case in cases:
                change.put(case)
            change.write(connection)
            _record(connection, cases, change.outcome, actor)
        return change.outcome

    def case_captions(self, since: int = 0) -> list[tuple[str, str, str]]:
        """(id, picture sha256, caption) of every case that became visible after generation `since`, by id."""
        query = (
            select(CASES.c.id, CASES.c.picture, CASES.c.caption).where(CASES.c.live_since > since).order_by(CASES.c.id)
        )
        with self._database.read() as connection:
            return [(row.id, row.picture, row.caption) for row in connection.execute(query)]

    def cases_mark(self) -> tuple[int, int]:
        """Equal as long as the live cases are the same.

        Who comes has a newer generation than all before, who goes is one less: the newest generation and the number say which.
        """
        query = select(func.coalesce(func.max(CASES.c.live_since), 0), func.count())
        with self._database.read() as connection:
            newest, count = connection.execute(query).one()
            return int(newest), int(count)

    def case_guards(self) -> list[CaseGuard]:
        """What the leak guard must know, of every live case, by id."""
        with self._database.read() as connection:
            return [CaseGuard(*row) for row in connection.execute(select(*GUARD_COLUMNS).order_by(CASES.c.id))]

    def cases(self, ids: Sequence[str]) -> dict[str, ReferenceCase]:
        """Live cases by id; an id that is not live is simply absent."""
        found: dict[str, ReferenceCase] = {}
        with self._database.read() as connection:
            for some in slices(ids):
                rows = connection.execute(select(*CASE_COLUMNS).where(CASES.c.id.in_(some)))
                found.update((row.id, ReferenceCase(**row._mapping)) for row in rows)
        return found

    def case(self, case_id: str) -> ReferenceCase:
        """One case. Raises NotFound."""
        case = self.cases([case_id]).get(case_id)
        if case is None:
            raise NotFound("no such reference case, or it was deleted")
        return case


Picture = tuple[str, str]  # a dataset, and the sha256 of a picture as it came in


class _Change:
    """What cases, put one after the other, make of those that are there; then written in a few statements.

    One by one, 40,000 cases are 160,000 round trips to a server, and nobody else writes meanwhile.
    """

    def __init__(self, there: dict[str, Picture]) -> None:
        """`there`: the live cases that have an id or a picture of those that come."""
        self.outcome: dict[str, Outcome] = {}
        self._there = there
        self._of: dict[Picture, list[str]] = {}
        for case_id, picture in there.items():
            self._of.setdefault(picture, []).append(case_id)
        self._new: dict[str, ReferenceCase] = {}
        self._older: dict[str, None] = {}  # in order
        self._respelled: dict[str, str] = {}

    def put(self, case: ReferenceCase) -> None:
        """One more."""
        if case.id in self._there:
            self.outcome.setdefault(case.id, Outcome.UNCHANGED)
            self._respell(case)
            return
        picture = case.dataset, case.original
        older = self._of.get(picture, [])
        for one in older:
            del self._there[one]
            self._new.pop(one, None)
            self._older[one] = None
        self.outcome[case.id] = Outcome.REPLACED if older else Outcome.ADDED
        self._there[case.id] = picture
        self._of[picture] = [case.id]
        self._new[case.id] = case

    def _respell(self, case: ReferenceCase) -> None:
        """Another spelling of the label is no other case, but the last one told is what the manifest says."""
        if case.label_raw is None:
            return
        if case.id in self._new:
            self._new[case.id] = replace(self._new[case.id], label_raw=case.label_raw)
        else:
            self._respelled[case.id] = case.label_raw

    def write(self, connection: Connection) -> None:
        """Replaced ones first: one of them may have come back."""
        if self._new:
            generation = next_generation(connection)
            bury(connection, self._older, generation)
            for some in slices(tuple(self._older)):
                connection.execute(delete(CASES).where(CASES.c.id.in_(some)))
            insert_all(connection, CASES, ({**asdict(one), "live_since": generation} for one in self._new.values()))
        if self._respelled:
            told = [{"case": case_id, "told": label} for case_id, label in self._respelled.items()]
            connection.execute(_RESPELL, told)


_RESPELL = (
    update(CASES)
    .where(CASES.c.id == bindparam("case"), CASES.c.label_raw.is_distinct_from(bindparam("told")))
    .values(label_raw=bindparam("told"))
)


def _there(connection: Connection, cases: Sequence[ReferenceCase]) -> dict[str, Picture]:
    """Of the live cases those with an id of these, or with a picture of these in its dataset."""
    sent: dict[str, set[str]] = {}
    for case in cases:
        sent.setdefault(case.dataset, set()).add(case.original)
    wanted: list[ColumnElement[bool]] = [CASES.c.id.in_(some) for some in slices(sorted({case.id for case in cases}))]
    for name, originals in sorted(sent.items()):
        wanted += [(CASES.c.dataset == name) & CASES.c.original.in_(some) for some in slices(sorted(originals))]
    found: dict[str, Picture] = {}
    for which in wanted:
        rows = connection.execute(select(CASES.c.id, CASES.c.dataset, CASES.c.original).where(which))
        found.update((row.id, (row.dataset, row.original)) for row in rows)
    return found


def _record(connection: Connection, cases: Sequence[ReferenceCase], outcome: dict[str, Outcome], actor: str) -> None:
    """One deed for each dataset that changed."""
    dataset_of = {case.id: case.dataset for case in cases}
    counted = Counter((dataset_of[case_id], state) for case_id, state in outcome.items())
    for name in sorted({name for name, state in counted if state is not Outcome.UNCHANGED}):
        numbers = {str(state): counted[name, state] for state in (Outcome.ADDED, Outcome.REPLACED)}
        record(connection, actor, "add", "dataset", item_of(name), **numbers)
