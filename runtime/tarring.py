"""The one form of tar file that an archive has: plain files in a known order, every other byte of it fixed.

Any tar program can list and unpack it. It is read far more strictly than by one: a header must be, byte for byte, the
one that is written here for that name and size, and padding must be zeros. So there are no links, devices, sparse or
hidden members, no second meaning of a name, and no byte that could change unseen.
"""

import tarfile
from collections.abc import Iterable, Iterator
from io import BufferedReader
from typing import BinaryIO

from runtime.errors import RuntimeRefused

CHUNK = 1 << 20  # bytes read at once
_END = 2 * tarfile.BLOCKSIZE


class ArchiveRefused(RuntimeRefused):
    """The file is no whole archive of ours; nothing of it was taken in."""

    reason = "archive_refused"


class ArchiveFailed(RuntimeRefused):
    """An archive cannot be written or taken in here; nothing was left half done."""

    reason = "archive_failed"


class TarWriter:
    """Writes members one after the other. Lets OSError through."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._written = 0

    def add(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        """One member of exactly `size` bytes."""
        self._write(_header(name, size))
        for chunk in chunks:
            self._write(chunk)
            size -= len(chunk)
        if size:
            raise ArchiveFailed("a file changed while it was written into the archive; export again")
        self._write(b"\0" * (-self._written % tarfile.BLOCKSIZE))

    def end(self) -> None:
        """What ends every tar file."""
        self._write(b"\0" * _END)
        self._write(b"\0" * (-self._written % tarfile.RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._written += len(data)


class TarReader:
    """Reads what a TarWriter wrote, in its order. Every method raises ArchiveRefused, and lets OSError through."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._read_so_far = 0

    def size_of_first(self, name: str, limit: int) -> int:
        """The size of the first member, which must have this name and at most `limit` bytes."""
        block = self._file.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
        try:
            size = tarfile.TarInfo.frombuf(block, "utf-8", "strict").size
        except (tarfile.TarError, ValueError) as error:
            raise ArchiveRefused(f"the file does not begin with {name}; it is no archive of Dermacite") from error
        if not 0 <= size <= limit:
            raise ArchiveRefused(f"its {name} claims {size} bytes; {limit} at most are read")
        return size

    def member(self, name: str, size: int) -> Iterator[bytes]:
        """The bytes of the next member, which must have this name and size."""
        if self._exactly(tarfile.BLOCKSIZE) != _header(name, size):
            raise ArchiveRefused(f"where {name} of {size} bytes must follow something else stands, or it is damaged")
        while size:
            chunk = self._exactly(min(size, CHUNK))
            size -= len(chunk)
            yield chunk
        self._zeros(-self._read_so_far % tarfile.BLOCKSIZE)

    def end(self) -> None:
        """Nothing may follow the last member."""
        self._zeros(_END)
        self._zeros(-self._read_so_far % tarfile.RECORDSIZE)
        if self._file.read(1):
            raise ArchiveRefused("something follows its end")

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise ArchiveRefused("it ends too early: it was not copied whole")
        self._read_so_far += size
        return data

    def _zeros(self, size: int) -> None:
        if any(self._exactly(size)):
            raise ArchiveRefused("it is damaged between two members")


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)
