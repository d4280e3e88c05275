"""What new evidence needs before it may be found: the vectors of its texts and pictures, durable."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from knowledge.pictures import Picture
from knowledge.preparation import Preparation
from knowledge.types import ReferenceCase
from retrieval.embedder import Embedder
from retrieval.embeddings import EmbeddingStore
from retrieval.search import Encoders


def preparation(encoders: Callable[[], Encoders], embeddings: EmbeddingStore) -> Preparation:
    """With encoders that are loaded when the first of them is needed."""

    def count_tokens(text: str) -> int:
        return encoders().passages.count_tokens(text)

    def passages(texts: Sequence[str]) -> None:
        Embedder(encoders(), embeddings).passages(texts)

    def cases(new: Sequence[tuple[ReferenceCase, Picture]]) -> None:
        if not new:
            return
        embedder = Embedder(encoders(), embeddings)
        pictures = [(case.picture, partial(_pixels_of, picture)) for case, picture in new]
        embedder.pictures(pictures)
        embedder.sketches(pictures)
        embedder.captions(case.caption for case, _ in new)

    return Preparation(count_tokens, passages, cases)


def _pixels_of(picture: Picture) -> NDArray[np.uint8]:
    return picture.rgb
