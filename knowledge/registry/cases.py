"""Reference cases: what is visible, and what replaced what."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select, update

from knowledge.errors import NotFound
from knowledge.registry.audit import UNKNOWN_ACTOR, record
from knowledge.registry.database import Database
from knowledge.registry.datasets import ensure, item_of, refuse_retired
from knowledge.registry.rows import CASE_COLUMNS, GUARD_COLUMNS, CaseGuard, bury, exists, next_generation, slices
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
        outcome: dict[str, Outcome] = {}
        names = sorted({case.dataset for case in cases})
        with self._database.write() as connection:
            for name in names:
                refuse_retired(connection, name)
                ensure(connection, name, actor)
            generation: int | None = None
            for case in cases:
                if exists(connection, CASES, case.id):
                    outcome.setdefault(case.id, Outcome.UNCHANGED)
                    _respell(connection, case)
                    continue
                generation = generation or next_generation(connection)
                outcome[case.id] = _replace_case(connection, case, generation)
            _record(connection, cases, outcome, actor)
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


def _respell(connection: Connection, case: ReferenceCase) -> None:
    """Another spelling of the label is no other case, but the last one told is what the manifest says."""
    if case.label_raw is not None:
        same = (CASES.c.id == case.id) & CASES.c.label_raw.is_distinct_from(case.label_raw)
        connection.execute(update(CASES).where(same).values(label_raw=case.label_raw))


def _record(connection: Connection, cases: Sequence[ReferenceCase], outcome: dict[str, Outcome], actor: str) -> None:
    """One deed for each dataset that changed."""
    dataset_of = {case.id: case.dataset for case in cases}
    counted = Counter((dataset_of[case_id], state) for case_id, state in outcome.items())
    for name in sorted({name for name, state in counted if state is not Outcome.UNCHANGED}):
        numbers = {str(state): counted[name, state] for state in (Outcome.ADDED, Outcome.REPLACED)}
        record(connection, actor, "add", "dataset", item_of(name), **numbers)


def _replace_case(connection: Connection, case: ReferenceCase, generation: int) -> Outcome:
    same_picture = (CASES.c.dataset == case.dataset) & (CASES.c.original == case.original)
    older = tuple(connection.execute(select(CASES.c.id).where(same_picture)).scalars())
    bury(connection, older, generation)
    connection.execute(delete(CASES).where(same_picture))
    connection.execute(insert(CASES).values(**asdict(case), live_since=generation))
    return Outcome.REPLACED if older else Outcome.ADDED
