"""One index generation: an immutable folder with vectors, lexical arrays and a manifest that says what they are.

    g00000012-1a2b3c/
        manifest.json            encoder fingerprints, corpus generation, counts, sha256 of every file
        cases.json passages.json ids, in row order
        pictures.npy captions.npy passages.npy
        sketches.npy             what the leak guard recognises copies of pictures by
        chroma/                  one collection per matrix
        captions.bm25/ passages.bm25/

Captions share their rows with pictures; a case without a caption has a zero row there.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from retrieval.errors import IndexBroken
from retrieval.lexical import TOKENIZER, LexicalIndex
from retrieval.sketches import Sketches
from retrieval.types import Vectors
from retrieval.vectors import verify_chroma, write_chroma

FORMAT = 1  # raise it when the layout above changes
MANIFEST = "manifest.json"
SKETCHES_FILE = "sketches.npy"
SPACES = ("pictures", "captions", "passages")
ITEMS_OF = {"pictures": "cases", "captions": "cases", "passages": "passages"}


@dataclass(frozen=True, slots=True)
class Contents:
    """All that one generation is built from. Rows of each matrix follow the ids of its kind."""

    corpus_generation: int
    ids: Mapping[str, list[str]]  # "cases", "passages"
    texts: Mapping[str, list[str]]  # "captions", "passages"
    matrices: Mapping[str, Vectors]  # SPACES
    fingerprints: Mapping[str, str]  # SPACES
    sketches: Sketches  # of the cases; a row of zeros is unknown


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation says of itself. `self_recall` is the share of vectors that find themselves through Chroma."""

    corpus_generation: int
    fingerprints: Mapping[str, str]
    counts: Mapping[str, int]
    dimensions: Mapping[str, int]
    self_recall: Mapping[str, float]
    files: Mapping[str, str] = field(default_factory=dict)
    tokenizer: str = TOKENIZER
    format: int = FORMAT
    created_at: str = ""

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Raises IndexBroken when there is none that can be read."""
        try:
            return cls(**json.loads((folder / MANIFEST).read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise IndexBroken("an index folder has no readable manifest. Build it again: dermacite reindex") from error


def write_generation(folder: Path, contents: Contents, finish: Callable[[Path], None] | None = None) -> None:
    """Build everything below `folder` (new), verify it, and write the manifest last: no manifest, no generation.

    `finish` may add files of another layer; the manifest covers them too.

    Run it in a process of its own (see retrieval.vectors). Raises IndexBroken when a check fails.
    """
    folder.mkdir(parents=True)
    for kind, ids in contents.ids.items():
        (folder / f"{kind}.json").write_text(json.dumps(ids))
    for space, matrix in contents.matrices.items():
        np.save(folder / f"{space}.npy", matrix, allow_pickle=False)
    np.save(folder / SKETCHES_FILE, contents.sketches, allow_pickle=False)
    for space, texts in contents.texts.items():
        LexicalIndex.build(texts).save(folder / f"{space}.bm25")
    write_chroma(folder / "chroma", contents.matrices)
    recall = verify_chroma(folder / "chroma", contents.matrices)
    if finish is not None:
        finish(folder)
    manifest = Manifest(
        corpus_generation=contents.corpus_generation,
        fingerprints=dict(contents.fingerprints),
        counts={space: len(matrix) for space, matrix in contents.matrices.items()},
        dimensions={space: matrix.shape[1] for space, matrix in contents.matrices.items()},
        self_recall=recall,
        files=checksums(folder),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2))
    _flush(folder)


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of every file that must never change, by relative path. Chroma's own files change when it opens them."""
    return {
        file.relative_to(folder).as_posix(): _sha256(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST and "chroma" not in file.relative_to(folder).parts
    }


def damaged_files(folder: Path) -> list[str]:
    """Relative paths that are missing or not what the manifest says; empty is good."""
    found = checksums(folder)
    return [name for name, digest in Manifest.read(folder).files.items() if found.get(name) != digest]


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    # The rename that publishes this folder must not reach the disk before its contents do.
    for path in (*folder.rglob("*"), folder):
        sync_folder(path)


def sync_folder(path: Path) -> None:
    """Put a folder's entries (or a file's bytes) on the disk, so that they survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
