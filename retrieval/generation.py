"""One index generation: an immutable folder with vectors, lexical arrays and a manifest that says what they are.

    g00000012-1a2b3c/
        manifest.json            encoder fingerprints, corpus generation, counts, sha256 of every file
        cases.json passages.json ids, in row order
        pictures.npy captions.npy passages.npy
        sketches.npy             what the leak guard recognises copies of pictures by
        chroma/                  one collection per matrix; or chroma.url, the server that has them
        captions.bm25/ passages.bm25/

Captions share their rows with pictures; a case without a caption has a zero row there.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from knowledge.disk import put_on_disk
from retrieval.chroma import ASKING_S, WRITING_S, ChromaStore, chroma_at, chroma_in
from retrieval.errors import ChromaFailed, IndexBroken
from retrieval.lexical import TOKENIZER, LexicalIndex
from retrieval.sketches import Sketches
from retrieval.types import Vectors

FORMAT = 1  # raise it when the layout above changes
MANIFEST = "manifest.json"
SKETCHES_FILE = "sketches.npy"
CHROMA_URL_FILE = "chroma.url"
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
    encoders: Mapping[str, str] = field(default_factory=dict)  # SPACES: names of their cards


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation says of itself.

    `self_recall` is the share of vectors that find themselves through Chroma, `recall_at_10` the share of exact
    neighbours that it proposes, both of a sample; `chroma_url` is the server that has the collections (None: the folder).
    """

    corpus_generation: int
    fingerprints: Mapping[str, str]
    counts: Mapping[str, int]
    dimensions: Mapping[str, int]
    self_recall: Mapping[str, float]
    files: Mapping[str, str] = field(default_factory=dict)
    encoders: Mapping[str, str] = field(default_factory=dict)
    recall_at_10: Mapping[str, float] = field(default_factory=dict)
    chroma_url: str | None = None
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


def chroma_of(folder: Path, url: str | None, timeout_s: float = ASKING_S) -> ChromaStore:
    """Where the vectors of a generation are, or are to be; unfinished or published, it has the same name on a server."""
    return chroma_in(folder / "chroma") if url is None else chroma_at(url, folder.name.rpartition("-")[2], timeout_s)


def write_generation(
    folder: Path, contents: Contents, finish: Callable[[Path], None] | None = None, chroma_url: str | None = None
) -> None:
    """Build everything below `folder` (new), verify it, and write the manifest last: no manifest, no generation.

    `finish` may add files of another layer; the manifest covers them too.

    Run it in a process of its own (see retrieval.chroma). Raises IndexBroken when a check fails, and ChromaFailed.
    """
    folder.mkdir(parents=True)
    if chroma_url is not None:
        (folder / CHROMA_URL_FILE).write_text(chroma_url)  # first: whoever sweeps a killed build must know
    for kind, ids in contents.ids.items():
        (folder / f"{kind}.json").write_text(json.dumps(ids))
    for space, matrix in contents.matrices.items():
        np.save(folder / f"{space}.npy", matrix, allow_pickle=False)
    np.save(folder / SKETCHES_FILE, contents.sketches, allow_pickle=False)
    for space, texts in contents.texts.items():
        LexicalIndex.build(texts).save(folder / f"{space}.bm25")
    store = chroma_of(folder, chroma_url, WRITING_S)
    store.write(contents.matrices)
    store.close()  # what is verified is what a reader will open
    verified = store.verify(contents.matrices)
    store.close()
    if finish is not None:
        finish(folder)
    manifest = Manifest(
        corpus_generation=contents.corpus_generation,
        fingerprints=dict(contents.fingerprints),
        counts={space: len(matrix) for space, matrix in contents.matrices.items()},
        dimensions={space: matrix.shape[1] for space, matrix in contents.matrices.items()},
        self_recall=verified.self_recall,
        encoders=dict(contents.encoders),
        recall_at_10=verified.recall,
        chroma_url=chroma_url,
        files=checksums(folder),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2))
    _flush(folder)


def discard(folder: Path) -> None:
    """Remove a generation, finished or not, also from its server.

    Where that does not answer, an empty folder with its URL stays: the next sweep tries again.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != CHROMA_URL_FILE:
            path.unlink(missing_ok=True)
    url = folder / CHROMA_URL_FILE
    try:
        if url.is_file():
            chroma_of(folder, url.read_text("utf-8")).remove(SPACES)
    except ChromaFailed:
        return
    shutil.rmtree(folder, ignore_errors=True)


def checksums(folder: Path) -> dict[str, str]:
    """sha256 of every file that must never change, by relative path. Chroma's own files change when it opens them."""
    return {
        file.relative_to(folder).as_posix(): sha256_of(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST and "chroma" not in file.relative_to(folder).parts
    }


def damaged_files(folder: Path) -> list[str]:
    """Relative paths that are missing or not what the manifest says; empty is good."""
    found = checksums(folder)
    return [name for name, digest in Manifest.read(folder).files.items() if found.get(name) != digest]


def sha256_of(file: Path) -> str:
    """The checksum of a file, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    # The rename that publishes this folder must not reach the disk before its contents do.
    for path in (*folder.rglob("*"), folder):
        put_on_disk(path)
