"""The registry as the one source of truth: what is visible, since when, and what went."""

import dataclasses
import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.event import listen

import knowledge.migrations
from knowledge.errors import NotFound, StorageFailed
from knowledge.registry import NewVersion, Registry, document_id_of
from knowledge.registry.database import SCHEMA_HEAD
from knowledge.registry.rows import IDS_PER_QUERY
from knowledge.registry.tables import METADATA
from knowledge.sqlite import use_write_ahead_log
from knowledge.types import Cut, Outcome, Page, PageState, ReferenceCase, Source, VersionState

PROJECT = Path(knowledge.__file__).parent.parent
SOURCE = Source("Psoriasis", publisher="A society", licence="CC-BY-4.0", effective="2024-01-31")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def cuts(name: str, count: int) -> list[tuple[str, Cut]]:
    return [
        (f"p-{name}-{at:04}", Cut(at * 10, at * 10 + 9, f"{name} {at}", 1, 1, ("A", "B"), 3)) for at in range(count)
    ]


def version(name: str = "one", passages: int = 2, source: Source = SOURCE, of: str | None = None) -> NewVersion:
    pages = (Page(1, 0, 10, PageState.TEXT), Page(2, 10, 10, PageState.FAILED, "timed_out"))
    return NewVersion(
        sha(name), source, 7, sha(f"text of {name}"), pages, cuts(name, passages), warnings=("1 of 2 pages is missing",),
        document_id=of,
    )  # fmt: skip


def add(registry: Registry, name: str = "one", passages: int = 2, source: Source = SOURCE) -> str:
    """Add a document of `passages` passages; its id."""
    assert registry.add_version(version(name, passages, source))
    return document_id_of(sha(name))


def case(number: int, caption: str = "red plaque", dataset: str = "set") -> ReferenceCase:
    """Number names the picture; another caption is another case of the same picture."""
    identity = sha(f"{dataset} {number} {caption}")[:24]
    return ReferenceCase(
        f"c-{identity}", dataset, "psoriasis", caption, sha(f"stored {number}"), sha(f"sent {number}"), "0" * 16,
        subject=f"s{number}", split="test",
    )  # fmt: skip


# --- documents ---------------------------------------------------------------------------------------------------------


def test_a_new_registry_is_empty_at_generation_zero(registry: Registry) -> None:
    assert registry.corpus_generation() == 0
    assert registry.counts() == {"documents": 0, "passages": 0, "cases": 0}
    assert registry.documents() == ()
    assert registry.blobs_in_use() == frozenset()
    assert registry.integrity_problems() == []


def test_a_document_is_shown_with_its_version_pages_and_passages(registry: Registry) -> None:
    document_id = add(registry)
    document = registry.document(document_id)
    assert (document.id, document.source) == (document_id, SOURCE)
    version = document.version
    assert (version.id, version.state, version.bytes) == (sha("one"), VersionState.LIVE, 7)
    assert (version.page_count, version.passage_count) == (2, 2)
    assert version.warnings == ("1 of 2 pages is missing",)
    assert registry.pages(version.id)[1] == Page(2, 10, 10, PageState.FAILED, "timed_out")
    passage = registry.passages(["p-one-0001"])["p-one-0001"]
    assert (passage.text, passage.section, passage.source) == ("one 1", ("A", "B"), SOURCE)
    assert (passage.document_id, passage.version_id) == (document_id, sha("one"))
    assert registry.texts_of_version(version.id) == ["one 0", "one 1"]
    assert registry.blobs_in_use() == {sha("one"), sha("text of one")}


def test_a_document_is_found_by_the_id_of_its_exact_version_too(registry: Registry) -> None:
    document_id = add(registry)
    assert registry.document(sha("one")).id == document_id


def test_documents_are_listed_by_title(registry: Registry) -> None:
    for name, title in (("one", "Zoster"), ("two", "Acne"), ("three", "Lupus")):
        add(registry, name, source=Source(title))
    assert [one.source.title for one in registry.documents()] == ["Acne", "Lupus", "Zoster"]


def test_the_same_bytes_again_change_nothing(registry: Registry) -> None:
    add(registry)
    again = registry.add_version(version("one", 3, Source("Another title")))
    assert again is None
    assert registry.corpus_generation() == 1
    assert registry.counts() == {"documents": 1, "passages": 2, "cases": 0}
    assert registry.document(sha("one")).source == SOURCE


