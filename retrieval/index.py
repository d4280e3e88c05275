"""From the registry to index generations, and from the newest generation plus what came since to a view for searching.

The folder of an index:

    indexes/<key>/g.../        generations (see retrieval.generation); <key> names the encoders
    indexes/<key>/current      symbolic link to the one that serves; switching is one rename
    indexes/<key>/.building-*  an unfinished build; swept by the next one

A reader opens `current`, adds the delta (rows that became live after it, exact and in memory) and masks tombstones, so a
write is visible at once and Chroma is never written while it serves.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from knowledge.disk import put_on_disk
from knowledge.registry import Registry
from retrieval.embeddings import EmbeddingStore, text_key
from retrieval.errors import IndexBroken, IndexMismatch
from retrieval.generation import MANIFEST, SPACES, Contents, Manifest, discard, write_generation
from retrieval.sketches import SKETCH_BYTES, SKETCHER, Sketches
from retrieval.types import Vectors

CURRENT = "current"
BUILDING = ".building-"


class IndexFolder:
    """The generations for one set of encoders.

    `fingerprints`, `dimensions` and `names` (of the encoder cards, for people) are per space of SPACES.
    """

    def __init__(
        self, root: Path, fingerprints: Mapping[str, str], dimensions: Mapping[str, int], names: Mapping[str, str] = {}
    ) -> None:
        self.fingerprints = dict(fingerprints)
        self.dimensions = dict(dimensions)
        self.names = dict(names)
        key = hashlib.sha256("/".join(self.fingerprints[space] for space in SPACES).encode()).hexdigest()[:12]
        # Absolute and free of links: paths below are compared, and a generation that seems unknown is removed.
        self.folder = root.resolve() / key

    def current(self) -> Path | None:
        """The generation that serves, or None before the first build. It may be gone when a deletion just switched."""
        try:
            return self.folder / (self.folder / CURRENT).readlink()
        except FileNotFoundError:
            return None

    def state(self, registry: Registry) -> tuple[Path | None, int]:
        """What serves, and the corpus generation."""
        return self.current(), registry.corpus_generation()

    def finished(self) -> Path | None:
        """A whole build that a killed writer did not publish, and that is worth publishing: where it costs much to send."""
        return None

    def build(
        self, contents: Contents, finish: Callable[[Path], None] | None = None, chroma_url: str | None = None
    ) -> Path:
        """Write and verify a generation aside; return its unpublished folder. Call in a process of its own.

        `finish` may add files of another layer to the folder before it can be published. With `chroma_url` the vectors
        go to that server instead of the folder.
        """
        aside = self.folder / f"{BUILDING}{uuid.uuid4().hex[:8]}"
        write_generation(aside, contents, finish, chroma_url)
        return aside

    def publish(self, aside: Path, *, keep_previous: bool = True) -> Path:
        """Switch to a finished build in one rename. Older generations go; the previous one stays for its readers.

        Raises IndexBroken.
        """
        manifest = Manifest.read(aside)
        if dict(manifest.fingerprints) != self.fingerprints:
            raise IndexBroken("the new index was built by other encoders than those configured")
        final = self.folder / f"g{manifest.corpus_generation:08d}-{aside.name.removeprefix(BUILDING)}"
        try:
            return self._switched(aside, final, keep_previous)
        except OSError as error:
            raise IndexBroken(
                f"the new index could not be put in its place: {error.strerror}. Check disk space and permissions, then "
                "run: dermacite reindex"
            ) from error

    def _switched(self, aside: Path, final: Path, keep_previous: bool) -> Path:
        previous = self.current()
        aside.rename(final)
        put_on_disk(self.folder)  # the generation must be on the disk before the link that names it
        self._link_to(final)
        self.sweep(keep={final, previous} if keep_previous and previous else {final})
        return final

    def _link_to(self, final: Path) -> None:
        """Let `current` name a generation that is on the disk: one rename."""
        link = self.folder / f".{CURRENT}-{uuid.uuid4().hex[:8]}"
        link.symlink_to(final.name)
        link.replace(self.folder / CURRENT)
        put_on_disk(self.folder)

    def sweep(self, keep: set[Path] | None = None) -> list[str]:
        """Remove unfinished builds and generations that are not in `keep` (default: the current one); return names."""
        current = self.current()
        kept = keep if keep is not None else ({current} if current else set())
        gone = [path for path in self._entries() if path not in kept]
        for path in gone:
            discard(path)
        for link in self.folder.glob(f".{CURRENT}-*"):  # a switch was killed between its two steps
            link.unlink(missing_ok=True)
        return [path.name for path in gone]

    def corpus_generation(self) -> int | None:
        """The corpus generation that the current index holds, or None before the first build."""
        current = self.current()
        return None if current is None else Manifest.read(current).corpus_generation

    def holds(self, ids: Iterable[str]) -> bool:
        """Whether any generation of any encoders still lists one of `ids`."""
        wanted = set(ids)
        listings = (*self.folder.parent.glob("*/*/cases.json"), *self.folder.parent.glob("*/*/passages.json"))
        return any(not wanted.isdisjoint(json.loads(file.read_text("utf-8"))) for file in listings)

    def others(self) -> list[Path]:
        """The folders of all other sets of encoders."""
        return sorted(path for path in self.folder.parent.glob("*") if path != self.folder and path.is_dir())

    def remove_others(self) -> None:
        """Remove the generations of all other encoders; `dermacite reindex` under those makes them again."""
        for folder in self.others():
            for path in entries(folder):
                discard(path)
            if not entries(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def unfinished(self) -> list[str]:
        """Names of builds, of any encoders, that were killed; harmless, swept by the next build or `reindex`."""
        return [path.name for path in self._unfinished()]

    def sweep_unfinished(self) -> None:
        """Remove them. The caller is the one writer."""
        for path in self._unfinished():
            discard(path)

    def _unfinished(self) -> list[Path]:
        folders = (self.folder, *self.others())
        return [path for folder in folders for path in entries(folder) if path.name.startswith(BUILDING)]

    def kept_by_servers(self) -> bool:
        """Whether a Chroma server still has vectors of a generation that was removed here."""
        folders = (self.folder, *self.others())
        return any(not (path / MANIFEST).exists() for folder in folders for path in entries(folder))

    def _entries(self) -> list[Path]:
        return entries(self.folder)


def entries(folder: Path) -> list[Path]:
    """The folders below a folder of generations."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]


