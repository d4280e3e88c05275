"""The registry: documents, cases, jobs and what was done, in one database. Every visible change is one transaction."""

from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Self

from sqlalchemy import func, select

from knowledge.errors import StorageFailed
from knowledge.registry.answers import Answers
from knowledge.registry.audit import Audit
from knowledge.registry.cases import Cases
from knowledge.registry.datasets import Datasets
from knowledge.registry.embedded import schema_of
from knowledge.registry.facts import Facts
from knowledge.registry.generations import Generations
from knowledge.registry.jobs import Jobs
from knowledge.registry.keys import Keys
from knowledge.registry.lifecycle import Lifecycle
from knowledge.registry.locks import LockSessions
from knowledge.registry.opening import open_database
from knowledge.registry.rates import Rates
from knowledge.registry.rows import blobs_used, count_of, generation_of
from knowledge.registry.server import CONNECTIONS, LEAST_CONNECTIONS, ServerDatabase
from knowledge.registry.tables import CASES, DOCUMENTS, PASSAGES, TOMBSTONES
from knowledge.registry.transfer import Transfer, restore
from knowledge.registry.vectors import Vectors

FILE = "registry.sqlite3"  # in the home folder


class Registry(Lifecycle, Cases):
    """The one source of truth. Reads see committed states only; writers queue."""

    def __init__(self, url: str, connections: int = CONNECTIONS) -> None:
        """`connections` to a server at most. Raises StorageFailed."""
        database = open_database(url, connections)
        try:
            database.upgrade()
        except BaseException:
            database.close()
            raise
        Lifecycle.__init__(self, database)
        Cases.__init__(self, database)
        self.datasets = Datasets(database)
        self.facts = Facts(database)
        self.audit = Audit(database)
        self.jobs = Jobs(database)
        self.answers = Answers(database)
        self.keys = Keys(database)
        self.generations = Generations(database)
        self.transfer = Transfer(database)
        # What a registry on a server keeps for all hosts; beside one in a file these are files, and counts of the process.
        self.locks: LockSessions | None = database.locks
        self.vectors = Vectors(database) if isinstance(database, ServerDatabase) else None
        self.rates = Rates(database) if isinstance(database, ServerDatabase) else None

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """The SQLite registry of a home folder, made when it is not there. Raises StorageFailed."""
        return cls(_url(folder))

    @staticmethod
    def schema_in(folder: Path) -> str | None:
        """The schema of the registry of a home folder, which is not changed; None where there is none yet.

        Raises StorageFailed for a file that is no registry.
        """
        return schema_of(folder / FILE)

    @staticmethod
    def schema_at(url: str) -> str | None:
        """The same of a server. Raises StorageFailed where it does not answer."""
        with closing(open_database(url, LEAST_CONNECTIONS)) as database:
            return database.schema()

    @classmethod
    def restored(cls, folder: Path, rows: Path, schema: str) -> "Registry":
        """A new one of a home folder from the files that `transfer.dump` wrote. Raises RowsRefused, StorageFailed."""
        restore(_url(folder), rows, schema)
        return cls.in_folder(folder)

    def close(self) -> None:
        """Give every connection back."""
        self._database.close()

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads of this thread inside are of one corpus generation, whatever is written meanwhile."""
        return self._database.snapshot()

    # --- the corpus generation -------------------------------------------------------------------------------------

    def corpus_generation(self) -> int:
        """A number that grows by one with every visible change. Cheap: asked once a request."""
        with self._database.read() as connection:
            return generation_of(connection)

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

    def confirm_locks(self) -> None:
        """Raises StorageFailed where this thread lost the locks it believes to hold: before what cannot be taken back."""
        if self.locks is not None:
            self.locks.confirm()

    # --- the whole -------------------------------------------------------------------------------------------------

    def forget_deleted(self) -> bool:
        """Let nothing of what was deleted stay readable, where the database can help it; False where that did not work."""
        return self._database.forget_deleted()

    def integrity_problems(self) -> list[str]:
        """What the database itself finds wrong; empty is good."""
        return self._database.integrity_problems()

    def counts(self) -> dict[str, int]:
        """How many documents, passages and cases there are, of whatever state."""
        with self._database.read() as connection:
            return {table.name: count_of(connection, table) for table in (DOCUMENTS, PASSAGES, CASES)}

    def blobs_in_use(self) -> frozenset[str]:
        """The sha256 of every stored file that something points at: evidence, or a job that is not done with it."""
        with self._database.read() as connection:
            return blobs_used(connection)


def _url(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"the folder of the registry cannot be made: {error.strerror}.") from error
    return f"sqlite:///{folder / FILE}"