def test_a_deleted_document_is_gone_in_every_respect_and_its_passages_are_buried(registry: Registry) -> None:
    document_id = add(registry)
    add(registry, "two")
    assert registry.delete_document(document_id) == ("p-one-0000", "p-one-0001")
    assert not registry.has_version(sha("one"))
    assert registry.passages(["p-one-0000"]) == {}
    assert registry.pages(sha("one")) == ()
    assert registry.texts_of_version(sha("one")) == []
    assert registry.counts() == {"documents": 1, "passages": 2, "cases": 0}
    assert registry.tombstones(2) == {"p-one-0000", "p-one-0001"}
    assert registry.blobs_in_use() == {sha("two"), sha("text of two")}
    assert registry.integrity_problems() == []


def test_what_was_deleted_can_be_taken_out_of_every_file_while_others_are_open(
    tmp_path: Path,
) -> None:
    registry = Registry.in_folder(tmp_path)

    def traces() -> list[str]:
        return [file.name for file in tmp_path.iterdir() if b"zyxomethasone 0" in file.read_bytes()]

    other = Registry.in_folder(tmp_path)
    document_id = add(registry, "zyxomethasone")
    assert other.counts()["documents"] == 1
    registry.delete_document(document_id)
    assert traces() == ["registry.sqlite3-wal"]
    assert registry.forget_deleted() is True
    assert traces() == []
    assert other.counts()["documents"] == 0
    other.close()
    registry.close()


def test_what_is_not_there_is_named_with_the_command_that_lists_what_is(registry: Registry) -> None:
    for ask in (registry.document, registry.delete_document):
        with pytest.raises(NotFound, match="dermacite documents list"):
            ask("d-nowhere")
    with pytest.raises(NotFound, match="no such reference case"):
        registry.case("c-nowhere")
    assert registry.corpus_generation() == 0


# --- generations and tombstones ----------------------------------------------------------------------------------------


def test_every_visible_change_raises_the_generation_by_one(registry: Registry) -> None:
    seen = [registry.corpus_generation()]
    document_id = add(registry, passages=5)
    seen.append(registry.corpus_generation())
    registry.put_cases([case(number) for number in range(40)])
    seen.append(registry.corpus_generation())
    registry.delete_document(document_id)
    seen.append(registry.corpus_generation())
    assert seen == [0, 1, 2, 3]


def test_what_changes_nothing_does_not_raise_it(registry: Registry) -> None:
    add(registry)
    registry.put_cases([case(1)])
    registry.put_cases([case(1)])
    registry.put_cases([])
    with pytest.raises(NotFound):
        registry.delete_document("d-nowhere")
    assert registry.corpus_generation() == 2


def test_since_gives_exactly_what_came_after(registry: Registry) -> None:
    add(registry, "one")
    add(registry, "two")
    registry.put_cases([case(1)])
    assert [item for item, _ in registry.passage_texts(1)] == ["p-two-0000", "p-two-0001"]
    assert registry.passage_texts(2) == []
    assert [item for item, *_ in registry.case_captions(2)] == [case(1).id]
    assert registry.case_captions(3) == []
    assert [registry.changes_since(since) for since in range(4)] == [5, 3, 1, 0]


def test_what_was_deleted_and_came_back_is_alive_and_buried_for_older_indexes_only(registry: Registry) -> None:
    document_id = add(registry)  # generation 1
    registry.delete_document(document_id)  # 2
    add(registry)  # 3
    assert set(registry.passages(["p-one-0000"])) == {"p-one-0000"}
    assert registry.tombstones(1) == {"p-one-0000", "p-one-0001"}
    assert registry.tombstones(2) == frozenset()
    assert [item for item, _ in registry.passage_texts(1)] == ["p-one-0000", "p-one-0001"]
    registry.delete_document(document_id)  # 4: the tombstone moves on
    assert registry.tombstones(3) == {"p-one-0000", "p-one-0001"}


# --- cases -------------------------------------------------------------------------------------------------------------


