"""What a sample guideline is made of."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A numbered heading; level 1 is a section, level 2 a part of it."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A bullet list."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption above it. `widths` are shares of the text width and sum to 1."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]


Block = Heading | Text | Bullets | Table


@dataclass(frozen=True, slots=True)
class Guideline:
    """One document. `effective` is an ISO 8601 date; `sources` are public documents that the facts come from."""

    file: str
    title: str
    edition: str
    effective: str
    jurisdiction: str
    blocks: Sequence[Block]
    sources: Sequence[str]
