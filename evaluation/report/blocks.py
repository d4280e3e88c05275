"""What a report consists of, before it is HTML or Markdown. Every text here is data and is escaped by whoever writes it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """One paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Something to be typed or copied as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` under `head`, each as long; the first cell of a row says what the row is. `notes` follow, numbered from 1."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """`svg` is markup made by evaluation.report.drawing. `alt` says what is to be seen, `table` holds its numbers."""

    caption: str
    alt: str
    svg: str
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures that stand side by side where there is room."""

    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Card:
    """One case. `picture` is a data URI, else `withheld` says why there is none. `facts` by name."""

    title: str
    picture: str | None
    withheld: str
    alt: str
    credit: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Cards:
    """Cases, the most telling first."""

    cards: Sequence[Card]


Block = Text | Code | Table | Figures | Cards


@dataclass(frozen=True, slots=True)
class Section:
    """`name` is its anchor: letters and hyphens."""

    name: str
    title: str
    blocks: Sequence[Block]