def test_a_case_comes_back_as_it_was_put(registry: Registry) -> None:
    assert registry.put_cases([case(1)]) == {case(1).id: Outcome.ADDED}
    assert registry.case(case(1).id) == case(1)
    (guard,) = registry.case_guards()
    assert dataclasses.asdict(guard).items() <= dataclasses.asdict(case(1)).items()


def test_another_caption_for_a_picture_takes_the_place_of_the_old_case(registry: Registry) -> None:
    old, new = case(1), case(1, "blue plaque")
    registry.put_cases([old, case(2)])
    assert registry.put_cases([new, case(2)]) == {new.id: Outcome.REPLACED, case(2).id: Outcome.UNCHANGED}
    assert set(registry.cases([old.id, new.id, case(2).id])) == {new.id, case(2).id}
    assert registry.tombstones(1) == {old.id}
    assert registry.corpus_generation() == 2


def test_the_same_picture_in_another_dataset_is_another_case(registry: Registry) -> None:
    registry.put_cases([case(1, dataset="a"), case(1, dataset="b")])
    assert registry.counts()["cases"] == 2
    assert registry.tombstones(0) == frozenset()


def test_a_case_given_twice_at_once_is_one_case_that_was_added(registry: Registry) -> None:
    assert registry.put_cases([case(1), case(1)]) == {case(1).id: Outcome.ADDED}
    assert registry.counts()["cases"] == 1


def test_a_case_that_was_replaced_and_came_back_within_one_call_lives(registry: Registry) -> None:
    first, second = case(1), case(1, "blue plaque")
    registry.put_cases([first])
    assert registry.put_cases([second, first]) == {second.id: Outcome.REPLACED, first.id: Outcome.REPLACED}
    assert [case_id for case_id, *_ in registry.case_captions()] == [first.id]
    assert registry.tombstones(1) == {first.id, second.id}


def test_the_last_spelling_of_a_label_within_one_call_is_kept(registry: Registry) -> None:
    registry.put_cases([dataclasses.replace(case(1), label_raw="Psoriasis")])
    told = [
        dataclasses.replace(case(number), label_raw=raw) for raw in ("PSORIASIS", "psoriasis.") for number in (1, 2)
    ]
    registry.put_cases([*told, case(1), case(2)])
    assert {one.label_raw for one in registry.cases([case(1).id, case(2).id]).values()} == {"psoriasis."}


def test_many_cases_are_put_in_few_statements(registry: Registry) -> None:
    """Each is a round trip to a server, and nobody else writes meanwhile."""
    many = 4 * IDS_PER_QUERY
    registry.put_cases([case(number) for number in range(many)])
    statements: list[str] = []
    told = [dataclasses.replace(case(number, "blue plaque"), label_raw="x") for number in range(many)]
    listen(registry._database._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    registry.put_cases(told)
    registry.put_cases([dataclasses.replace(one, label_raw="y") for one in told])
    assert registry.counts()["cases"] == many
    assert {one.label_raw for one in registry.cases([one.id for one in told]).values()} == {"y"}
    assert len(statements) < 100


def test_the_mark_of_the_cases_changes_with_every_case_that_comes_or_goes(registry: Registry) -> None:
    marks = [registry.cases_mark()]
    registry.put_cases([case(1), case(2)])
    marks.append(registry.cases_mark())
    registry.put_cases([case(1, "blue plaque")])
    marks.append(registry.cases_mark())
    registry.datasets.delete_case(case(2).id)
    marks.append(registry.cases_mark())
    assert len(set(marks)) == len(marks)
    add(registry)
    registry.put_cases([case(1, "blue plaque")])
    assert registry.cases_mark() == marks[-1]


def test_reads_by_many_ids_give_all_that_live(registry: Registry) -> None:
    many = 2 * IDS_PER_QUERY + 1
    add(registry, passages=many)
    registry.put_cases([case(number) for number in range(many)])
    passage_ids = [item for item, _ in registry.passage_texts()]
    case_ids = [item for item, *_ in registry.case_captions()]
    assert len(passage_ids) == len(case_ids) == many
    assert set(registry.passages([*passage_ids, "p-nowhere"])) == set(passage_ids)
    assert set(registry.cases([*case_ids, "c-nowhere"])) == set(case_ids)
    assert len(registry.delete_document(sha("one"))) == many
    assert len(registry.tombstones(2)) == many


# --- schema ------------------------------------------------------------------------------------------------------------


def test_the_head_in_the_code_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(knowledge.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_HEAD]


def test_the_migrations_make_exactly_the_tables_of_the_code(registry: Registry) -> None:
    with registry._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


OPEN = """
import sys
from pathlib import Path
from knowledge.registry import Registry
print("ready", flush=True)
sys.stdin.readline()
print(Registry.in_folder(Path(sys.argv[1])).corpus_generation())
"""


def test_eight_processes_may_make_one_registry_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN, str(tmp_path / "home")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": PROJECT}
    children: list[subprocess.Popen[str]] = [subprocess.Popen(command, **pipes) for _ in range(8)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate()[0] for child in children] == ["0\n"] * 8


def test_eight_threads_may_make_one_registry_at_once(tmp_path: Path) -> None:
    def opened(_: int) -> int:
        registry = Registry.in_folder(tmp_path / "home")
        try:
            return registry.corpus_generation()
        finally:
            registry.close()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(opened, range(8))) == [0] * 8


