"""Index generations in object storage: sent by the writer, fetched by everybody, gone when nobody may have them.

    indexes/<key>/g.../...           the files of a generation (see retrieval.generation), Chroma's too
    indexes/<key>/g.../listing.json  size and sha256 of each, written when all others are there

What was sent or fetched before something stopped the work is not sent or fetched again.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from knowledge.disk import put_on_disk
from knowledge.errors import NotFound
from knowledge.objects import ObjectStorage
from retrieval.chroma import chroma_at
from retrieval.errors import ChromaFailed, IndexBroken, IndexTooLarge
from retrieval.generation import CHROMA_URL_FILE, SPACES, sha256_of
from retrieval.parcels import undisturbed

INDEXES: Final = "indexes"
LISTING: Final = "listing.json"
REINDEX: Final = "Build it again: dermacite reindex"

Listing = Mapping[str, tuple[int, str]]  # file -> bytes, sha256


class Depot:
    """The generations of one set of encoders. `room` is how many bytes of them a machine may keep (None: any number)."""

    def __init__(self, storage: ObjectStorage, key: str, room: int | None = None) -> None:
        self._storage = storage
        self._key = key
        self._room = room

    def send(self, folder: Path, name: str) -> None:
        """Put a finished generation there; the listing comes last. Raises StorageFailed, ChromaFailed."""
        in_folder = (folder / "chroma" / "chroma.sqlite3").exists()
        with undisturbed(folder) if in_folder else nullcontext(_files(folder)) as files:
            listing = {file.as_posix(): ((folder / file).stat().st_size, sha256_of(folder / file)) for file in files}
            for file, (_, checksum) in listing.items():
                target = self._at(name, file)
                if self._storage.checksum(target) != checksum:
                    self._storage.write_file(target, folder / file, checksum)
        told = json.dumps(listing).encode()
        self._storage.write(self._at(name, LISTING), told, hashlib.sha256(told).hexdigest())

    def fetch(self, name: str, aside: Path, kept: int, meanwhile: Callable[[], None]) -> None:
        """Complete the folder `aside` with the files of a generation, each verified.

        `kept` is the bytes of those that stay here meanwhile; `meanwhile` is called after each part.

        Raises NotFound where the generation is gone, IndexBroken where a file is damaged, IndexTooLarge, StorageFailed.
        """
        listing = self._listing(name)
        self._must_fit(sum(size for size, _ in listing.values()), kept, aside.parent)
        for file, (size, checksum) in listing.items():
            target = aside / file
            if target.is_file() and target.stat().st_size == size and sha256_of(target) == checksum:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._fetch_file(self._at(name, file), target, checksum, meanwhile)
            except OSError as error:
                raise IndexBroken(f"the index cannot be kept here: {error.strerror}. Free some disk space.") from error
        for path in (*aside.rglob("*"), aside):
            put_on_disk(path)

    def _fetch_file(self, name: str, target: Path, checksum: str, meanwhile: Callable[[], None]) -> None:
        read = hashlib.sha256()
        with target.open("wb") as file:
            for part in self._storage.parts(name):
                read.update(part)
                file.write(part)
                meanwhile()
        if read.hexdigest() != checksum:
            raise IndexBroken(f"a file of the index in the object storage is damaged. {REINDEX}")

    def _listing(self, name: str) -> Listing:
        try:
            told = json.loads(self._storage.read(self._at(name, LISTING)))
            listing = {str(file): (int(size), str(checksum)) for file, (size, checksum) in told.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise IndexBroken(f"the listing of the index in the object storage is damaged. {REINDEX}") from error
        if any(Path(file).is_absolute() or ".." in Path(file).parts for file in listing):
            raise IndexBroken(f"the listing of the index in the object storage names files elsewhere. {REINDEX}")
        return listing

    def _must_fit(self, needed: int, kept: int, folder: Path) -> None:
        total = needed + kept
        if self._room is not None and total > self._room:
            raise IndexTooLarge(
                f"a new index and the one it replaces take {_megabytes(total)} MB here, and the setting "
                f"index_cache_megabytes allows {_megabytes(self._room)}. Raise it, or leave the index to larger machines"
            )
        if needed > (free := shutil.disk_usage(folder).free):
            raise IndexTooLarge(
                f"a new index takes {_megabytes(needed)} MB, and the disk has {_megabytes(free)} free. Free some disk space"
            )

    def sweep(self, keep: Collection[str]) -> None:
        """Remove every generation but these, of all encoders; also its vectors from a Chroma server.

        Where that does not answer, its URL stays: the next sweep tries again. The caller is the one writer.
        """
        for generation, files in self.generations().items():
            key, name = generation.split("/")
            if key == self._key and name in keep:
                continue
            url = f"{INDEXES}/{generation}/{CHROMA_URL_FILE}"
            self._storage.delete(file for file in files if file != url)
            if url not in files or self._removed_from_server(url, name):
                self._storage.delete([url])
        self._storage.sweep_unfinished(INDEXES)

    def _removed_from_server(self, url: str, name: str) -> bool:
        try:
            chroma_at(self._storage.read(url).decode(), name.rpartition("-")[2]).remove(SPACES)
        except ChromaFailed:
            return False
        except NotFound:
            return True
        return True

    def generations(self) -> dict[str, list[str]]:
        """Every generation of all encoders that has objects, as KEY/NAME, with their names. Lists."""
        found: dict[str, list[str]] = {}
        for name in self._storage.names(INDEXES):
            _, key, generation, *_ = [*name.split("/"), ""]
            found.setdefault(f"{key}/{generation}", []).append(name)
        return found

    def holds(self, ids: Collection[str], besides: str) -> bool:
        """Whether a generation but that named `besides` lists one of `ids`, or is half gone."""
        for generation, files in self.generations().items():
            if generation == f"{self._key}/{besides}":
                continue  # it is here too, where others look at it
            if f"{INDEXES}/{generation}/{LISTING}" not in files:
                return True
            for kind in ("cases", "passages"):
                if not set(ids).isdisjoint(json.loads(self._storage.read(f"{INDEXES}/{generation}/{kind}.json"))):
                    return True
        return False

    def _at(self, name: str, file: str) -> str:
        return f"{INDEXES}/{self._key}/{name}/{file}"


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _files(folder: Path) -> list[Path]:
    return sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())


def _megabytes(size: int) -> int:
    return -(-size // 1_000_000)
