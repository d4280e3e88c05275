"""One contract for stored files, wherever they are: a folder here, a folder that several machines mount, an S3 bucket."""

import hashlib
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from knowledge.blobs import BlobStore, LocalBlobs, ObjectBlobs
from knowledge.errors import BlobCorrupt, NotFound, StorageFailed
from knowledge.objects import PART, ObjectStorage
from tests.object_storage import S3Server

DATA = b"the bytes of a guideline"
DIGEST = hashlib.sha256(DATA).hexdigest()
NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Place:
    """A store, how to put other bytes in the place of a blob, and the same store as another machine sees it."""

    store: BlobStore
    damage: Callable[[str, bytes], object]
    elsewhere: BlobStore


@pytest.fixture(params=["folder", "mounted", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        local = LocalBlobs(tmp_path)
        return Place(local, lambda digest, data: local.path(digest).write_bytes(data), LocalBlobs(tmp_path))
    if request.param == "mounted":
        url = tmp_path.as_uri()
        stores = (ObjectBlobs(ObjectStorage(url)) for _ in range(2))
        return Place(
            next(stores),
            lambda digest, data: (tmp_path / "blobs" / digest[:2] / digest).write_bytes(data),
            next(stores),
        )
    server: S3Server = request.getfixturevalue("s3_server")
    url = server.bucket(f"b{uuid.uuid4().hex}")
    stores = (ObjectBlobs(ObjectStorage(url, server.endpoint)) for _ in range(2))
    return Place(
        next(stores),
        lambda digest, data: server.damage(url, f"blobs/{digest[:2]}/{digest}", data),
        next(stores),
    )


def test_a_blob_is_named_by_its_sha256_and_comes_back_everywhere(place: Place) -> None:
    assert place.store.put(DATA) == DIGEST
    for store in (place.store, place.elsewhere):
        assert (store.get(DIGEST), store.has(DIGEST), store.size(DIGEST)) == (DATA, True, len(DATA))
        assert b"".join(store.chunks(DIGEST)) == DATA
        with store.local(DIGEST) as file:
            assert file.read_bytes() == DATA


def test_a_blob_of_several_parts_and_one_of_no_bytes_come_back(place: Place) -> None:
    large = b"0123456789abcdef" * (PART // 16) + b"the end"
    digest = place.store.put(large)
    assert place.elsewhere.get(digest) == large
    parts = list(place.elsewhere.chunks(digest))
    assert (len(parts) > 1, b"".join(parts)) == (True, large)
    assert place.store.put(b"") == NOTHING
    assert (place.elsewhere.get(NOTHING), list(place.elsewhere.chunks(NOTHING))) == (b"", [])


def test_other_bytes_are_never_served_and_are_replaced_when_the_blob_is_stored_again(place: Place) -> None:
    place.store.put(DATA)
    place.damage(DIGEST, DATA[:-1])
    with pytest.raises(BlobCorrupt, match="does not match its checksum"):
        place.elsewhere.get(DIGEST)
    if isinstance(place.store, ObjectBlobs):
        with pytest.raises(BlobCorrupt), place.elsewhere.local(DIGEST):
            pass
        place.store.put(DATA)  # another size is seen without reading
        assert place.elsewhere.get(DIGEST) == DATA


def test_what_is_absent_is_not_found(place: Place) -> None:
    for ask in (place.store.get, place.store.size, lambda digest: list(place.store.chunks(digest))):
        with pytest.raises(NotFound):
            ask(DIGEST)
    assert not place.store.has(DIGEST)


def test_a_name_that_is_no_digest_reaches_nothing(place: Place) -> None:
    for name in ("", "..", "../" * 20 + "etc/passwd", DIGEST.upper(), DIGEST + "0", "../" + "0" * 61, "\0" * 64):
        for ask in (place.store.get, place.store.has, place.store.size, place.store.delete):
            with pytest.raises(NotFound):
                ask(name)


def test_what_is_deleted_is_gone_everywhere_and_deleting_again_is_a_no_op(place: Place) -> None:
    kept = place.store.put(b"kept")
    place.store.put(DATA)
    assert place.store.delete_unused([DIGEST, kept], {kept}) == 1
    place.store.delete(DIGEST)
    assert (place.elsewhere.has(DIGEST), place.elsewhere.get(kept)) == (False, b"kept")


def test_digests_are_listed_in_order(place: Place) -> None:
    assert list(place.store.digests()) == []
    expected = sorted(place.store.put(bytes([number])) for number in range(5))
    assert list(place.elsewhere.digests()) == expected


def test_many_threads_may_store_the_same_bytes_at_once(place: Place) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: place.store.put(DATA), range(16))) == {DIGEST}
    assert list(place.elsewhere.digests()) == [DIGEST]
    assert place.store.unfinished() == []


# --- object storage ------------------------------------------------------------------------------------------------


def test_storing_again_sends_nothing_and_no_request_of_a_reader_lists(s3_server: S3Server) -> None:
    bucket = f"b{uuid.uuid4().hex}"
    store = ObjectBlobs(ObjectStorage(s3_server.bucket(bucket), s3_server.endpoint))
    store.put(DATA)
    sent = s3_server.log.count(f"PUT /{bucket}/dermacite/")
    store.put(DATA)
    assert s3_server.log.count(f"PUT /{bucket}/dermacite/") == sent == 1
    store.get(DIGEST)
    store.has(NOTHING)
    store.delete(DIGEST)
    list_requests = [line for line in s3_server.log.splitlines() if f"GET /{bucket}?" in line]
    assert list_requests == []


def test_a_storage_that_is_down_says_what_to_do_and_tells_no_secret() -> None:
    store = ObjectBlobs(ObjectStorage("s3://bucket/prefix", "http://127.0.0.1:9"))
    for ask in (
        store.get,
        store.has,
        store.size,
        store.delete,
        lambda _: store.put(DATA),
        lambda _: [*store.digests()],
    ):
        with pytest.raises(StorageFailed, match="Check that it runs") as raised:
            ask(DIGEST)
        assert "not-for-any-log" not in str(raised.value)


def test_a_bucket_that_is_not_there_is_said(s3_server: S3Server) -> None:
    store = ObjectBlobs(ObjectStorage("s3://nowhere/prefix", s3_server.endpoint))
    with pytest.raises(StorageFailed, match="is not there"):
        store.put(DATA)


def test_what_a_killed_write_left_in_a_mounted_folder_is_named_and_swept(tmp_path: Path) -> None:
    store = ObjectBlobs(ObjectStorage(tmp_path.as_uri()))
    store.put(DATA)
    left = tmp_path / "blobs" / DIGEST[:2] / f"{DIGEST}#1"
    left.write_bytes(b"half")
    assert (store.unfinished(), list(store.digests())) == ([left], [DIGEST])
    store.sweep_unfinished()
    assert (store.unfinished(), store.get(DIGEST)) == ([], DATA)
