"""Makes sure that evidence has vectors, encoding only what no one encoded before."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval.embeddings import text_key
from retrieval.protocols import ImageEncoder, TextEncoder
from retrieval.sketches import SKETCHER, Sketches, sketch_of
from retrieval.types import Vectors

SLICE = 64  # inputs encoded between two writes: what a kill can waste, and the grain of the progress bar

Progress = Callable[[int, int], None]  # (done, of)
LoadPicture = Callable[[], NDArray[np.uint8]]
T = TypeVar("T")


class SpaceEncoders(Protocol):
    """Which encoder serves which space (see retrieval.search.Encoders); one that is not asked for need not be there."""

    @property
    def pictures(self) -> ImageEncoder:
        """Of case pictures."""

    @property
    def captions(self) -> TextEncoder:
        """Of captions."""

    @property
    def passages(self) -> TextEncoder:
        """Of guideline passages."""


class VectorStore(Protocol):
    """What of retrieval.embeddings.EmbeddingStore is needed to fill it."""

    def known(self, fingerprint: str, keys: Iterable[str]) -> set[str]:
        """See EmbeddingStore."""

    def put(self, fingerprint: str, keys: Sequence[str], vectors: NDArray[np.float32 | np.uint8]) -> None:
        """See EmbeddingStore."""


class Embedder:
    """Fills the embedding store. What is in it already costs one look-up."""

    def __init__(self, encoders: SpaceEncoders, store: VectorStore) -> None:
        self._encoders = encoders
        self._store = store

    def passages(self, texts: Iterable[str], progress: Progress | None = None) -> int:
        """Vectors for guideline passages; returns how many were encoded."""
        encoder = self._encoders.passages
        inputs = by_key(texts)
        return self._fill(encoder.fingerprint, inputs, encoder.encode_documents, progress)

    def captions(self, texts: Iterable[str], progress: Progress | None = None) -> int:
        """Vectors for captions; a case without one has none."""
        encoder = self._encoders.captions
        inputs = by_key(filter(None, texts))
        return self._fill(encoder.fingerprint, inputs, encoder.encode_documents, progress)

    def pictures(self, pictures: Iterable[tuple[str, LoadPicture]], progress: Progress | None = None) -> int:
        """Vectors for (stored sha256, how to load its RGB pixels); loads only what must be encoded."""
        encoder = self._encoders.pictures

        def encode(loaders: Sequence[LoadPicture]) -> Vectors:
            return encoder.encode_images([load() for load in loaders])

        return self._fill(encoder.fingerprint, dict(pictures), encode, progress)

    def sketches(self, pictures: Iterable[tuple[str, LoadPicture]], progress: Progress | None = None) -> int:
        """What the leak guard recognises copies by, for (stored sha256, how to load its RGB pixels)."""

        def draw(loaders: Sequence[LoadPicture]) -> Sketches:
            return np.stack([sketch_of(load()) for load in loaders])

        return self._fill(SKETCHER, dict(pictures), draw, progress)

    def _fill(
        self,
        fingerprint: str,
        inputs: dict[str, T],
        encode: Callable[[Sequence[T]], Vectors | Sketches],
        progress: Progress | None,
    ) -> int:
        slices = missing(self._store, fingerprint, inputs)
        count, done = sum(map(len, slices)), 0
        for keys in slices:
            self._store.put(fingerprint, keys, encode([inputs[key] for key in keys]))
            done += len(keys)
            if progress is not None:
                progress(done, count)
        return count


def by_key(texts: Iterable[str]) -> dict[str, str]:
    """Texts by the keys of their vectors, the shortest first: texts of one length cost least."""
    return {text_key(text): text for text in sorted(texts, key=len)}


def missing(store: VectorStore, fingerprint: str, keys: Iterable[str]) -> list[list[str]]:
    """Those of `keys` that have no vector, in slices to be encoded together.

    Which inputs are encoded together shows in the last bits of their vectors: whoever encodes takes these slices.
    """
    wanted = list(keys)
    present = store.known(fingerprint, wanted)
    left = [key for key in wanted if key not in present]
    return [left[start : start + SLICE] for start in range(0, len(left), SLICE)]