def test_writers_queue_and_none_is_lost(open_registry: Callable[[], Registry], registry: Registry) -> None:
    def put(number: int) -> None:
        other = open_registry()
        try:
            other.put_cases([case(number)])
        finally:
            other.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(24)))
    assert registry.counts()["cases"] == registry.corpus_generation() == 24


# --- what the disk refuses ---------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_fails_as_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed):
        Registry.in_folder(tmp_path / "file" / "home")


def test_a_file_that_is_no_database_fails_as_storage(tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite3").write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(StorageFailed, match="dermacite doctor"):
        Registry.in_folder(tmp_path)


def test_a_read_only_registry_is_read_but_refuses_writes_and_loses_nothing(tmp_path: Path) -> None:
    registry = Registry.in_folder(tmp_path)
    add(registry)
    registry.close()
    read_only = Registry(f"sqlite:///file:{tmp_path / 'registry.sqlite3'}?mode=ro&uri=true")
    assert read_only.counts()["documents"] == 1
    with pytest.raises(StorageFailed, match="Check disk space and permissions"):
        add(read_only, "two")
    assert read_only.counts()["documents"] == 1
    read_only.close()


def test_a_file_that_may_not_be_written_is_refused_at_once_and_not_tried_for_a_minute(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "old.sqlite3").execute("CREATE TABLE t (a)").connection.close()
    connection = sqlite3.connect(f"file:{tmp_path / 'old.sqlite3'}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        use_write_ahead_log(connection, patience_s=10**9)
    connection.close()


FILL_THE_DISK = """
import hashlib, resource, signal, sys
from pathlib import Path
from knowledge.errors import StorageFailed
from knowledge.registry import NewVersion, Registry
from knowledge.types import Cut, Source
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
registry = Registry.in_folder(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    for number in range(20):
        cuts = [(f"p-{number}-{at}", Cut(at, at + 1, "x" * 100, 1, 1, (), 1)) for at in range(400)]
        registry.add_version(NewVersion(hashlib.sha256(bytes([number])).hexdigest(), Source("A"), 1, "0" * 64, (), cuts))
        print("added", flush=True)
except StorageFailed as error:
    print(error)
"""


def test_a_full_disk_is_said_and_every_acknowledged_document_is_kept_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL_THE_DISK, str(tmp_path)]
    *added, said = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.splitlines()  # fmt: skip
    assert 0 < len(added) < 20
    assert "Check disk space" in said
    registry = Registry.in_folder(tmp_path)
    assert registry.integrity_problems() == []
    assert registry.counts() == {"documents": len(added), "passages": 400 * len(added), "cases": 0}
    assert registry.corpus_generation() == len(added)
    add(registry, "after", passages=400)
    registry.close()


def test_damage_in_the_database_is_found(tmp_path: Path) -> None:
    registry = Registry.in_folder(tmp_path)
    add(registry)
    registry.close()
    with sqlite3.connect(tmp_path / "registry.sqlite3") as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("DELETE FROM versions")
    connection.close()
    damaged = Registry.in_folder(tmp_path)
    assert "dangling reference in passages" in damaged.integrity_problems()
    damaged.close()
