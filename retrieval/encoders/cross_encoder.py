"""Rerankers that sentence-transformers can run, from a local folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from retrieval.encoders.sentence_transformer import stored_tensors
from retrieval.encoders.weights import Weights
from retrieval.errors import EncoderBroken
from retrieval.types import EncoderCard, Scores

BATCH = 16


class CrossEncoderReranker:
    """Reads query and text together and says how relevant the text is, 0..1 (sigmoid of the model's one logit)."""

    def __init__(self, card: EncoderCard, weights: Weights) -> None:
        self.card = card
        self.fingerprint = weights.fingerprint
        self._model = CrossEncoder(
            str(weights.path), device="cpu", local_files_only=True, max_length=card.max_tokens,
            activation_fn=torch.nn.Sigmoid(),
        )  # fmt: skip
        self._check(weights.path)

    def score(self, query: str, texts: Sequence[str]) -> Scores:
        """See Reranker."""
        if not texts:
            return np.zeros(0, dtype=np.float32)
        pairs = [(self.card.query_prefix + query, self.card.document_prefix + text) for text in texts]
        scores = self._model.predict(pairs, batch_size=BATCH, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(scores, dtype=np.float32).reshape(len(texts))

    def _check(self, folder: Path) -> None:
        if self._model.num_labels != 1:
            raise EncoderBroken(f"reranker {self.card.name}: {self._model.num_labels} outputs found, 1 expected")
        # What a checkpoint lacks, also its whole head, is filled with random numbers, with a line in the log only.
        network: Any = self._model.model
        missing = {name for name, _ in network.named_parameters()} - stored_tensors(folder)
        if missing:
            raise EncoderBroken(f"reranker {self.card.name}: the checkpoint lacks {len(missing)} tensors")
        one, other = self.score("psoriasis", ["plaques with silvery scale", "melanoma of the back"])
        if one == other:
            raise EncoderBroken(
                f"reranker {self.card.name} cannot tell two texts apart; its tokenizer files are missing"
            )
