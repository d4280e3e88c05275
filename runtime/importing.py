"""Takes an archive in: everything is proved in a folder beside the home, and one rename makes that folder the home.

The folder beside is a home itself, with the writer's lock in it: two imports exclude each other by it, and the one that
wins is the writer of the home in the moment that the home appears. A kill leaves the folder beside; the next import empties it.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from io import BufferedReader
from pathlib import Path
from typing import Any

from knowledge.disk import put_on_disk
from knowledge.errors import KnowledgeError
from knowledge.registry import Registry, RowsRefused, can_restore
from knowledge.registry.audit import UNKNOWN_ACTOR
from knowledge.registry.jobs import JobState
from retrieval.errors import IndexBroken, RetrievalError
from retrieval.generation import SPACES
from retrieval.parcels import VectorsRefused
from runtime.archive import (
    BLOBS,
    CALIBRATIONS,
    ENCODERS,
    INDEX,
    MANIFEST,
    MANIFEST_LIMIT,
    REGISTRY,
    SEAL,
    VECTORS,
    ArchiveManifest,
    Member,
    sha256_of,
    told_settings,
)
from runtime.errors import RuntimeRefused, WriterBusy
from runtime.exporting import Progress, failing
from runtime.home import Home
from runtime.moving import Move, moving
from runtime.restoring import restore
from runtime.service import open_service
from runtime.settings import load_settings
from runtime.tarring import ArchiveFailed, ArchiveRefused, TarReader

LOCK = "writer.lock"
SPOOL = ".archive"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an archive holds, and what this machine would answer otherwise than the one it came from."""

    sha256: str
    manifest: ArchiveManifest
    warnings: tuple[str, ...]


def verify_archive(
    file: Path, configuration: str | None = None, progress: Progress = lambda _done, _of: None
) -> Imported:
    """Everything that an import proves, without an import. Raises ArchiveRefused, ArchiveFailed."""
    with failing("verified"), tempfile.TemporaryDirectory(prefix="dermacite-") as folder:
        return _prepare(file, Path(folder), configuration, progress, keep=False)


def import_archive(
    file: Path, home: Path, configuration: str | None = None, *, actor: str = UNKNOWN_ACTOR,
    progress: Progress = lambda _done, _of: None,
) -> Imported:  # fmt: skip
    """Make `home`, which must be empty or not there, the knowledge base of an archive.

    Raises ArchiveRefused for an archive that is not whole and proper, ArchiveFailed for what is wrong here; the home is
    then as it was.
    """
    home = home.absolute() if not home.is_symlink() else home.resolve()
    with failing("taken in"):
        _refuse_unless_empty(home)
        with _beside(home) as aside:
            imported = _prepare(file, aside, configuration, progress, keep=True)
            settings = load_settings(aside, configuration=configuration)
            with moving(aside, settings, imported.manifest.vectors) as move:
                if move is None:
                    _record(Registry.in_folder(aside), actor, imported)
                for path in (*aside.rglob("*"), aside):
                    put_on_disk(path)
                _refuse_unless_empty(home)
                aside.rename(home)
                put_on_disk(home.parent)
                if move is not None:
                    _moved(move, home, aside)
                    _record(move.registry, actor, imported)  # which closes it
    return imported


def _moved(move: Move, home: Path, aside: Path) -> None:
    """The rows come last, and in one step make the home what it is. Without them its files mean nothing."""
    try:
        move.rows()
    except BaseException:
        home.rename(aside)
        raise


def _refuse_unless_empty(home: Path) -> None:
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise ArchiveFailed(
            "the home folder is not empty, and an import replaces nothing. Name another: dermacite --home DIR import ... "
            "(settings.toml goes there afterwards)"
        )


@contextmanager
def _beside(home: Path) -> Iterator[Path]:
    aside = home.parent / f".{home.name}.importing"
    aside.mkdir(parents=True, exist_ok=True)
    try:
        with Home(aside).writing(patience_s=0):
            try:
                _empty(aside)
                yield aside
            finally:
                shutil.rmtree(aside, ignore_errors=True)  # not there any more where it became the home
    except WriterBusy as error:
        raise ArchiveFailed("another import into this home is at work") from error


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _record(registry: Registry, actor: str, imported: Imported) -> None:
    registry.audit.record(
        actor, "import", "archive", imported.sha256, corpus_generation=imported.manifest.corpus_generation
    )
    registry.close()


def _prepare(file: Path, aside: Path, configuration: str | None, progress: Progress, *, keep: bool) -> Imported:
    """Read and prove an archive; `aside` then is a home but for the stored files, where nobody wants to `keep` them."""
    spool = aside / SPOOL
    for name in (REGISTRY, VECTORS):
        (spool / name).mkdir(parents=True)
    try:
        manifest, digest = _unpacked(file, aside, progress, keep=keep)
        lacking = restore(manifest, aside, spool)
    except (RowsRefused, VectorsRefused, IndexBroken) as error:
        raise ArchiveRefused(f"the archive is refused: {error}") from error
    except ArchiveRefused as error:
        raise ArchiveRefused(f"the archive is refused: {error}") from error
    shutil.rmtree(spool)
    return Imported(digest, manifest, (*lacking, *_warnings(manifest, aside, configuration)))


