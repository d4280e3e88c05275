"""The servers of a cluster on loopback, real ones, for what measures several processes as one service.

PostgreSQL as it comes, so that what is committed is on the disk; `chroma run`; and moto, an S3-compatible server written in
Python, one request after the other: a storage of production answers faster, and is further away.
"""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chroma_server import ChromaServer
from tests.object_storage import WHO, S3Server
from tests.postgres_server import PostgresServer

PARTS: Final = ("registry_url", "storage_url", "chroma_url")
# Chroma, in its folder or on its server, is asked however small the collection.
ASKED: Final = {"exact_below": "0"}
_POSTGRES: Final = {"max_connections": "90"}


@dataclass(frozen=True, slots=True)
class Parts:
    """The three, running."""

    postgres: PostgresServer
    s3: S3Server
    chroma: ChromaServer

    def settings(self, *names: str) -> Mapping[str, str]:
        """Those of a new knowledge base that uses these of PARTS: an empty database, an empty bucket."""
        settings: dict[str, str] = {}
        if "registry_url" in names:
            settings |= {"registry_url": self.postgres.fresh(), "registry_connections": "8"}
        if "storage_url" in names:
            settings |= {"storage_url": self.s3.bucket(f"b{uuid.uuid4().hex}"), "storage_endpoint": self.s3.endpoint}
        if "chroma_url" in names:
            settings |= {"chroma_url": self.chroma.url}
        return settings


@contextmanager
def parts(folder: Path) -> Iterator[Parts]:
    """Start them; their data is below `folder`, that of PostgreSQL beside it."""
    os.environ.update(WHO)  # for the processes that are started later, too
    with ExitStack() as stack:
        postgres = PostgresServer(_POSTGRES)
        stack.callback(postgres.remove)
        chroma = ChromaServer(folder / "chroma")
        stack.callback(chroma.stop)
        s3 = S3Server(folder)
        stack.callback(s3.stop)
        yield Parts(postgres, s3, chroma)
