"""Procedural clinical-like pictures of ten skin diseases, and captions made from the same parameters."""