# --- reading -----------------------------------------------------------------------------------------------------------


def _unpacked(file: Path, aside: Path, progress: Progress, *, keep: bool) -> tuple[ArchiveManifest, str]:
    with file.open("rb") as opened:
        tar = TarReader(opened)
        size = tar.size_of_first(MANIFEST, MANIFEST_LIMIT)
        told = b"".join(tar.member(MANIFEST, size))
        digest = sha256_of(told)
        manifest = ArchiveManifest.from_bytes(told)
        if not can_restore(manifest.schema):
            raise ArchiveRefused("its registry has a schema that this version does not know; update Dermacite first")
        _refuse_unless_it_fits(manifest, opened, aside, keep=keep)
        done = 0
        for member in manifest.members:
            _receive(tar, member, _place(manifest, member, aside, keep=keep))
            done += member.size
            progress(done, manifest.size)
        if b"".join(tar.member(SEAL, len(digest))) != digest.encode():
            raise ArchiveRefused(f"its {MANIFEST} is damaged")
        tar.end()
    return manifest, digest


def _refuse_unless_it_fits(manifest: ArchiveManifest, opened: BufferedReader, aside: Path, *, keep: bool) -> None:
    """No member can be larger than the file that holds it, and what will be written must have room."""
    if manifest.size > Path(opened.name).stat().st_size:
        raise ArchiveRefused("it claims more bytes than it has: it was not copied whole")
    needed = sum(one.size for one in manifest.members if keep or not one.name.startswith(BLOBS))
    if needed > shutil.disk_usage(aside).free:
        raise ArchiveFailed(f"it needs {needed / 1e6:.0f} MB of disk, and there are fewer; free some space")


def _place(manifest: ArchiveManifest, member: Member, aside: Path, *, keep: bool) -> Path | None:
    """Where a member goes; None: it is only read. Its name is one of those that a manifest can have."""
    name = member.name
    if name.startswith(BLOBS):
        return aside / "blobs" / member.sha256[:2] / member.sha256 if keep else None
    if name.startswith(INDEX):
        return Home(aside).indexes / str(manifest.index) / name.removeprefix(INDEX)
    if name.startswith(CALIBRATIONS):
        return Home(aside).calibrations / name.removeprefix(CALIBRATIONS)
    return aside / name if name == ENCODERS else aside / SPOOL / name


def _receive(tar: TarReader, member: Member, place: Path | None) -> None:
    read = hashlib.sha256()
    if place is None:
        for chunk in tar.member(member.name, member.size):
            read.update(chunk)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            for chunk in tar.member(member.name, member.size):
                read.update(chunk)
                file.write(chunk)
    if read.hexdigest() != member.sha256:
        raise ArchiveRefused(f"{member.name} is damaged: it does not match its checksum")


# --- what differs here -------------------------------------------------------------------------------------------------


def _warnings(manifest: ArchiveManifest, aside: Path, configuration: str | None) -> Iterator[str]:
    if manifest.program != version("dermacite"):
        yield f"the archive was made by version {manifest.program}, this is {version('dermacite')}"
    open_jobs = _open_jobs(aside)
    if open_jobs:
        yield f"{open_jobs} accepted jobs were not done; a server that starts goes on with them (dermacite jobs list)"
    try:
        settings = load_settings(aside, configuration=configuration)
        yield from _different(told_settings(settings), manifest.settings)
        service = open_service(aside, settings)
        here = {space: (service.cards[space].name, service.fingerprints[space]) for space in SPACES}
        service.close()
    except (RetrievalError, RuntimeRefused) as error:
        yield f"the encoders of this home cannot be used: {error}"
        return
    for space, (card, fingerprint) in here.items():
        if manifest.fingerprints[space] != fingerprint:
            there = manifest.encoders[space]["card"]["name"]
            yield (
                f"the encoder of {space} is {card} here and {there} in the archive, or has other weights: choose that "
                "one, or run dermacite reindex"
            )
    if manifest.index is None:
        yield "the archive has no index: run dermacite reindex"


def _different(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*here, *there}):
        if here.get(name) != there.get(name):
            yield f"the setting {name} is {here.get(name)!r} here and was {there.get(name)!r}; answers may differ"


def _open_jobs(aside: Path) -> int:
    with suppress(KnowledgeError):
        registry = Registry.in_folder(aside)
        try:
            return len(registry.jobs.ids([JobState.QUEUED, JobState.RUNNING]))
        finally:
            registry.close()
    return 0
