"""Makes sure that evidence has vectors, encoding only what no one encoded before."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from retrieval.embeddings import EmbeddingStore, text_key
from retrieval.search import Encoders
from retrieval.sketches import SKETCHER, Sketches, sketch_of
from retrieval.types import Vectors

SLICE = 64  # inputs encoded between two writes: what a kill can waste, and the grain of the progress bar

Progress = Callable[[int, int], None]  # (done, of)
LoadPicture = Callable[[], NDArray[np.uint8]]
T = TypeVar("T")


class Embedder:
    """Fills the embedding store. What is in it already costs one look-up."""

    def __init__(self, encoders: Encoders, store: EmbeddingStore) -> None:
        self._encoders = encoders
        self._store = store

    def passages(self, texts: Iterable[str], progress: Progress | None = None) -> int:
        """Vectors for guideline passages; returns how many were encoded."""
        encoder = self._encoders.passages
        inputs = {text_key(text): text for text in sorted(texts, key=len)}  # texts of one length cost least
        return self._fill(encoder.fingerprint, inputs, encoder.encode_documents, progress)

    def captions(self, texts: Iterable[str], progress: Progress | None = None) -> int:
        """Vectors for captions; a case without one has none."""
        encoder = self._encoders.captions
        inputs = {text_key(text): text for text in sorted(filter(None, texts), key=len)}
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
        present = self._store.get_bytes(fingerprint, inputs)
        missing = [key for key in inputs if key not in present]
        for start in range(0, len(missing), SLICE):
            keys = missing[start : start + SLICE]
            self._store.put(fingerprint, keys, encode([inputs[key] for key in keys]))
            if progress is not None:
                progress(min(start + SLICE, len(missing)), len(missing))
        return len(missing)
