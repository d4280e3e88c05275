"""Stored files: named by their bytes, whole or not there, never outside the store."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import knowledge
from knowledge.blobs import LocalBlobs
from knowledge.errors import BlobCorrupt, NotFound, StorageFailed

PROJECT = Path(knowledge.__file__).parent.parent
DATA = b"the bytes of a guideline"
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def files_below(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def test_a_blob_is_named_by_its_sha256_and_comes_back_as_it_was(store: LocalBlobs) -> None:
    assert store.put(DATA) == DIGEST
    assert store.get(DIGEST) == DATA


def test_storing_the_same_bytes_again_writes_nothing(store: LocalBlobs, tmp_path: Path) -> None:
    store.put(DATA)
    before = store.path(DIGEST).stat()
    store.put(DATA)
    after = store.path(DIGEST).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(files_below(tmp_path)) == 1


def test_digests_are_listed_in_order_without_what_is_unfinished(store: LocalBlobs) -> None:
    expected = sorted(store.put(bytes([number])) for number in range(20))
    (store.path(expected[0]).parent / ".aside-half").write_bytes(b"half")
    assert list(store.digests()) == expected
    assert list(LocalBlobs(store.path(DIGEST).parent / "nowhere").digests()) == []


def test_one_flipped_bit_is_never_served(store: LocalBlobs) -> None:
    store.put(DATA)
    store.path(DIGEST).write_bytes(bytes([DATA[0] ^ 1]) + DATA[1:])
    with pytest.raises(BlobCorrupt, match="does not match its checksum"):
        store.get(DIGEST)


def test_a_shortened_blob_is_never_served(store: LocalBlobs) -> None:
    store.put(DATA)
    store.path(DIGEST).write_bytes(DATA[:-1])
    with pytest.raises(BlobCorrupt):
        store.get(DIGEST)


def test_what_is_absent_is_not_found(store: LocalBlobs) -> None:
    with pytest.raises(NotFound):
        store.get(DIGEST)


def test_deleting_removes_the_file_and_deleting_again_is_a_no_op(store: LocalBlobs) -> None:
    store.put(DATA)
    store.delete(DIGEST)
    store.delete(DIGEST)
    with pytest.raises(NotFound):
        store.get(DIGEST)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../" * 20 + "etc/passwd", "/etc/passwd", DIGEST.upper(), DIGEST[:-1], DIGEST + "0", "g" * 64,
     "../" + "0" * 61, "00/" + "0" * 61, "\0" * 64, "٣" * 64],
)  # fmt: skip
def test_a_name_that_is_no_digest_reaches_no_file(store: LocalBlobs, name: str) -> None:
    for ask in (store.path, store.get, store.delete):
        with pytest.raises(NotFound):
            ask(name)


def test_many_threads_may_store_the_same_bytes_at_once(store: LocalBlobs, tmp_path: Path) -> None:
    data = bytes(300_000)
    with ThreadPoolExecutor(16) as threads:
        names = set(threads.map(lambda _: store.put(data), range(64)))
    assert names == {hashlib.sha256(data).hexdigest()}
    assert [file.name for file in files_below(tmp_path)] == list(names)


def test_what_a_killed_write_left_is_named_and_swept_and_blobs_stay(store: LocalBlobs) -> None:
    store.put(DATA)
    left = store.path(DIGEST).parent / ".aside-0"
    left.write_bytes(b"half of a document")
    assert store.unfinished() == [left]
    store.sweep_unfinished()
    assert store.unfinished() == []
    assert store.get(DIGEST) == DATA


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from knowledge.blobs import LocalBlobs
from knowledge.errors import StorageFailed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
try:
    LocalBlobs(Path(sys.argv[1])).put(bytes(2_000))
except StorageFailed as error:
    print("refused:", error)
"""


def test_a_full_disk_is_said_and_leaves_nothing_behind(store: LocalBlobs, tmp_path: Path) -> None:
    store.put(DATA)
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "blobs")]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert said.startswith("refused: could not store 2000 bytes")
    assert [file.name for file in files_below(tmp_path)] == [DIGEST]
    assert store.get(DIGEST) == DATA


def test_a_store_whose_folder_is_a_file_fails_as_storage(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("not a folder")
    store = LocalBlobs(tmp_path / "blobs")
    with pytest.raises(StorageFailed):
        store.put(DATA)
    with pytest.raises(StorageFailed):
        store.get(DIGEST)
    with pytest.raises(StorageFailed):
        store.delete(DIGEST)
