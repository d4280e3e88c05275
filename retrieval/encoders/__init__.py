"""Encoders: torch, open_clip, sentence-transformers and timm are imported here only, and only when first used."""

import os

# Torch's threads spin for milliseconds after each step, on cores that a second thread of torch, a parser or a search could
# use: with this they soon sleep. It is read once, when torch is loaded; a value of the environment wins.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from retrieval.encoders.cards import encoder_card, encoder_cards
from retrieval.encoders.load import (
    load_image_encoder,
    load_reranker,
    load_text_encoder,
    load_token_vectors,
    quick_loading,
    use_threads,
)
from retrieval.encoders.weights import Weights, locate

__all__ = [
    "Weights",
    "encoder_card",
    "encoder_cards",
    "load_image_encoder",
    "load_reranker",
    "load_text_encoder",
    "load_token_vectors",
    "locate",
    "quick_loading",
    "use_threads",
]