def contents_of(registry: Registry, embeddings: EmbeddingStore, index: IndexFolder, *, since: int = 0) -> Contents:
    """Everything live that became visible after corpus generation `since`, with its vectors.

    Raises IndexMismatch when a vector was never computed with the configured encoders.
    """
    generation = registry.corpus_generation()
    cases = registry.case_captions(since)
    passages = registry.passage_texts(since)
    captions = [caption for _, _, caption in cases]
    texts = [text for _, text in passages]

    def matrix(space: str, keys: Sequence[str | None]) -> Vectors:
        return _matrix(embeddings, index.fingerprints[space], index.dimensions[space], keys)

    return Contents(
        corpus_generation=generation,
        ids={"cases": [case_id for case_id, _, _ in cases], "passages": [passage_id for passage_id, _ in passages]},
        texts={"captions": captions, "passages": texts},
        matrices={
            "pictures": matrix("pictures", [picture for _, picture, _ in cases]),
            "captions": matrix("captions", [text_key(caption) if caption else None for caption in captions]),
            "passages": matrix("passages", [text_key(text) for text in texts]),
        },
        fingerprints=index.fingerprints,
        sketches=_sketches(embeddings, [picture for _, picture, _ in cases]),
        encoders=index.names,
    )


def _matrix(embeddings: EmbeddingStore, fingerprint: str, dimension: int, keys: Sequence[str | None]) -> Vectors:
    found = embeddings.get(fingerprint, [key for key in keys if key is not None])
    matrix = np.zeros((len(keys), dimension), dtype=np.float32)
    for row, key in enumerate(keys):
        if key is None:
            continue
        if key not in found:
            raise IndexMismatch(
                "the evidence was indexed by other encoders than those configured. Mend it: dermacite reindex"
            )
        matrix[row] = found[key]
    return matrix


def _sketches(embeddings: EmbeddingStore, pictures: Sequence[str]) -> Sketches:
    """Zeros where there is none: a home from before sketches serves on, and says so, until it is reindexed."""
    found = embeddings.get_bytes(SKETCHER, pictures)
    sketches = np.zeros((len(pictures), SKETCH_BYTES), dtype=np.uint8)
    for row, picture in enumerate(pictures):
        if picture in found:
            sketches[row] = np.frombuffer(found[picture], dtype=np.uint8)
    return sketches
