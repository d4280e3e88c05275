"""The small interfaces of this layer. Each has one contract suite in tests/contract, run on every implementation."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.types import EncoderCard, Mask, Rows, Scores, Vector, Vectors


class TextEncoder(Protocol):
    """Texts to unit vectors. Thread-safe."""

    card: EncoderCard
    fingerprint: str  # hex; changes with the card and with the weights

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """[len(texts), dimension] float32, rows L2-normalised; [0, dimension] for no texts."""

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The same for queries, with the query prefix of the card."""

    def count_tokens(self, text: str) -> int:
        """Tokens as the model counts them, special tokens included. Longer than `card.max_tokens` is cut by the model."""


class ImageEncoder(Protocol):
    """Pictures to unit vectors. Thread-safe."""

    card: EncoderCard
    fingerprint: str

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """[height, width, 3] RGB arrays to [n, dimension] float32, rows L2-normalised."""


class Reranker(Protocol):
    """Reads a query and texts together. Thread-safe."""

    card: EncoderCard
    fingerprint: str

    def score(self, query: str, texts: Sequence[str]) -> Scores:
        """[len(texts)] float32, 0..1, higher is more relevant; comparable across queries. Empty for no texts."""


class VectorRows(Protocol):
    """Bytes by (fingerprint, key), kept for good. Raises EmbeddingsFailed or StorageFailed. Thread-safe."""

    def get(self, fingerprint: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Those that are there, by key."""

    def known(self, fingerprint: str, keys: Sequence[str]) -> set[str]:
        """The keys of those that are there, without reading them."""

    def put(self, fingerprint: str, rows: Iterable[tuple[str, bytes]]) -> None:
        """Keep rows of (key, bytes) in one step; one that is there already stays."""

    def delete(self, keys: Iterable[str]) -> None:
        """Forget these keys under every fingerprint."""

    def keys(self) -> frozenset[str]:
        """Every key, under whatever fingerprint."""


class VectorIndex(Protocol):
    """Nearest neighbours by cosine over rows 0..n-1 of one matrix."""

    def __len__(self) -> int:
        """How many rows there are."""

    def search(self, query: Vector, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """At most `k` allowed rows by exact cosine, descending; equal scores by row."""

    def score(self, query: Vector, rows: Rows) -> Scores:
        """The exact cosine of each of `rows`, in their order."""
