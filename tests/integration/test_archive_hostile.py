"""What is no whole and proper archive is refused before anything is visible, whoever made it."""

import io
import json
import pickle
import random
import runpy
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from knowledge.registry import RowsRefused
from runtime.archive import FORMAT, MANIFEST
from runtime.importing import import_archive, verify_archive
from runtime.tarring import ArchiveFailed, ArchiveRefused

HELPERS = runpy.run_path(str(Path(__file__).with_name("archives.py")))
Unpacked, packed = HELPERS["Unpacked"], HELPERS["packed"]

Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = HELPERS["small_archive"](tmp_path_factory.mktemp("small"))
    assert isinstance(made, Path)
    return made


@pytest.fixture(scope="module")
def whole(archive: Path) -> Any:
    return Unpacked.of(archive)


def refused(file: Path, folder: Path) -> str:
    """The sentence that an import refuses with, after which there is nothing more than before."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(ArchiveRefused) as error:
        import_archive(file, folder / "home")
    assert sorted(folder.rglob("*")) == before
    return str(error.value)


def test_taken_apart_and_put_together_it_is_the_same(archive: Path, whole: Any, tmp_path: Path) -> None:
    """So that each refusal below is of its one change."""
    assert whole.pack(tmp_path / "again.tar").read_bytes() == archive.read_bytes()


# --- rows, vectors, stored files and index that do not fit --------------------------------------------------------------


def _first(**values: Any) -> Change:
    return lambda rows: rows[0].update(values)


ROWS: dict[str, tuple[str, Change, str]] = {
    "of no version": ("passages", _first(version_id="0" * 64), "do not fit together"),
    "twice": ("passages", lambda rows: rows.append(rows[0]), "do not fit together"),
    "with another type": ("versions", _first(bytes="many"), "cannot be read"),
    "with a number too large": ("versions", _first(bytes=2**63), "cannot be read"),
    "with true for a number": ("pages", _first(start=True), "cannot be read"),
    "too long": ("cases", _first(id="c" * 41), "cannot be read"),
    "without a value": ("cases", _first(label=None), "cannot be read"),
    "with a column too many": ("cases", _first(extra=1), "cannot be read"),
    "with half a character": ("versions", _first(title="\ud800"), "cannot be read"),
    "that is no object": ("cases", lambda rows: rows.insert(0, 7), "cannot be read"),
    "of no state": ("versions", _first(state="approved"), "says what no row says"),
    "of no section": ("passages", _first(section=5), "says what no row says"),
    "of no kind of job": ("jobs", _first(kind="shell"), "says what no row says"),
    "gone": ("cases", lambda rows: rows.pop(), "not as many"),
    "of the future": ("passages", _first(live_since=99), "became visible after"),
    "of another generation": ("corpus", _first(generation=99), "another corpus generation"),
    "pointing at a file that is not there": ("cases", _first(picture="0" * 64), "stored files are not those"),
}  # fmt: skip


@pytest.mark.parametrize("case", ROWS)
def test_rows_are_refused(whole: Any, tmp_path: Path, case: str) -> None:
    table, change, why = ROWS[case]
    assert why in refused(whole.with_rows(table, change).pack(tmp_path / "a.tar"), tmp_path)


def test_a_line_that_is_nested_without_end_is_refused(whole: Any, tmp_path: Path) -> None:
    deep = whole.with_members({"registry/answers.jsonl": b"[" * 200_000 + b"\n"})
    assert "cannot be read" in refused(deep.pack(tmp_path / "a.tar"), tmp_path)


def _vectors(data: bytes | None = None, keys: bytes | None = None) -> Change:
    def change(whole: Any) -> Any:
        (name,) = {
            one for one in whole.members if one.endswith(".vectors") and whole.manifest["vectors"][one[11:-8]] == 5120
        }
        old_keys = whole.members[name.replace(".vectors", ".keys")]
        return whole.with_members({name: whole.members[name] if data is None else data,
                                   name.replace(".vectors", ".keys"): old_keys if keys is None else keys})  # fmt: skip

    return change


def _index(name: str, change: Callable[[bytes], bytes] = lambda _old: b"") -> Change:
    return lambda whole: whole.with_members({f"index/{name}": change(whole.members.get(f"index/{name}", b""))})


def _pickled_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def _array(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _listed(whole: Any, name: str, data: bytes) -> Any:
    """The index with a file that its own manifest lists with the right checksum."""
    from hashlib import sha256

    manifest = json.loads(whole.members["index/manifest.json"])
    manifest["files"][name] = sha256(data).hexdigest()
    return whole.with_members({f"index/{name}": data, "index/manifest.json": json.dumps(manifest).encode()})


def _chroma(statement: str) -> Change:
    def change(old: bytes) -> bytes:
        connection = sqlite3.connect(":memory:")
        connection.deserialize(old)
        connection.execute(statement)
        connection.commit()
        new: bytes = connection.serialize()
        connection.close()
        return new

    return _index("chroma/chroma.sqlite3", change)


FUNCTION = '{"embedding_function": {"type": "known", "name": "sentence_transformer", "config": {}}}'

WHOLES: dict[str, tuple[Change, str]] = {
    "a stored file too many": (lambda whole: whole.with_blob(b"free storage"), "stored files are not those"),
    "a stored file of another name": (lambda whole: whole.with_blob(b"x", "0" * 64), "name of a stored file"),
    "a table too many": (lambda whole: whole.holding(**{"registry/sqlite_master.jsonl": b""}), "tables are not those"),
    "a table too few": (lambda whole: whole.holding(**{"registry/audit.jsonl": None}), "tables are not those"),
    "vectors that are no numbers": (_vectors(np.full(6 * 1280, np.nan, np.float32).tobytes()), "no numbers"),
    "vectors too few": (_vectors(b"\0" * 5120), "not as many as their keys"),
    "vectors of nothing": (_vectors(b"\0" * 5120, b"0" * 64 + b"\n"), "belong to nothing"),
    "keys that are none": (_vectors(b"\0" * 5120, b"../../etc\n"), "not in order"),
    "a damaged index": (_index("captions.npy", lambda old: old[:-1] + b"\1"), "files are damaged"),
    "a file too many in the index": (_index("more.json"), "leaves files out"),
    "an index that a server has": (_index("chroma.url", lambda _: b"http://127.0.0.1:9/"), "on a server"),
    "an array of objects": (lambda whole: _listed(whole, "passages.npy", _pickled_array()), "cannot be checked"),
    "an index without an item": (lambda whole: _listed(whole, "cases.json", b"[]"), "does not"),
    "an index with items that are none": (lambda whole: _listed(whole, "passages.json", b'[{"a": 1}]'), "does not"),
    "an index whose words are broken": (lambda whole: _listed(whole, "captions.bm25/lengths.json", b"{}"), "does not"),
    "an index of other vectors": (lambda whole: _listed(whole, "captions.npy", _array(np.zeros((6, 9), np.float32))),
                                  "another shape"),
    "a program in Chroma's folder": (_index("chroma/run.py"), "Chroma folder"),
    "a function in Chroma": (_chroma(f"UPDATE collections SET config_json_str = '{FUNCTION}'"), "Chroma folder"),
    "a trigger in Chroma": (_chroma("CREATE TRIGGER t AFTER INSERT ON segments BEGIN DELETE FROM segments; END"), "Chroma"),
    "an index that it does not name": (lambda whole: whole.saying(index=None), "does not name"),
    "an index outside": (lambda whole: whole.saying(index="../../outside"), "name that no index has"),
    "an index of other encoders": (lambda whole: whole.saying(index="0" * 12 + "/g00000001-00000000"), "other encoders"),
    "encoders that are none": (lambda whole: whole.holding(**{"encoders.json": b"{]"}), "encoders.json"),
    "a newer format": (lambda whole: whole.saying(format=FORMAT + 1), "newer version"),
    "a newer registry": (lambda whole: whole.saying(schema="9999"), "schema"),
    "a schema that is a path": (lambda whole: whole.saying(schema="../0001"), "schema"),
    "a schema that is a pattern": (lambda whole: whole.saying(schema="*"), "schema"),
    "a manifest with more": (lambda whole: whole.saying(more=1), "cannot be read"),
    "settings that are a list": (lambda whole: whole.saying(settings=[]), "cannot be read"),
    "counts that are wrong": (lambda whole: whole.saying(counts={"cases": 1}), "not as many"),
    "a name that leads outside": (lambda whole: whole.holding(**{"blobs/../../../outside": b"x"}), "member that no"),
    "an absolute name": (lambda whole: whole.holding(**{"/tmp/outside": b"x"}), "member that no"),
    "a name with a hidden end": (lambda whole: whole.holding(**{"encoders.json\n": b"x"}), "member that no"),
    "settings": (lambda whole: whole.holding(**{"settings.toml": b"x"}), "member that no"),
    "a lock": (lambda whole: whole.holding(**{"writer.lock": b""}), "member that no"),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLES)
def test_what_does_not_fit_is_refused(whole: Any, tmp_path: Path, case: str) -> None:
    change, why = WHOLES[case]
    assert why in refused(change(whole).pack(tmp_path / "a.tar"), tmp_path)


# --- tar files of another form -------------------------------------------------------------------------------------------


def _retarred(whole: Any, archive: Path, target: Path, extra: Callable[[tarfile.TarFile], None]) -> Path:
    """The members of an archive as another program writes them, with something more before the last."""
    with tarfile.open(archive) as old, tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as new:
        members = old.getmembers()
        for member in members[:-1]:
            new.addfile(member, old.extractfile(member))
        extra(new)
        new.addfile(members[-1], old.extractfile(members[-1]))
    return target


def _special(kind: bytes, link: str = "") -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("blobs/" + "0" * 64)
        info.type, info.linkname = kind, link
        tar.addfile(info)

    return add


def _pax(tar: tarfile.TarFile) -> None:
    info = tarfile.TarInfo("blobs/" + "0" * 64)
    tar.fileobj.write(info.create_pax_global_header({"path": "/tmp/outside"}))


SPECIALS: dict[str, Callable[[tarfile.TarFile], None]] = {
    "a symbolic link": _special(tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": _special(tarfile.LNKTYPE, "encoders.json"),
    "a device": _special(tarfile.CHRTYPE),
    "a pipe": _special(tarfile.FIFOTYPE),
    "a folder": _special(tarfile.DIRTYPE),
    "a sparse file": _special(tarfile.GNUTYPE_SPARSE),
    "a second name": _pax,
    "a member that the manifest leaves out": _special(tarfile.REGTYPE),
}


@pytest.mark.parametrize("case", SPECIALS)
def test_other_kinds_of_members_are_refused(whole: Any, archive: Path, tmp_path: Path, case: str) -> None:
    file = _retarred(whole, archive, tmp_path / "a.tar", SPECIALS[case])
    assert "something else stands" in refused(file, tmp_path)


def test_the_same_members_from_another_tar_are_read(whole: Any, archive: Path, tmp_path: Path) -> None:
    """So that the refusals above are of what was added."""
    assert _retarred(whole, archive, tmp_path / "a.tar", lambda _tar: None).read_bytes() == archive.read_bytes()


def test_claims_beyond_what_the_file_has_are_refused_at_once(whole: Any, tmp_path: Path) -> None:
    told = {**whole.manifest, "members": [{"name": "encoders.json", "size": 10**13, "sha256": "0" * 64}]}
    manifest = json.dumps(told, indent=1, sort_keys=True).encode() + b"\n"
    told_file = packed(tmp_path / "a.tar", manifest, {})
    assert "does not name" in refused(told_file, tmp_path)  # the index is named and not there
    told["index"] = None
    manifest = json.dumps(told, indent=1, sort_keys=True).encode() + b"\n"
    assert "more bytes than it has" in refused(packed(tmp_path / "a.tar", manifest, {}), tmp_path)
    bomb = tarfile.TarInfo(MANIFEST)
    bomb.size = 2**40
    (tmp_path / "a.tar").write_bytes(bomb.tobuf(tarfile.GNU_FORMAT) + b"\0" * 20_000)
    assert "at most are read" in refused(tmp_path / "a.tar", tmp_path)


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 10_240, pickle.dumps({"a": 1}), b"PK\3\4" + b"x" * 600])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    assert "no archive of Dermacite" in refused(tmp_path / "a.tar", tmp_path)


def test_a_manifest_that_is_written_otherwise_is_refused(whole: Any, archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as tar:
        told = tar.extractfile(MANIFEST).read()  # type: ignore[union-attr]
    twice = told.replace(b'"format": 1', b'"format": 1,\n "format": 1')
    assert "not as Dermacite writes it" in refused(packed(tmp_path / "a.tar", twice, whole.members), tmp_path)
    deep = packed(tmp_path / "a.tar", b"[" * 200_000, whole.members)
    assert "cannot be read" in refused(deep, tmp_path)


# --- damage --------------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_anywhere_is_found(archive: Path, tmp_path: Path) -> None:
    """In headers, members, the padding between them and the zeros at the end: 80 places anywhere, and each kind of place."""
    data = archive.read_bytes()
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    places = [random.Random(5).randrange(len(data)) for _ in range(80)]
    for member in members[:: len(members) // 8]:
        places += [member.offset, member.offset + 137, member.offset + 511, member.offset_data + member.size - 1]
        places += [member.offset_data + member.size] if member.size % 512 else []
    places += [len(data) - 1, members[-1].offset_data, members[0].offset_data + 3]
    damaged = tmp_path / "damaged.tar"
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        damaged.write_bytes(changed)
        with pytest.raises(ArchiveRefused):
            verify_archive(damaged)
    assert verify_archive(archive).warnings == ()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_file_that_was_not_copied_whole_is_refused(archive: Path, tmp_path: Path, share: float) -> None:
    data = archive.read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: int(share * len(data))])
    refused(tmp_path / "a.tar", tmp_path)
    (tmp_path / "a.tar").write_bytes(data + b"\0")
    assert "something follows" in refused(tmp_path / "a.tar", tmp_path)


def test_an_import_replaces_nothing(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "settings.toml").touch()
    with pytest.raises(ArchiveFailed, match="not empty"):
        import_archive(archive, tmp_path / "home")
    assert [file.name for file in (tmp_path / "home").iterdir()] == ["settings.toml"]
    (tmp_path / "home" / "settings.toml").unlink()
    assert import_archive(archive, tmp_path / "home").warnings == ()


def test_refusals_of_rows_are_errors_of_ours() -> None:
    assert RowsRefused.reason == "rows_refused"
