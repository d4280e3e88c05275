"""Which blocks are headings, how deep they are, and the finished text of a document."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge.pdf.composing import Block, Kind, blocks_of, separator
from knowledge.pdf.layout import Row
from knowledge.types import Heading

PAGE_JOINER = "\n\n"
MAX_LEVEL = 6
_LARGER, _SLIGHTLY_LARGER = 1.12, 1.05
_MAX_ROWS, _MAX_CHARACTERS, _MAX_CHARACTERS_PLAIN = 5, 250, 100
_NUMBER = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+(?=\D)")
_CAPTION = re.compile(r"(?:table|figure|fig|box|panel|algorithm)\b\.?\s*[\dIVX]", re.IGNORECASE)
_RAISED = re.compile("[⁰¹²³⁴-⁹]")
"""Authors carry several reference marks, headings do not."""
_NOT_AT_THE_END = (".", ",", ";", "-")
_REPEATED_PAGES, _REPEATED_SHARE = 3, 0.3


@dataclass(frozen=True, slots=True)
class Composed:
    """Text of a document, a half-open span per page, headings, and the title as printed (None if none was found)."""

    text: str
    spans: tuple[tuple[int, int], ...]
    headings: tuple[Heading, ...]
    title: str | None


def compose(pages: Sequence[Sequence[Row]]) -> Composed:
    """The document's text from the rows of its pages. A page without rows has an empty span."""
    blocks = blocks_of(pages)
    levels = _levels(blocks, len(pages))
    by_page: dict[int, list[int]] = defaultdict(list)
    for index, block in enumerate(blocks):
        by_page[block.page].append(index)
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    headings: list[Heading] = []
    position = 0
    for page in range(len(pages)):
        if page:
            parts.append(PAGE_JOINER)
            position += len(PAGE_JOINER)
        start = position
        for above, index in zip([None, *by_page[page]], by_page[page], strict=False):
            gap = "" if above is None else _gap(blocks, levels, above, index)
            parts += [gap, blocks[index].text]
            position += len(gap)
            if index in levels:
                headings.append(Heading(position, position + len(blocks[index].text), levels[index]))
            position += len(blocks[index].text)
        spans.append((start, position))
    return Composed("".join(parts), tuple(spans), tuple(headings), _title(blocks, levels))


def _gap(blocks: Sequence[Block], levels: dict[int, int], above: int, below: int) -> str:
    if below in levels:
        return "\n\n"
    return "\n" if above in levels else separator(blocks[above], blocks[below])


def _title(blocks: Sequence[Block], levels: dict[int, int]) -> str | None:
    # One word in large print on the first page is a label ("Article", "OPEN"), hardly ever a title.
    first = [blocks[i] for i in levels if blocks[i].page == 0 and " " in blocks[i].text]
    return max(first, key=lambda b: b.size).text if first else None


def _body(blocks: Sequence[Block]) -> tuple[float, bool]:
    """Font size (points) and weight that most characters have."""
    counted: Counter[tuple[float, bool]] = Counter()
    for block in blocks:
        counted[round(block.size * 2) / 2, block.bold] += len(block.text)
    if not counted:
        return 0.0, False
    (rounded, bold), _ = counted.most_common(1)[0]
    sizes: Counter[float] = Counter()
    for block in blocks:
        if round(block.size * 2) / 2 == rounded:
            sizes[block.size] += len(block.text)
    return sizes.most_common(1)[0][0], bold


def _levels(blocks: Sequence[Block], pages: int) -> dict[int, int]:
    """Level (1 = top) per index of a heading: by rank of font size and weight, then by depth of its number."""
    size, bold = _body(blocks)
    found = [i for i in range(len(blocks)) if _is_heading(blocks, i, size, bold)]
    on_pages: dict[str, set[int]] = defaultdict(set)
    for i in found:
        on_pages[_folded(blocks[i].text)].add(blocks[i].page)
    often = max(_REPEATED_PAGES, _REPEATED_SHARE * pages)
    # What stands on page after page in large print is a running header, not the start of a section.
    found = [i for i in found if len(on_pages[_folded(blocks[i].text)]) < often]
    faces = {face: rank for rank, face in enumerate(sorted({_face(blocks[i]) for i in found}, reverse=True))}
    depths: dict[tuple[float, bool], int] = {}
    for i in found:
        face = _face(blocks[i])
        depths[face] = min(depths.get(face, MAX_LEVEL), _depth(blocks[i].text))
    levels = {}
    for i in found:
        face = _face(blocks[i])
        levels[i] = min(MAX_LEVEL, 1 + faces[face] + _depth(blocks[i].text) - depths[face])
    return levels


def _face(block: Block) -> tuple[float, bool]:
    return round(block.size * 2) / 2, block.bold


def _folded(text: str) -> str:
    return re.sub(r"\s*\d+$", "", text).casefold()


def _depth(text: str) -> int:
    number = _NUMBER.match(text)
    return number.group(1).count(".") + 1 if number else 1


def _is_heading(blocks: Sequence[Block], index: int, body: float, body_bold: bool) -> bool:
    block = blocks[index]
    text = block.text
    numbered = _NUMBER.match(text)
    if block.kind is Kind.TABLE_ROW and not (numbered and text.count("\t") == 1 and "\t" in numbered.group()):
        return False
    if block.kind is Kind.ITEM and not numbered:
        return False
    if block.angle or block.rows > _MAX_ROWS or len(text) > _MAX_CHARACTERS or _CAPTION.match(text):
        return False
    title = text[numbered.end() :] if numbered else text
    if sum(c.isalpha() for c in title) < 3 or text.endswith(_NOT_AT_THE_END) or len(_RAISED.findall(text)) > 1:
        return False
    if block.size >= _LARGER * body:
        return True
    if len(text) > _MAX_CHARACTERS_PLAIN or title[:1].islower() or block.size < 0.95 * body:
        return False
    if block.bold and not body_bold:
        return True
    if block.rows > 2:
        return False
    if numbered and "." in numbered.group(1):
        return block.apart
    followed = index + 1 < len(blocks) and blocks[index + 1].page == block.page
    return block.size >= _SLIGHTLY_LARGER * body and followed and abs(blocks[index + 1].size - body) < 0.05 * body
