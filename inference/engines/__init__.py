"""Engines: what turns a request into words. Each is imported from its own module, so that nobody loads what he lacks."""

from inference.engines.dialects import Dialect
from inference.engines.protocol import Engine
from inference.engines.types import (
    ChatRequest,
    Completion,
    LabelScore,
    ModelIdentity,
    TokenCount,
    TokenLogprob,
    label_mass,
)

__all__ = [
    "ChatRequest", "Completion", "Dialect", "Engine", "LabelScore", "ModelIdentity", "TokenCount", "TokenLogprob", "label_mass",
]  # fmt: skip
