"""Content-addressed files: the name of a blob is the sha256 of its bytes."""

import hashlib
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from knowledge.errors import BlobCorrupt, NotFound, StorageFailed

ASIDE = ".aside-"  # prefix of a file that is still being written


class BlobStore:
    """Blobs below one folder. Writing the same bytes twice, also at the same time, is a no-op."""

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
        if hashlib.sha256(data).hexdigest() != digest:
            raise BlobCorrupt("a stored file does not match its checksum; restore it from a backup: dermacite doctor")
        return data

    def path(self, digest: str) -> Path:
        """Where the blob is or would be. `digest` must be 64 hex digits, so that no caller can walk out of the store."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise NotFound("no such stored file")
        return self._root / digest[:2] / digest

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
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unlink(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise StorageFailed(f"a stored file cannot be removed: {error.strerror}. Check its permissions.") from error
