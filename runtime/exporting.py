"""Writes a knowledge base into one archive while it is searched, asked and, for most of the time, written to.

What can change is copied aside under the writer's lock: rows of one moment, vectors, the generation that serves. The stored
files never change and are written into the archive after that, without a lock; should one be deleted meanwhile, the export
begins again and holds the lock to its end.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from knowledge.disk import put_on_disk
from knowledge.errors import NotFound
from knowledge.registry import Dumped
from retrieval.generation import CHROMA_URL_FILE
from retrieval.parcels import undisturbed, write_vectors
from retrieval.sketches import SKETCHER
from runtime.archive import (
    BLOBS,
    CALIBRATIONS,
    ENCODERS,
    FORMAT,
    INDEX,
    MANIFEST,
    REGISTRY,
    SEAL,
    VECTORS,
    ArchiveManifest,
    Member,
    sha256_of,
    told_settings,
)
from runtime.service import Service
from runtime.tarring import CHUNK, ArchiveFailed, TarWriter
from runtime.writing import Writer

Progress = Callable[[int, int], None]  # (bytes, of)

ON_SERVER = "the vectors of the index are on a Chroma server and stay there; after an import run: dermacite reindex"
NO_INDEX = "there is no index that serves; after an import run: dermacite reindex"


@dataclass(frozen=True, slots=True)
class Exported:
    """An archive that was written. `sha256` is of its manifest, and so of every byte in it."""

    sha256: str
    bytes: int
    manifest: ArchiveManifest
    notes: tuple[str, ...]


class _Moved(Exception):
    """A stored file went away after it was listed."""


def export_archive(
    writer: Writer, target: Path, *, with_index: bool = True, progress: Progress = lambda _done, _of: None
) -> Exported:
    """Write the archive `target`, which must not be there; it has its name only once it is whole and on the disk.

    Raises ArchiveFailed (a full disk, a file of that name), NotFound or BlobCorrupt where the home itself is damaged.
    """
    if target.exists():
        raise ArchiveFailed("a file of that name is there already; an archive replaces nothing")
    with failing("written"), _aside(target) as folder:
        export = _Export(writer, folder, with_index, progress)
        try:
            done = export.run(hold=False)
        except _Moved:
            done = export.run(hold=True)
        whole = folder / "archive.tar"
        size = whole.stat().st_size
        if target.exists():
            raise ArchiveFailed("a file of that name appeared meanwhile; an archive replaces nothing")
        whole.replace(target)
        put_on_disk(target.parent)
    writer.service.registry.audit.record(
        writer.actor, "export", "archive", done[0], bytes=size, corpus_generation=done[1].corpus_generation
    )
    return Exported(done[0], size, done[1], tuple(export.notes))


class _Export:
    def __init__(self, writer: Writer, folder: Path, with_index: bool, progress: Progress) -> None:
        self._writer = writer
        self._service: Service = writer.service
        self._folder = folder
        self._with_index = with_index
        self._progress = progress
        self.notes: list[str] = []

    def run(self, *, hold: bool) -> tuple[str, ArchiveManifest]:
        """Copy aside, then write; `hold` the locks for both. Raises _Moved."""
        _empty(self._folder)
        self.notes = []
        with ExitStack() as held:
            held.enter_context(self._writer.writing())
            held.enter_context(self._service.locks.files())
            manifest = self._copied_aside()
            if not hold:
                held.close()
            return self._written(manifest, final=hold), manifest

    def _copied_aside(self) -> ArchiveManifest:
        service, aside = self._service, self._folder / "members"
        for name in (REGISTRY, VECTORS, CALIBRATIONS, INDEX):
            (aside / name).mkdir(parents=True)
        dumped = service.registry.transfer.dump(aside / REGISTRY)
        widths = self._vectors(aside / VECTORS)
        _copy_if_there(service.home.root / ENCODERS, aside / ENCODERS)
        for file in sorted(service.home.calibrations.glob("*")):
            _copy_if_there(file, aside / CALIBRATIONS / file.name)
        index = self._index(aside / INDEX)
        members = [*_members(aside), *self._blobs(dumped)]
        return ArchiveManifest(
            format=FORMAT,
            program=version("dermacite"),
            schema=dumped.schema,
            corpus_generation=dumped.generation,
            counts=dumped.rows,
            encoders={
                space: {"card": asdict(card), "fingerprint": service.fingerprints[space], "dimension": card.dimension}
                for space, card in service.cards.items()
            },
            vectors=widths,
            index=index,
            settings=told_settings(service.settings),
            members=tuple(members),
        )

    def _vectors(self, folder: Path) -> dict[str, int]:
        keys = self._writer.keys_in_use()
        names = sorted({*self._service.fingerprints.values(), SKETCHER})
        return {name: write_vectors(self._service.embeddings, name, keys, folder) for name in names}

    def _index(self, folder: Path) -> str | None:
        current = self._service.index.current() if self._with_index else None
        if current is None:
            self.notes += [NO_INDEX] if self._with_index else []
            return None
        if (current / CHROMA_URL_FILE).exists():
            self.notes.append(ON_SERVER)
            return None
        with undisturbed(current) as files:
            for file in files:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(current / file, folder / file)
        return f"{current.parent.name}/{current.name}"

    def _blobs(self, dumped: Dumped) -> Iterator[Member]:
        for digest in sorted(dumped.blobs):
            yield Member(f"{BLOBS}{digest}", self._service.blobs.size(digest), digest)

    def _written(self, manifest: ArchiveManifest, *, final: bool) -> str:
        """The sha256 of the manifest of the archive beside the members."""
        told = manifest.to_bytes()
        digest = sha256_of(told)
        done, of = 0, manifest.size
        with (self._folder / "archive.tar").open("wb") as file:
            tar = TarWriter(file)
            tar.add(MANIFEST, len(told), [told])
            for member in manifest.members:
                tar.add(member.name, member.size, self._bytes_of(member, final=final))
                done += member.size
                self._progress(done, of)
            tar.add(SEAL, len(digest), [digest.encode()])
            tar.end()
        put_on_disk(self._folder / "archive.tar")
        return digest

    def _bytes_of(self, member: Member, *, final: bool) -> Iterator[bytes]:
        if not member.name.startswith(BLOBS):
            yield from _chunks(self._folder / "members" / member.name)
            return
        read = hashlib.sha256()
        try:
            for chunk in self._service.blobs.chunks(member.sha256):
                read.update(chunk)
                yield chunk
        except NotFound as error:
            if not final:
                raise _Moved from error
            raise
        if read.hexdigest() != member.sha256:
            self._service.blobs.get(member.sha256)  # says what is wrong


def _members(folder: Path) -> Iterator[Member]:
    """Everything copied aside, in order."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    for file in files:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        yield Member(file.relative_to(folder).as_posix(), file.stat().st_size, digest)


def _copy_if_there(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copyfile(source, target)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            yield chunk


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A folder beside the archive, emptied of what a killed export left there; gone afterwards."""
    folder = target.parent / f".{target.name}.exporting"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock", thread_local=False, is_singleton=False)
    try:
        with lock.acquire(timeout=0):
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except Timeout as error:
        raise ArchiveFailed("another export is writing an archive of that name") from error


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Raises ArchiveFailed for what the disk refuses."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        why = "the disk is full; free some space, or choose another place" if full else str(error.strerror)
        raise ArchiveFailed(f"the archive cannot be {what}: {why}") from error
