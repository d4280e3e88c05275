"""Text encoders that sentence-transformers can run, from a local folder."""

import logging
from collections.abc import Sequence

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers.utils.logging import disable_progress_bar

from retrieval.encoders.weights import Weights
from retrieval.errors import EncoderBroken
from retrieval.types import EncoderCard, Vectors

BATCH = 32

# They log a line and draw a bar per load; a command line's output is the answer.
disable_progress_bar()  # type: ignore[no-untyped-call]
logging.getLogger("sentence_transformers").setLevel(logging.WARNING)


class SentenceTransformerEncoder:
    """Always normalises: a plain BERT folder would otherwise give unnormalised vectors without a word."""

    def __init__(self, card: EncoderCard, weights: Weights) -> None:
        self.card = card
        self.fingerprint = weights.fingerprint
        self._model = SentenceTransformer(str(weights.path), device="cpu", local_files_only=True)
        self._check()

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """See TextEncoder."""
        return self._encode([self.card.document_prefix + text for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """See TextEncoder."""
        return self._encode([self.card.query_prefix + text for text in texts])

    def count_tokens(self, text: str) -> int:
        """See TextEncoder."""
        return len(self._model.tokenizer.encode(text, truncation=False, verbose=False))

    def _encode(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.card.dimension), dtype=np.float32)
        vectors = self._model.encode(
            texts, batch_size=BATCH, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def _check(self) -> None:
        dimension = self._model.get_embedding_dimension()
        if dimension != self.card.dimension:
            raise EncoderBroken(
                f"encoder {self.card.name}: {dimension} dimensions found, {self.card.dimension} expected"
            )
        poolings = [module.pooling_mode for module in self._model if isinstance(module, Pooling)]
        if self.card.pooling is not None and poolings != [self.card.pooling]:
            raise EncoderBroken(f"encoder {self.card.name}: pooling {poolings} found, {self.card.pooling!r} expected")
