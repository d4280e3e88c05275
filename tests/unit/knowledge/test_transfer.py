"""Rows out of one database and into another, also from before the tables had their present form."""

import json
from pathlib import Path
from typing import Any

import pytest

from knowledge.registry import NewVersion, Registry, RowsRefused, can_restore
from knowledge.registry.database import SCHEMA_HEAD
from knowledge.types import Cut, Page, PageState, Source, VersionState
from runtime.keys import KeyRing, Role

V = "a" * 64
OLD: dict[str, list[dict[str, Any]]] = {
    "corpus": [{"id": 1, "generation": 3}],
    "documents": [
        {"id": "d-1", "title": "Warts", "publisher": None, "url": None, "licence": "CC0-1.0", "jurisdiction": "GB",
         "edition": None, "effective": "2024-01-31", "review": None, "created_at": "2024-02-01", "language": "en"}
    ],
    "versions": [
        {"id": V, "document_id": "d-1", "state": "live", "text_sha256": "b" * 64, "bytes": 10, "page_count": 1,
         "passage_count": 1, "warnings": ["w"], "created_at": "2024-02-01"}
    ],
    "pages": [{"version_id": V, "number": 1, "start": 0, "end": 5, "state": "text", "reason": None}],
    "passages": [
        {"id": "p-1", "version_id": V, "start": 0, "end": 5, "text": "Warts", "first_page": 1, "last_page": 1,
         "section": ["One"], "live_since": 3}
    ],
    "cases": [],
    "tombstones": [{"item_id": "p-0", "gone_since": 2}],
}  # fmt: skip


def written(folder: Path, tables: dict[str, list[dict[str, Any]]]) -> Path:
    folder.mkdir()
    for name, rows in tables.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def filled(folder: Path) -> Registry:
    registry = Registry.in_folder(folder)
    source = Source("Psoriasis – Über\u2028sicht", tags=("skin",), effective="2024-01-31")
    cut = Cut(0, 7, "Plaques", 1, 1, ("A", "B"), 3)
    page = Page(1, 0, 7, PageState.TEXT, None)
    new = NewVersion(V, source, 12, "b" * 64, [page], [("p-1", cut)], lines_sha256="c" * 64)
    registry.add_version(new, VersionState.LIVE, "somebody")
    registry.audit.record("somebody", "export", "archive", "0" * 64)
    return registry


def test_what_was_written_out_reads_back_and_out_again_the_same(tmp_path: Path) -> None:
    registry = filled(tmp_path / "first")
    (tmp_path / "rows").mkdir()
    dumped = registry.transfer.dump(tmp_path / "rows")
    assert (dumped.schema, dumped.generation, dumped.rows["passages"]) == (SCHEMA_HEAD, 1, 1)
    assert dumped.blobs == {V, "b" * 64, "c" * 64}
    second = Registry.restored(tmp_path / "second", tmp_path / "rows", dumped.schema)
    assert second.versions(V) == registry.versions(V)
    assert second.passages(["p-1"]) == registry.passages(["p-1"])
    (tmp_path / "again").mkdir()
    assert second.transfer.dump(tmp_path / "again") == dumped
    for file in (tmp_path / "rows").iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
    registry.close()
    second.close()


def test_deeds_with_archives_stay_in_their_home(tmp_path: Path) -> None:
    registry = filled(tmp_path / "first")
    (tmp_path / "rows").mkdir()
    registry.transfer.dump(tmp_path / "rows")
    registry.close()
    actions = [json.loads(line)["action"] for line in (tmp_path / "rows" / "audit.jsonl").read_text().splitlines()]
    assert actions == ["add"]


def test_rows_of_an_older_schema_are_brought_up_to_date(tmp_path: Path) -> None:
    """The source stood with the document then, and stands with the version now."""
    registry = Registry.restored(tmp_path / "home", written(tmp_path / "rows", OLD), "0002")
    (version,) = registry.versions("d-1")
    assert (version.source.title, version.source.jurisdiction, version.number) == ("Warts", "GB", 1)
    assert registry.passage_texts() == [("p-1", "Warts")]
    assert registry.corpus_generation() == 3
    assert registry.tombstones(0) == {"p-0"}
    registry.close()


def test_rows_of_the_present_schema_are_not_those_of_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    registry = filled(tmp_path / "first")
    registry.transfer.dump(tmp_path / "rows")
    registry.close()
    with pytest.raises(RowsRefused, match="tables are not those"):
        Registry.restored(tmp_path / "second", tmp_path / "rows", "0002")
    with pytest.raises(RowsRefused, match="row 1 of documents cannot be read"):
        Registry.restored(tmp_path / "third", written(tmp_path / "old", OLD), "0001")


def test_only_schemas_of_ours_can_be_restored() -> None:
    assert can_restore(SCHEMA_HEAD)
    assert can_restore("0001")
    assert not any(map(can_restore, ("9999", "", "*", "000", "../0001", "0001_first", "²")))


def test_keys_and_sessions_never_travel(tmp_path: Path) -> None:
    registry = filled(tmp_path / "first")
    text, key = KeyRing(registry.keys).create("dr.weber", Role.ADMIN, 30, "me")
    KeyRing(registry.keys).sign_in(text)
    (tmp_path / "rows").mkdir()
    dumped = registry.transfer.dump(tmp_path / "rows")
    registry.close()
    assert not {"access_keys", "sessions"} & dumped.rows.keys()
    assert key.id not in "".join(file.read_text() for file in (tmp_path / "rows").iterdir())
    second = Registry.restored(tmp_path / "second", tmp_path / "rows", dumped.schema)
    assert not second.keys.exist()
    second.close()


@pytest.mark.parametrize("table", ["access_keys", "sessions"])
def test_no_file_brings_keys_along(tmp_path: Path, table: str) -> None:
    registry = filled(tmp_path / "first")
    (tmp_path / "rows").mkdir()
    dumped = registry.transfer.dump(tmp_path / "rows")
    registry.close()
    (tmp_path / "rows" / f"{table}.jsonl").write_text("")
    with pytest.raises(RowsRefused, match="tables are not those"):
        Registry.restored(tmp_path / "second", tmp_path / "rows", dumped.schema)
