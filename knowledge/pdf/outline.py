"""Headings from the document's own outline: its entries are looked for in the text of the page they point to."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.pdf.composing import Block, Kind

_NUMBER = re.compile(r"^(?:[\dIVX]{1,4}(?:\.\d{1,2}){0,4}\.?|[A-Z]\.)\s+")
_MAX_ROWS = 5
_TRUSTED = 0.5
"""Share of the entries that must be found in the text; an outline of other titles says nothing about this text."""


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """A title of the outline, its level (1 = top) and the index of its page."""

    title: str
    level: int
    page: int


def outlined(blocks: Sequence[Block], outline: Sequence[OutlineEntry]) -> dict[int, int]:
    """Level by index of the blocks that entries of the outline name, in order; none where few are found."""
    if not outline:
        return {}
    by_page: dict[int, list[int]] = defaultdict(list)
    for index, block in enumerate(blocks):
        if block.rows <= _MAX_ROWS and (block.kind is not Kind.TABLE_ROW or not block.table):
            by_page[block.page].append(index)
    levels: dict[int, int] = {}
    top = min(entry.level for entry in outline)
    for entry in outline:
        wanted = _plain(entry.title)
        found = next((i for i in by_page[entry.page] if i not in levels and _names(blocks[i].text, wanted)), None)
        if found is not None and wanted:
            levels[found] = entry.level - top + 1
    return levels if len(levels) >= _TRUSTED * len(outline) else {}


def _plain(text: str) -> str:
    """What titles are compared by: letters and digits without the number in front."""
    return "".join(c for c in _NUMBER.sub("", text.strip()).casefold() if c.isalnum())


def _names(text: str, wanted: str) -> bool:
    return bool(wanted) and _plain(text) == wanted
