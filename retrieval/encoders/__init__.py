"""Encoders: torch, open_clip, sentence-transformers and timm are imported here only, and only when first used."""

from retrieval.encoders.cards import encoder_card, encoder_cards
from retrieval.encoders.load import load_image_encoder, load_reranker, load_text_encoder, quick_loading
from retrieval.encoders.weights import Weights, locate

__all__ = [
    "Weights",
    "encoder_card",
    "encoder_cards",
    "load_image_encoder",
    "load_reranker",
    "load_text_encoder",
    "locate",
    "quick_loading",
]
