"""Content-addressed files, in a folder of this machine or in object storage: a blob's name is the sha256 of its bytes."""

import hashlib
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from knowledge.disk import put_on_disk
from knowledge.errors import BlobCorrupt, NotFound, StorageFailed
from knowledge.objects import ObjectStorage

ASIDE = ".aside-"  # prefix of a file that is still being written
BLOBS = "blobs"  # where they lie in object storage
CHUNK = 1024 * 1024  # bytes read at once

_DAMAGED = "a stored file does not match its checksum; restore it from a backup: dermacite doctor"


class BlobStore(Protocol):
    """Writing the same bytes twice, also at the same time, is a no-op. Nothing but `digests` and `unfinished` lists.

    Every method raises StorageFailed where the disk or the storage refuses, and NotFound for a name that is no digest.
    """

    def put(self, data: bytes) -> str:
        """Store `data` durably and return its sha256 in hex. Raises StorageFailed; then nothing was stored."""

    def get(self, digest: str) -> bytes:
        """The bytes named `digest`, verified. Raises NotFound, BlobCorrupt."""

    def has(self, digest: str) -> bool:
        """Whether there is such a blob; its bytes are not looked at."""

    def size(self, digest: str) -> int:
        """Its bytes, as many as there are. Raises NotFound."""

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Its bytes one part after the other, not verified. Raises NotFound."""

    def local(self, digest: str) -> AbstractContextManager[Path]:
        """A file of this machine with its bytes, for as long as it is held. Raises NotFound, BlobCorrupt."""

    def delete(self, digest: str) -> None:
        """Remove a blob; removing what is absent is a no-op."""

    def delete_unused(self, digests: Iterable[str], in_use: Collection[str]) -> int:
        """Remove those of these blobs that are not in use; returns how many."""

    def digests(self) -> Iterator[str]:
        """Every stored name, in order."""

    def unfinished(self) -> list[Path]:
        """Files of writes that were killed; nothing finds them."""

    def sweep_unfinished(self) -> None:
        """Remove them. Nobody stores anything meanwhile."""


class LocalBlobs:
    """BlobStore below one folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> str:
        """Store `data` durably and return its sha256 in hex. Raises StorageFailed; then nothing was stored."""
        digest = hashlib.sha256(data).hexdigest()
        target = self.path(digest)
        if target.exists():
            return digest
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._write_aside_and_rename(target, data)
        except OSError as error:
            raise StorageFailed(
                f"could not store {len(data)} bytes: {error.strerror}. Free some disk space."
            ) from error
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes named `digest`, verified. Raises NotFound, BlobCorrupt or StorageFailed."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError as error:
            raise NotFound("no such stored file") from error
        except OSError as error:
            raise StorageFailed(
                f"a stored file cannot be read: {error.strerror}. Check disk and permissions."
            ) from error
        return _verified(data, digest)

    def has(self, digest: str) -> bool:
        """Whether there is such a blob."""
        return self.path(digest).exists()

    def size(self, digest: str) -> int:
        """Its bytes. Raises NotFound."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError as error:
            raise NotFound("no such stored file") from error

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Its bytes, not verified. Raises NotFound."""
        try:
            with self.path(digest).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except FileNotFoundError as error:
            raise NotFound("no such stored file") from error

    @contextmanager
    def local(self, digest: str) -> Iterator[Path]:
        """The file itself: whoever reads it meets what is wrong with it."""
        yield self.path(digest)

    def path(self, digest: str) -> Path:
        """Where the blob is or would be. `digest` must be 64 hex digits, so that no caller can walk out of the store."""
        return self._root / _name(digest)

    def delete(self, digest: str) -> None:
        """Remove a blob; removing what is absent is a no-op. Raises StorageFailed."""
        _unlink(self.path(digest))

    def delete_unused(self, digests: Iterable[str], in_use: Collection[str]) -> int:
        """Remove those of these blobs that are not in use; returns how many. Raises StorageFailed."""
        unused = set(digests).difference(in_use)
        for digest in unused:
            self.delete(digest)
        return len(unused)

    def digests(self) -> Iterator[str]:
        """Every stored name, in order."""
        for file in sorted(self._root.glob("??/*")):
            if len(file.name) == 64:
                yield file.name

    def unfinished(self) -> list[Path]:
        """Files of writes that were killed; nothing finds them."""
        return sorted(self._root.glob(f"??/{ASIDE}*"))

    def sweep_unfinished(self) -> None:
        """Remove them. The caller is the only writer."""
        for file in self.unfinished():
            _unlink(file)

    @staticmethod
    def _write_aside_and_rename(target: Path, data: bytes) -> None:
        handle, aside = tempfile.mkstemp(dir=target.parent, prefix=ASIDE)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).replace(target)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
        # The rename itself survives a power cut only once the folder is on disk too.
        put_on_disk(target.parent)


class ObjectBlobs:
    """BlobStore in object storage."""

    def __init__(self, storage: ObjectStorage) -> None:
        self._storage = storage

    def put(self, data: bytes) -> str:
        """Store `data`; what is there already, whole, is not sent again."""
        digest = hashlib.sha256(data).hexdigest()
        if self._storage.size(_object(digest)) != len(data):
            self._storage.write(_object(digest), data, digest)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes named `digest`, verified."""
        return _verified(self._storage.read(_object(digest)), digest)

    def has(self, digest: str) -> bool:
        """Whether there is such a blob."""
        return self._storage.size(_object(digest)) is not None

    def size(self, digest: str) -> int:
        """Its bytes. Raises NotFound."""
        size = self._storage.size(_object(digest))
        if size is None:
            raise NotFound("no such stored file")
        return size

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Its bytes, not verified. Raises NotFound."""
        return self._storage.parts(_object(digest))

    @contextmanager
    def local(self, digest: str) -> Iterator[Path]:
        """A copy, verified, that is gone afterwards."""
        data = self.get(digest)
        try:
            handle, name = tempfile.mkstemp(prefix="dermacite-")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
        except OSError as error:
            raise StorageFailed(f"no copy of a stored file can be made here: {error.strerror}.") from error
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def delete(self, digest: str) -> None:
        """Remove a blob."""
        self._storage.delete([_object(digest)])

    def delete_unused(self, digests: Iterable[str], in_use: Collection[str]) -> int:
        """Remove those of these blobs that are not in use; returns how many."""
        unused = set(digests).difference(in_use)
        self._storage.delete(map(_object, sorted(unused)))
        return len(unused)

    def digests(self) -> Iterator[str]:
        """Every stored name, in order."""
        for name in self._storage.names(BLOBS):
            if len(digest := name.rpartition("/")[2]) == 64:
                yield digest

    def unfinished(self) -> list[Path]:
        """Files of writes that were killed, where the storage is a folder."""
        return self._storage.unfinished(BLOBS)

    def sweep_unfinished(self) -> None:
        """Remove them."""
        self._storage.sweep_unfinished(BLOBS)


def _name(digest: str) -> str:
    """Where a blob is. `digest` must be 64 hex digits, so that no caller can walk out of the store."""
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise NotFound("no such stored file")
    return f"{digest[:2]}/{digest}"


def _object(digest: str) -> str:
    return f"{BLOBS}/{_name(digest)}"


def _verified(data: bytes, digest: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != digest:
        raise BlobCorrupt(_DAMAGED)
    return data


def _unlink(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise StorageFailed(f"a stored file cannot be removed: {error.strerror}. Check its permissions.") from error
