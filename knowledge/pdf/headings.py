"""Which blocks are headings, and how deep they are: by print, and by the outline where there is one."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from knowledge.pdf.composing import Block, Kind
from knowledge.pdf.outline import OutlineEntry, outlined
from knowledge.pdf.roles import begins_with_label, names_references

MAX_LEVEL = 6
_LARGER, _SLIGHTLY_LARGER = 1.12, 1.05
_MAX_ROWS, _MAX_CHARACTERS, _MAX_CHARACTERS_PLAIN = 5, 250, 100
_NUMBER = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+(?=\D)")
_RAISED = re.compile("[⁰¹²³⁴-⁹]")
"""Authors carry several reference marks, headings do not."""
_NOT_AT_THE_END = (".", ",", ";", "-")
_REPEATED_PAGES, _REPEATED_SHARE = 3, 0.3


def heading_levels(
    blocks: Sequence[Block], pages: int, outline: Sequence[OutlineEntry] = ()
) -> dict[int, int]:  # fmt: skip
    """Level (1 = top) per index of a heading. An outline that fits the text decides; print adds what it leaves out.

    What only print shows stands one below the entry above it; a title in larger print than any entry stands above all.
    """
    printed = _levels(blocks, pages)
    listed = outlined(blocks, outline)
    if not listed:
        return printed
    largest = max(blocks[index].size for index in listed)
    first = min(listed)
    titles = [i for i in printed if i < first and i not in listed and blocks[i].size > largest]
    shift = 1 if titles else 0
    levels: dict[int, int] = {}
    entry = within = 0
    for index in sorted({*printed, *listed}):
        if index in listed:
            entry, within = listed[index] + shift, printed.get(index, 0)
            levels[index] = min(MAX_LEVEL, entry)
        elif index in titles:
            levels[index] = 1
        else:
            levels[index] = min(MAX_LEVEL, entry + max(1, printed[index] - within) if entry else shift + 1)
    return levels


def title_of(blocks: Sequence[Block], levels: Mapping[int, int]) -> str | None:
    """The title as printed: the largest heading of the first page."""
    # One word in large print on the first page is a label ("Article", "OPEN"), hardly ever a title.
    first = [blocks[i] for i in levels if blocks[i].page == 0 and " " in blocks[i].text]
    return max(first, key=lambda b: b.size).text if first else None


def body_face(blocks: Sequence[Block]) -> tuple[float, bool]:
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
    size, bold = body_face(blocks)
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
    if block.table or (
        block.kind is Kind.TABLE_ROW and not (numbered and text.count("\t") == 1 and "\t" in numbered.group())
    ):
        return False
    if block.kind is Kind.ITEM and not numbered:
        return False
    if block.angle or block.rows > _MAX_ROWS or len(text) > _MAX_CHARACTERS or begins_with_label(text):
        return False
    title = text[numbered.end() :] if numbered else text
    if sum(c.isalpha() for c in title) < 3 or text.endswith(_NOT_AT_THE_END) or len(_RAISED.findall(text)) > 1:
        return False
    if block.size >= _LARGER * body:
        return True
    if names_references(text) and block.apart and block.rows == 1 and index + 1 < len(blocks):
        # Known by its words alone, for what follows must not be taken for advice.
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
