"""What is searched: one consistent picture of the corpus, and the reader that keeps it fresh."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.registry import Registry, today
from knowledge.types import DatasetState
from retrieval.chroma import ChromaStore
from retrieval.embeddings import EmbeddingStore
from retrieval.errors import IndexBroken, IndexMismatch, RetrievalError
from retrieval.facets import FacetReader, Facets, in_force, of_datasets
from retrieval.generation import FORMAT, SKETCHES_FILE, SPACES, Manifest, chroma_of
from retrieval.index import IndexFolder, contents_of
from retrieval.leakage import GuardTable
from retrieval.lexical import TOKENIZER, DeltaTerms, LayeredLexical, LexicalIndex
from retrieval.sketches import SKETCH_BYTES, Sketches
from retrieval.twins import SketchTable
from retrieval.types import Mask, Vectors
from retrieval.vectors import EXACT_BELOW, ChromaVectors, ExactVectors, LayeredVectors


@dataclass(frozen=True, slots=True)
class Collection:
    """Items of one kind: row i of every leg is `ids[i]`. `alive` masks what may be found: not what was deleted or replaced
    since the build, nor passages that are not in force, nor cases of retired datasets."""

    ids: tuple[str, ...]
    alive: Mask
    vectors: LayeredVectors
    lexical: LayeredLexical


@dataclass(frozen=True, slots=True)
class CaseCollection:
    """Reference cases: pictures and captions share rows. `captioned` masks rows without a caption.

    `labels` is the sorted set of all labels that are alive; `row_labels` [n] has "" for rows that are gone.
    """

    captions: Collection
    pictures: LayeredVectors
    captioned: Mask
    guard: GuardTable
    labels: tuple[str, ...]
    row_labels: NDArray[np.str_]

    @property
    def ids(self) -> tuple[str, ...]:
        """Case ids in row order."""
        return self.captions.ids

    @property
    def alive(self) -> Mask:
        """Rows that may be returned."""
        return self.captions.alive


@dataclass(frozen=True, slots=True)
class View:
    """One corpus generation, as searched. `generation` names the index folder (None: everything is in the delta).

    `present` masks the rows of passages that were not deleted, in force or not: for those who ask for what is not.
    """

    corpus_generation: int
    generation: Path | None
    cases: CaseCollection
    passages: Collection
    case_facets: Facets
    passage_facets: Facets
    present: Mask
    day: date
    delta_size: int
    masked: int


@dataclass(frozen=True, slots=True)
class Base:
    """What a generation holds, opened once while it serves: most changes leave all of it as it is.

    `folder` and `manifest` are None where everything is in the delta.
    """

    folder: Path | None
    manifest: Manifest | None
    ids: Mapping[str, Sequence[str]]  # "cases", "passages"
    lexical: Mapping[str, LexicalIndex]  # "captions", "passages"
    vectors: Mapping[str, ExactVectors | ChromaVectors]  # SPACES
    sketches: SketchTable

    @property
    def since(self) -> int:
        """The corpus generation that it holds."""
        return self.manifest.corpus_generation if self.manifest else 0


@dataclass(slots=True)
class Kept:
    """What one view leaves for the next: `base`, and of the cases what holds as long as they are `cases_of`."""

    facets: FacetReader
    terms: DeltaTerms
    base: Base | None = None
    cases: CaseCollection | None = None
    cases_of: object = None


class IndexReader:
    """Hands out the newest view; loads a new one only when the corpus or the index has changed."""

    def __init__(
        self, index: IndexFolder, registry: Registry, embeddings: EmbeddingStore, *, exact_below: int = EXACT_BELOW
    ) -> None:
        self._index = index
        self._registry = registry
        self._embeddings = embeddings
        self._exact_below = exact_below
        self._kept = Kept(FacetReader(registry), DeltaTerms())
        self._lock = threading.Lock()
        self._view: View | None = None

    def view(self) -> View:
        """Costs one small query when nothing changed. Raises IndexMismatch or IndexBroken."""
        with self._lock:
            while True:
                state = self._state()
                view = self._view
                # Evidence expires with the day, without any change to the corpus.
                if view is not None and (view.generation, view.corpus_generation, view.day) == (*state, today()):
                    return view
                try:
                    self._view = self._load(state[0], self._kept)
                    return self._view
                except RetrievalError:
                    # A deletion removes vectors and generations while we read them. Then look again; else it is true.
                    if self._state() == state:
                        raise

    def _state(self) -> tuple[Path | None, int]:
        return self._index.state(self._registry)

    def view_of(self, folder: Path) -> View:
        """A view of one generation that does not serve, finished and perhaps not published. Raises as `view` does."""
        # What is kept is of the generation that serves, and under the lock.
        return self._load(folder, Kept(FacetReader(self._registry), DeltaTerms()))

    def _load(self, folder: Path | None, kept: Kept) -> View:
        # One snapshot: of a version that is superseded between two reads, both could vanish or both appear.
        with self._registry.snapshot():
            return self._loaded(folder, kept)

    def _loaded(self, folder: Path | None, kept: Kept) -> View:
        kept.terms.next_delta()
        if kept.base is None or kept.base.folder != folder:
            kept.base = self._opened(folder)
        base = kept.base
        delta = contents_of(self._registry, self._embeddings, self._index, since=base.since)
        gone = self._registry.tombstones(base.since)
        there = {kind: _present(ids, len(delta.ids[kind]), gone) for kind, ids in base.ids.items()}
        ids = {kind: (*base.ids[kind], *delta.ids[kind]) for kind in base.ids}
        counts = len(base.ids["cases"]), len(base.ids["passages"])
        day = today()
        case_facets, passage_facets = kept.facets.read(folder, base.since, ids["cases"], ids["passages"], counts)

        def collection(space: str, ids: tuple[str, ...], alive: Mask) -> Collection:
            lexical = LayeredLexical(base.lexical[space], delta.texts[space], alive, kept.terms)
            return Collection(ids, alive, LayeredVectors(base.vectors[space], delta.matrices[space]), lexical)

        retired = self._registry.datasets.names(DatasetState.RETIRED)
        cases_of = (folder, self._registry.cases_mark(), retired)
        if kept.cases is None or kept.cases_of != cases_of:
            captions = collection("captions", ids["cases"], there["cases"] & ~of_datasets(case_facets, retired))
            pictures = LayeredVectors(base.vectors["pictures"], delta.matrices["pictures"])
            kept.cases = self._cases(captions, pictures, base.sketches.extended(delta.sketches))
            kept.cases_of = cases_of
        return View(
            corpus_generation=delta.corpus_generation,
            generation=folder,
            cases=kept.cases,
            passages=collection("passages", ids["passages"], there["passages"] & in_force(passage_facets)),
            case_facets=case_facets,
            passage_facets=passage_facets,
            present=there["passages"],
            day=day,
            delta_size=sum(len(ids) for ids in delta.ids.values()),
            masked=int((~there["cases"]).sum() + (~there["passages"]).sum()),
        )

    def _opened(self, folder: Path | None) -> Base:
        manifest = None if folder is None else self._checked_manifest(folder)
        store = None if folder is None or manifest is None else chroma_of(folder, manifest.chroma_url)
        return Base(
            folder,
            manifest,
            {kind: _read_ids(folder, kind) for kind in ("cases", "passages")},
            {space: _base_lexical(folder, space) for space in ("captions", "passages")},
            {space: self._base_vectors(folder, store, space) for space in SPACES},
            SketchTable.of(_base_sketches(folder)),
        )

    def _cases(self, captions: Collection, pictures: LayeredVectors, sketches: SketchTable) -> CaseCollection:
        by_id = {guard.id: guard for guard in self._registry.case_guards()}
        rows = zip(captions.ids, captions.alive.tolist(), strict=True)
        # A row of the base whose case is gone has no guard, and without one it may not be shown.
        guards = [by_id.get(case_id) if alive else None for case_id, alive in rows]
        guard = GuardTable.of(guards, sketches)
        row_labels = np.array([one.label if one else "" for one in guards], dtype=np.str_)
        checked = replace(captions, alive=guard.present)
        labels = tuple(sorted({one.label for one in guards if one}))
        return CaseCollection(checked, pictures, guard.present & captions.vectors.nonzero(), guard, labels, row_labels)

    def _checked_manifest(self, folder: Path) -> Manifest:
        manifest = Manifest.read(folder)
        found = (manifest.format, manifest.tokenizer, dict(manifest.fingerprints))
        if found != (FORMAT, TOKENIZER, self._index.fingerprints):
            raise IndexMismatch(
                "the index was built by other encoders or another version than those configured. Mend it: dermacite reindex"
            )
        return manifest

    def _base_vectors(self, folder: Path | None, store: ChromaStore | None, space: str) -> ExactVectors | ChromaVectors:
        if folder is None or store is None:
            return ExactVectors(np.zeros((0, self._index.dimensions[space]), dtype=np.float32))
        with _readable():
            matrix: Vectors = np.load(folder / f"{space}.npy", mmap_mode="r", allow_pickle=False)
        return ChromaVectors(matrix, store, space, exact_below=self._exact_below)


def _present(base: Sequence[str], delta: int, gone: frozenset[str]) -> Mask:
    """Rows that were not deleted. One of the base that went and came back is present in the delta only."""
    there = np.ones(len(base) + delta, dtype=np.bool_)
    if gone:
        there[: len(base)] = [item not in gone for item in base]
    return there


def _read_ids(folder: Path | None, kind: str) -> Sequence[str]:
    if folder is None:
        return []
    with _readable():
        ids: list[str] = json.loads((folder / f"{kind}.json").read_text("utf-8"))
        return ids


def _base_sketches(folder: Path | None) -> Sketches:
    if folder is None:
        return np.zeros((0, SKETCH_BYTES), dtype=np.uint8)
    with _readable():
        if not (folder / SKETCHES_FILE).exists():  # a generation from before sketches: none of its rows has one
            return np.zeros((len(_read_ids(folder, "cases")), SKETCH_BYTES), dtype=np.uint8)
        sketches: Sketches = np.load(folder / SKETCHES_FILE, mmap_mode="r", allow_pickle=False)
        return sketches


def _base_lexical(folder: Path | None, space: str) -> LexicalIndex:
    if folder is None:
        return LexicalIndex.build([])
    with _readable():
        return LexicalIndex.load(folder / f"{space}.bm25")


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, EOFError) as error:
        raise IndexBroken("a file of the index is missing or damaged. Build it again: dermacite reindex") from error
