"""What happens to evidence before it is visible, and how it gets its ids."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from knowledge.pictures import Picture
from knowledge.types import ReferenceCase


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the layer above does before evidence becomes visible. Each must be durable when it returns."""

    count_tokens: Callable[[str], int]
    passages: Callable[[Sequence[str]], None]
    cases: Callable[[Sequence[tuple[ReferenceCase, Picture]]], None]


def short_hash(*parts: str) -> str:
    """24 hex digits that name some content."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
