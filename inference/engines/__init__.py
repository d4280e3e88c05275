"""Engines: what turns a request into words. Each is imported from its own module, so that nobody loads what he lacks."""

from inference.engines.protocol import Engine
from inference.engines.types import ChatRequest, Completion, LabelScore, TokenLogprob, label_mass

__all__ = ["ChatRequest", "Completion", "Engine", "LabelScore", "TokenLogprob", "label_mass"]
