"""Every set of encoders that has an index here, so that people see what they may compare and what it costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import IndexBroken
from retrieval.generation import Manifest
from retrieval.index import CURRENT


@dataclass(frozen=True, slots=True)
class IndexSet:
    """The indexes of one set of encoders: the generation that is opened under them.

    `encoders` are the names of cards per space (empty for an index from before they were kept), `bytes` what all
    generations of the set take on the disk.
    """

    key: str
    generation: str
    encoders: Mapping[str, str]
    fingerprints: Mapping[str, str]
    counts: Mapping[str, int]
    corpus_generation: int
    recall_at_10: Mapping[str, float]
    bytes: int
    built_at: str
    serves: bool


def index_sets(root: Path, serving: Path) -> Iterator[IndexSet]:
    """All below `root`, by key; `serving` is the folder of the set that the configuration opens."""
    for folder in sorted(path for path in root.glob("*") if path.is_dir()):
        try:
            generation = folder / (folder / CURRENT).readlink()
            manifest = Manifest.read(generation)
        except (FileNotFoundError, IndexBroken):
            continue  # a first build was killed, or what is there cannot be opened: the doctor tells
        yield IndexSet(
            key=folder.name,
            generation=generation.name,
            encoders=manifest.encoders,
            fingerprints=manifest.fingerprints,
            counts=manifest.counts,
            corpus_generation=manifest.corpus_generation,
            recall_at_10=manifest.recall_at_10,
            bytes=_disk_bytes(folder),
            built_at=manifest.created_at,
            serves=folder == serving,
        )


def recall_told(manifest: Manifest) -> str:
    """Recall of an index against exact search, for a person."""
    found = ", ".join(f"{space} {share:.3f}" for space, share in manifest.recall_at_10.items())
    return f"recall@10 against exact search: {found}"


def _disk_bytes(folder: Path) -> int:
    # Blocks, not sizes: Chroma's files may be sparse.
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
