"""The registry as JSON lines, one file a table: what an archive carries, whatever database it came from or goes to.

Rows are in the order of their primary keys and say what the tables say; the audit entries of archives stay behind, since
they tell of a home and not of what is known: with them, no two exports of one state would be equal. So do keys, sessions
and the entries about them: who may come in is decided on each machine, and never by a file from elsewhere.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from sqlalchemy import JSON, Column, Connection, MetaData, Table, delete, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

import knowledge.migrations
from knowledge.errors import KnowledgeError
from knowledge.registry.database import SCHEMA_HEAD, Database
from knowledge.registry.keys import KEY
from knowledge.registry.opening import open_database
from knowledge.registry.rows import blobs_used, count_of, generation_of
from knowledge.registry.tables import AUDIT, CORPUS, METADATA, RATES, STAYING, VECTORS

ARCHIVE: Final = "archive"
OF_THE_HOME: Final = (ARCHIVE, KEY)  # kinds of audit entries that stay behind
SUFFIX: Final = ".jsonl"
NOT_EMPTY: Final = "the database that registry_url names is not empty, and an import replaces nothing; name a new one"
ROWS_PER_INSERT = 1_000


class RowsRefused(KnowledgeError):
    """Rows that no registry of this program wrote."""

    reason = "rows_refused"


@dataclass(frozen=True, slots=True)
class Dumped:
    """One consistent state: its schema, corpus generation, rows by table, and the stored files that it points at."""

    schema: str
    generation: int
    rows: Mapping[str, int]
    blobs: frozenset[str]


class Transfer:
    """Writes the rows of one database out, and takes those of another in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def dump(self, folder: Path) -> Dumped:
        """Write TABLE.jsonl into `folder` for every table, all of one moment. Raises OSError."""
        with self._database.read() as connection:
            tables = [table for table in METADATA.sorted_tables if table.name not in STAYING]
            rows = {table.name: _dump(connection, table, folder) for table in tables}
            return Dumped(SCHEMA_HEAD, generation_of(connection), rows, blobs_used(connection))

    def take_in(self, folder: Path) -> None:
        """Make the rows that `dump` wrote under this schema those of this database, in one step.

        Raises RowsRefused, also where it holds anything already, and StorageFailed.
        """
        with self._database.write() as connection:
            if not _is_empty(connection):
                raise RowsRefused(NOT_EMPTY)
            _load(self._database, connection, folder)

    def refuse_unless_empty(self) -> None:
        """Raises RowsRefused where anything was ever written to this database."""
        with self._database.read() as connection:
            if not _is_empty(connection):
                raise RowsRefused(NOT_EMPTY)


def _is_empty(connection: Connection) -> bool:
    tables = [table for table in METADATA.sorted_tables if table not in {CORPUS, VECTORS, RATES}]
    return not generation_of(connection) and not any(count_of(connection, table) for table in tables)


def _dump(connection: Connection, table: Table, folder: Path) -> int:
    query = select(table).order_by(*table.primary_key.columns)
    if table is AUDIT:
        query = query.where(AUDIT.c.kind.not_in(OF_THE_HOME))
    count = 0
    with (folder / f"{table.name}{SUFFIX}").open("w", encoding="utf-8", newline="\n") as file:
        for row in connection.execution_options(yield_per=ROWS_PER_INSERT).execute(query):
            file.write(json.dumps(dict(row._mapping), allow_nan=False) + "\n")
            count += 1
    return count


def can_restore(schema: str) -> bool:
    """Whether rows of this schema can be read: it is one of our migrations."""
    versions = Path(knowledge.migrations.__file__).parent / "versions"
    return schema.isdigit() and any(versions.glob(f"{schema}_*.py"))


def restore(url: str, folder: Path, schema: str) -> None:
    """Make a new database of the files that `dump` wrote under an equal or older schema, then bring it up to date.

    Raises RowsRefused for anything that is not such a file, StorageFailed.
    """
    database = open_database(url)
    try:
        database.upgrade(schema)
        with database.write() as connection:
            _load(database, connection, folder)
        database.upgrade()
    finally:
        database.close()


def _load(database: Database, connection: Connection, folder: Path) -> None:
    # As the migrations made them at that schema, which may be older than the tables this program knows.
    reflected = MetaData()
    reflected.reflect(bind=connection)
    tables = [table for table in reflected.sorted_tables if table.name not in {"alembic_version", *STAYING}]
    if {table.name for table in tables} != {file.name.removesuffix(SUFFIX) for file in folder.iterdir()}:
        raise RowsRefused("its tables are not those of its schema")
    for table in reversed(tables):
        connection.execute(delete(table))  # the row that the first migration wrote
    for table in tables:
        for rows in _batches(_read(table, folder / f"{table.name}{SUFFIX}")):
            try:
                connection.execute(insert(table), rows)
            except (IntegrityError, ProgrammingError, DataError, OverflowError) as error:
                why = database.told(error) if isinstance(error, DBAPIError) else type(error).__name__
                raise RowsRefused(f"rows of {table.name} do not fit together ({why})") from None  # it may hold values
    database.loaded(connection)


def _read(table: Table, file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
                _check(table, row)
            except (ValueError, RecursionError) as error:
                raise RowsRefused(f"row {number} of {table.name} cannot be read") from error
            yield row


def _check(table: Table, row: Any) -> None:
    if not isinstance(row, dict) or row.keys() != set(table.c.keys()):
        raise ValueError("other columns")
    for column in table.c:
        if not _fits(column, row[column.name]):
            raise ValueError(f"a value that {column.name} cannot have")


def _fits(column: Column[Any], value: Any) -> bool:
    """Whether a column can hold a value: SQLite itself would take any, and of any length."""
    if value is None:
        return bool(column.nullable)
    if isinstance(column.type, JSON):
        return True
    kind = column.type.python_type
    if kind is str:
        length = getattr(column.type, "length", None)
        # A lone surrogate is a string to JSON and none to a database.
        return isinstance(value, str) and len(value) <= (length or len(value)) and bool(value.encode() or True)
    if kind is float:
        return type(value) in {int, float} and math.isfinite(value)
    return type(value) is kind and (kind is bool or abs(value) < 2**63)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS_PER_INSERT:
            yield batch
            batch = []
    if batch:
        yield batch
