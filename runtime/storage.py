"""Where the settings say that stored files and indexes are: below the home folder, or in storage that many machines share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from knowledge.blobs import BlobStore, LocalBlobs, ObjectBlobs
from knowledge.objects import ObjectStorage
from knowledge.registry import Registry
from retrieval.depot import Depot
from retrieval.following import SharedIndex
from retrieval.index import IndexFolder
from runtime.errors import SettingsRefused
from runtime.extras import EXTRAS, install_command
from runtime.home import Home
from runtime.settings import Settings

MARGIN_S: Final = 40.0  # a look, a pause and a request that fails lie between what a receipt promises and what is done


def storage_of(settings: Settings) -> ObjectStorage | None:
    """The shared storage, not yet connected; None where the home folder is all. Raises SettingsRefused."""
    if settings.storage_url is None:
        return None
    if not EXTRAS["cluster"].is_installed:
        raise SettingsRefused(f"storage_url needs the extra cluster: {install_command('cluster')}")
    return ObjectStorage(settings.storage_url, settings.storage_endpoint)


def blobs_of(storage: ObjectStorage | None, home: Home) -> BlobStore:
    """Stored files."""
    return LocalBlobs(home.blobs) if storage is None else ObjectBlobs(storage)


def index_of(
    storage: ObjectStorage | None, root: Path, settings: Settings, registry: Registry, fingerprints: Mapping[str, str],
    dimensions: Mapping[str, int], names: Mapping[str, str],
) -> IndexFolder:  # fmt: skip
    """The index generations of these encoders."""
    if storage is None:
        return IndexFolder(root, fingerprints, dimensions, names)
    room = settings.index_cache_megabytes
    return SharedIndex(
        root, fingerprints, dimensions, names,
        depot=lambda key: Depot(storage, key, None if room is None else room * 1_000_000),
        generations=registry.generations, drop_after_s=settings.deletion_seconds - MARGIN_S,
    )  # fmt: skip


def take_along(home: Home, blobs: BlobStore, in_use: frozenset[str]) -> int:
    """Move files that an earlier configuration, or an import, left in the home folder into the storage; how many.

    A kill leaves each in one of both, or in both.
    """
    here = LocalBlobs(home.blobs)
    if isinstance(blobs, LocalBlobs):
        return 0
    moved = 0
    for digest in here.digests():
        if digest in in_use:
            blobs.put(here.get(digest))
            moved += 1
        here.delete(digest)
    return moved
