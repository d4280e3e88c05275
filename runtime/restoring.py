"""From the unpacked files of an archive to a registry, vectors and an index that fit together, or a refusal."""

from itertools import compress
from pathlib import Path

from knowledge.registry import Registry
from knowledge.types import Standing
from retrieval.embeddings import EmbeddingStore
from retrieval.errors import IndexBroken, IndexMismatch
from retrieval.generation import SPACES
from retrieval.index import CURRENT, IndexFolder
from retrieval.parcels import check_generation, is_sketch, read_vectors
from retrieval.view import IndexReader
from runtime.archive import REGISTRY, VECTORS, ArchiveManifest
from runtime.errors import SettingsRefused
from runtime.home import Home
from runtime.switching import Switched
from runtime.tarring import ArchiveRefused
from runtime.writing import keys_in_use

MANY_JOBS = 1_000_000_000


def restore(manifest: ArchiveManifest, aside: Path, spool: Path) -> tuple[str, ...]:
    """Make the registry, the vectors and the index of the home `aside` of unpacked files, and prove each against the others.

    Returns what a home that was not whole lacked when it was exported.
    Raises ArchiveRefused, RowsRefused, VectorsRefused, IndexBroken, StorageFailed, EmbeddingsFailed.
    """
    registry = Registry.restored(aside, spool / REGISTRY, manifest.schema)
    try:
        _prove_rows(registry, manifest)
        _restore_vectors(manifest, aside, spool, keys_in_use(registry))
        if manifest.index is not None:
            _restore_index(manifest, aside)
        lacking = _prove_view(registry, manifest, aside)
    finally:
        registry.close()
    try:
        Switched.read(aside)
    except SettingsRefused as error:
        raise ArchiveRefused(str(error)) from error
    return lacking


def _restore_index(manifest: ArchiveManifest, aside: Path) -> None:
    folder = Home(aside).indexes / str(manifest.index)
    index = _index_of(manifest, aside)
    check_generation(folder, manifest.fingerprints, manifest.corpus_generation, index.dimensions)
    if folder.parent != index.folder:
        raise ArchiveRefused("its index is in the folder of other encoders")
    (folder.parent / CURRENT).symlink_to(folder.name)


def _index_of(manifest: ArchiveManifest, aside: Path) -> IndexFolder:
    dimensions = {space: int(one["dimension"]) for space, one in manifest.encoders.items()}
    return IndexFolder(Home(aside).indexes, manifest.fingerprints, dimensions)


def _prove_view(registry: Registry, manifest: ArchiveManifest, aside: Path) -> tuple[str, ...]:
    """That index, rows and vectors open together as they do for a search, with every live item once."""
    try:
        view = IndexReader(_index_of(manifest, aside), registry, EmbeddingStore(Home(aside).embeddings)).view()
        cases, passages, captions = view.cases, view.passages, view.cases.captions
        kinds = (
            (cases.ids, cases.alive, registry.case_captions(), (cases.pictures, captions.vectors, captions.lexical)),
            (passages.ids, view.present, registry.passage_texts(), (passages.vectors, passages.lexical)),
        )  # fmt: skip
        fits = all(
            sorted(compress(ids, there.tolist())) == [item for item, *_ in rows]
            and all(len(leg) == len(ids) for leg in legs)
            for ids, there, rows, legs in kinds
        )
    except IndexMismatch:
        return ("vectors were missing when it was exported: run dermacite reindex",)
    except (IndexBroken, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ArchiveRefused(f"its index does not fit its rows ({type(error).__name__})") from error
    if not fits:
        raise ArchiveRefused("its index does not hold what its rows say")
    return ()


def _prove_rows(registry: Registry, manifest: ArchiveManifest) -> None:
    """That the rows are what this program writes, one with another and with the stored files. Raises ArchiveRefused."""
    if problems := registry.integrity_problems():
        raise ArchiveRefused("; ".join(problems))
    if registry.corpus_generation() != manifest.corpus_generation:
        raise ArchiveRefused("its rows are of another corpus generation than it says")
    if any(manifest.counts.get(name) != number for name, number in registry.counts().items()):
        raise ArchiveRefused("its rows are not as many as it says")
    if registry.changes_since(manifest.corpus_generation):
        raise ArchiveRefused("rows became visible after its corpus generation")
    if registry.blobs_in_use() != manifest.blobs:
        raise ArchiveRefused("its stored files are not those that its rows point at")
    try:
        for document in registry.documents():
            for one in registry.versions(document.id):
                registry.pages(one.id)
        registry.facts.versions()
        registry.passages([item for item, _ in registry.passage_texts()], frozenset(Standing))
        registry.cases([item for item, *_ in registry.case_captions()])
        registry.jobs.jobs(limit=MANY_JOBS)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ArchiveRefused(f"a row says what no row says ({type(error).__name__})") from error


def _restore_vectors(manifest: ArchiveManifest, aside: Path, spool: Path, keys: set[str]) -> None:
    bytes_of = {str(one["fingerprint"]): 4 * int(one["dimension"]) for one in manifest.encoders.values()}
    names = {file.stem for file in (spool / VECTORS).iterdir()}
    if set(manifest.encoders) != set(SPACES) or names != set(manifest.vectors):
        raise ArchiveRefused("its vectors are not those of its encoders")
    store = EmbeddingStore(Home(aside).embeddings)
    for name, width in manifest.vectors.items():
        if width and not is_sketch(name) and width != bytes_of.get(name):
            raise ArchiveRefused("its vectors have another dimension than its encoders")
        read_vectors(store, name, spool / VECTORS, width, keys)
