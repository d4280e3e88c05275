"""Objects by name below one URL: S3-compatible storage, or a folder that several machines mount.

Writing is all or nothing: an object is whole or not there. An upload that was killed leaves nothing that a read or a
listing shows; its parts expire by a rule of the bucket (docs/design/0027-object-storage.md). Failures that pass are repeated
by the library. Nothing here lists but `names`, which no request of a reader calls.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from knowledge.disk import put_on_disk
from knowledge.errors import NotFound, StorageFailed

PART: Final = 16 * 1024 * 1024  # bytes sent or read by one request
CONNECTING, REQUEST, RETRYING = timedelta(seconds=5), timedelta(seconds=60), timedelta(seconds=20)
RETRIES: Final = 4
CHECKSUM: Final = "sha256"  # what an object says of its bytes, where the storage keeps such words
HALF: Final = "#"  # in the name of a file that a folder's write was killed at


class ObjectStorage:
    """What lies below `url` (`s3://bucket/prefix`, `file:///folder`). Connects when first used.

    `endpoint` is the address of an S3-compatible server, for AWS none; who we are, and the region, say the usual `AWS_...`
    variables. Every method raises StorageFailed, and nothing foreign; no message holds a secret.
    """

    def __init__(self, url: str, endpoint: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._endpoint = endpoint
        parts = urlsplit(self.url)
        self._folder = Path(parts.path) if parts.scheme == "file" else None

    def write(self, name: str, data: bytes, checksum: str) -> None:
        """Put an object in the place of whatever has its name; `checksum` is the sha256 of its bytes."""
        self._put(name, data, checksum)

    def write_file(self, name: str, file: Path, checksum: str) -> None:
        """The same from a file, which may be larger than memory."""
        self._put(name, file, checksum)

    def read(self, name: str) -> bytes:
        """All of an object. Raises NotFound."""
        import obstore

        with self._failing():
            return bytes(obstore.get(self._store, name).bytes())

    def parts(self, name: str) -> Iterator[bytes]:
        """An object in parts that fit into memory. Raises NotFound."""
        import obstore

        size = self.size(name)
        if size is None:
            raise NotFound("no such stored object")
        for start in range(0, size, PART):
            with self._failing():
                part = bytes(obstore.get_range(self._store, name, start=start, end=min(start + PART, size)))
            yield part

    def size(self, name: str) -> int | None:
        """Bytes of an object, or None where there is none."""
        import obstore

        try:
            with self._failing():
                return int(obstore.head(self._store, name)["size"])
        except NotFound:
            return None

    def checksum(self, name: str) -> str | None:
        """The sha256 that an object was written with (of a file: that it has), or None where there is none."""
        import obstore

        try:
            if self._folder is not None:
                digest = hashlib.sha256()
                for part in self.parts(name):
                    digest.update(part)
                return digest.hexdigest()
            with self._failing():
                said = obstore.get(self._store, name, options={"head": True}).attributes.get(CHECKSUM)
                return said if isinstance(said, str) else None
        except NotFound:
            return None

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; those that are not there stay away."""
        import obstore

        for name in names:
            try:
                with self._failing():
                    obstore.delete(self._store, name)
            except NotFound:
                continue

    def names(self, below: str) -> Iterator[str]:
        """Every object whose name begins with `below` and a slash, in order."""
        import obstore

        with self._failing():
            found = [one["path"] for some in obstore.list(self._store, below) for one in some]
        yield from sorted(found)

    def unfinished(self, below: str) -> list[Path]:
        """Files of writes that were killed; of a bucket none are seen."""
        return [] if self._folder is None else sorted((self._folder / below).rglob(f"*{HALF}*"))

    def sweep_unfinished(self, below: str) -> None:
        """Remove them. Nobody writes below it meanwhile."""
        for file in self.unfinished(below):
            file.unlink(missing_ok=True)

    def _put(self, name: str, content: bytes | Path, checksum: str) -> None:
        import obstore

        size = content.stat().st_size if isinstance(content, Path) else len(content)
        told = {CHECKSUM: checksum} if self._folder is None else None
        try:
            with self._failing():
                obstore.put(self._store, name, content, attributes=told, use_multipart=size > PART, chunk_size=PART)
                if self._folder is not None:
                    for path in (self._folder / name, (self._folder / name).parent):
                        put_on_disk(path)
        except NotFound as error:
            raise StorageFailed(f"the bucket or folder of {self.url} is not there. Make it, then try again.") from error

    @cached_property
    def _store(self) -> Any:
        from obstore.store import from_url

        if self._folder is not None:
            return from_url(self.url, mkdir=True)
        options: dict[str, Any] = {
            "client_options": {"connect_timeout": CONNECTING, "timeout": REQUEST},
            "retry_config": {"max_retries": RETRIES, "retry_timeout": RETRYING},
        }
        if self._endpoint is not None:
            options["endpoint"] = self._endpoint
            options["client_options"]["allow_http"] = self._endpoint.startswith("http:")
        return from_url(self.url, **options)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            raise NotFound("no such stored object") from error
        # Its messages tell whole requests: the class says enough, and never too much.
        except (BaseError, OSError, ValueError) as error:
            raise StorageFailed(
                f"the object storage {self.url} does not do its work ({type(error).__name__}). Check that it runs, its "
                "address and who may use it: dermacite check"
            ) from error
