"""The real command line with encoders that cost nothing: `python light_process.py --home DIR ingest cases FOLDER`.

For tests that start and kill many processes, where what the vectors mean is not the point. Everything else is real.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from retrieval.encoders import locate
from retrieval.search import Encoders
from retrieval.types import EncoderCard, Vectors
from runtime.cli import main
from runtime.home import Home
from runtime.service import Service
from runtime.settings import Settings, load_settings


class LightEncoder:
    """Texts and pictures to unit vectors that only equal inputs share."""

    def __init__(self, card: EncoderCard, folder: Path | None = None) -> None:
        self.card = card
        self.fingerprint = locate(card, folder).fingerprint

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        return self._vectors([image.tobytes() for image in images])

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        return self._vectors([text.encode() for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return self.encode_documents(texts)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def _vectors(self, inputs: Sequence[bytes]) -> Vectors:
        vectors = np.zeros((len(inputs), self.card.dimension), dtype=np.float32)
        for row, one in enumerate(inputs):
            seed = int.from_bytes(hashlib.sha256(one).digest()[:8], "big")
            vectors[row] = np.random.default_rng(seed).normal(size=self.card.dimension)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


class LightService(Service):
    """The one assembly, with light encoders."""

    def _load_encoders(self) -> Encoders:
        return Encoders(**{space: LightEncoder(card, self._choice(space).folder) for space, card in self.cards.items()})


def open_light(home: Path, settings: Settings | None = None) -> Service:
    """A service of a home that such processes write to."""
    return LightService(Home(home), settings or load_settings(home))


if __name__ == "__main__":
    with mock.patch("runtime.cli.group.open_service", open_light):
        main()
