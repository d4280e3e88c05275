"""Vectors and index generations on their way from one home to another."""

import json
import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from retrieval.embeddings import EmbeddingStore
from retrieval.errors import ChromaFailed, IndexBroken, RetrievalError
from retrieval.generation import CHROMA_URL_FILE, SPACES, Manifest, damaged_files

KEYS: Final = ".keys"  # one sha256 a line, ascending
VECTORS: Final = ".vectors"  # the bytes of one row after the other, in the order of the keys
ROWS = 5_000  # at once

_KEY = re.compile(r"[0-9a-f]{64}")
_CHROMA = re.compile(r"chroma\.sqlite3|[0-9a-f-]{36}/(data_level0|header|length|link_lists)\.bin|[0-9a-f-]{36}/"
                     r"index_metadata\.pickle")  # fmt: skip


class VectorsRefused(RetrievalError):
    """Files that hold no vectors of the encoder they name."""

    reason = "vectors_refused"


def write_vectors(store: EmbeddingStore, fingerprint: str, keys: Collection[str], folder: Path) -> int:
    """Write what is known of `keys` under `fingerprint` as two files; returns the bytes of a row, 0 where there is none.

    Raises OSError, EmbeddingsFailed.
    """
    ordered = sorted(keys)
    width = 0
    with (
        (folder / f"{fingerprint}{KEYS}").open("w", encoding="ascii") as names,
        (folder / f"{fingerprint}{VECTORS}").open("wb") as rows,
    ):
        for start in range(0, len(ordered), ROWS):
            found = store.get_bytes(fingerprint, ordered[start : start + ROWS])
            for key in sorted(found):
                width = width or len(found[key])
                names.write(f"{key}\n")
                rows.write(found[key])
    return width


def read_vectors(store: EmbeddingStore, fingerprint: str, folder: Path, width: int, allowed: Collection[str]) -> None:
    """Keep what `write_vectors` wrote. Rows that are no sketches must be numbers. Raises VectorsRefused, OSError.

    `width` is the bytes of a row; a key that is not `allowed` belongs to nothing and is refused.
    """
    keys = (folder / f"{fingerprint}{KEYS}").read_text("ascii", "replace").splitlines()
    file = folder / f"{fingerprint}{VECTORS}"
    if not all(map(_KEY.fullmatch, keys)) or keys != sorted(set(keys)):
        raise VectorsRefused(f"the keys of {fingerprint} are not in order")
    if file.stat().st_size != len(keys) * width:
        raise VectorsRefused(f"the vectors of {fingerprint} are not as many as their keys")
    if not set(allowed).issuperset(keys):
        raise VectorsRefused(f"vectors of {fingerprint} belong to nothing in the archive")
    with file.open("rb") as opened:
        for start in range(0, len(keys), ROWS):
            some = keys[start : start + ROWS]
            rows = np.frombuffer(opened.read(len(some) * width), dtype=np.uint8).reshape(len(some), width)
            if not is_sketch(fingerprint) and not np.isfinite(rows.view(np.float32)).all():
                raise VectorsRefused(f"vectors of {fingerprint} are no numbers")
            store.put(fingerprint, some, rows)


def is_sketch(fingerprint: str) -> bool:
    """Whether a name is that of the leak guard's sketches, which are bytes, and not that of an encoder."""
    return fingerprint.startswith("sketch-")


@contextmanager
def undisturbed(folder: Path) -> Iterator[list[Path]]:
    """The files of a generation, relative to it and in order, of which Chroma changes none meanwhile.

    Raises ChromaFailed.
    """
    database = folder / "chroma" / "chroma.sqlite3"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on a writer must wait
            yield sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    except sqlite3.Error as error:
        raise ChromaFailed(f"the Chroma folder of the index cannot be read ({type(error).__name__})") from error


def check_generation(
    folder: Path, fingerprints: Mapping[str, str], generation: int, dimensions: Mapping[str, int]
) -> Manifest:
    """That a folder of another's making is whole, of these encoders, not newer than `generation`, and safe to open.

    Raises IndexBroken.
    """
    manifest = Manifest.read(folder)
    try:
        wrong = {
            "it is of other encoders": dict(manifest.fingerprints) != dict(fingerprints),
            "it is newer than its registry": not 0 <= manifest.corpus_generation <= generation,
            "its vectors are on a server": manifest.chroma_url is not None or (folder / CHROMA_URL_FILE).exists(),
            "its manifest leaves files out": _unlisted(folder, manifest),
            "files are damaged": bool(damaged_files(folder)),
            "an array is none": not all(map(_is_array, folder.rglob("*.npy"))),
            "its Chroma folder is not as Dermacite makes it": not _is_chroma(folder / "chroma"),
            "its vectors have another shape": not _has_shapes(folder, manifest, dimensions),
        }
    except (TypeError, ValueError, KeyError, AttributeError, OSError) as error:
        raise IndexBroken(f"the index cannot be checked ({type(error).__name__})") from error
    if found := [why for why, is_wrong in wrong.items() if is_wrong]:
        raise IndexBroken("; ".join(found))
    return manifest


def _unlisted(folder: Path, manifest: Manifest) -> bool:
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    return {file for file in files if not file.startswith("chroma/")} != {*manifest.files, "manifest.json"}


def _has_shapes(folder: Path, manifest: Manifest, dimensions: Mapping[str, int]) -> bool:
    expected = {space: (manifest.counts[space], dimensions[space]) for space in SPACES}
    found = {space: np.load(folder / f"{space}.npy", mmap_mode="r", allow_pickle=False).shape for space in SPACES}
    return found == expected and dict(manifest.dimensions) == dict(dimensions)


def _is_array(file: Path) -> bool:
    """An array of numbers: reading one of objects would execute what a stranger wrote."""
    try:
        return bool(np.load(file, mmap_mode="r", allow_pickle=False).dtype.kind in "fiu")
    except (ValueError, EOFError):
        return False


def _is_chroma(folder: Path) -> bool:
    """Its files, and collections without functions that opening them would make: a stranger's could be told to."""
    files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    if "chroma.sqlite3" not in files or not all(map(_CHROMA.fullmatch, files)):
        return False
    try:
        with closing(sqlite3.connect(f"file:{folder / 'chroma.sqlite3'}?mode=ro&immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            odd = "SELECT count(*) FROM sqlite_master WHERE type NOT IN ('table', 'index')"
            if connection.execute(odd).fetchone() != (0,):
                return False
            rows = connection.execute("SELECT config_json_str, schema_str FROM collections").fetchall()
        return all(_harmless(json.loads(text)) for row in rows for text in row if text)
    except (sqlite3.Error, ValueError, RecursionError, TypeError):
        return False


def _harmless(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_harmless, value))
    if not isinstance(value, dict):
        return True
    function = value.get("embedding_function", {})
    named = function.get("type") in {None, "legacy", "unknown"} if isinstance(function, dict) else function is None
    return named and all(map(_harmless, value.values()))
