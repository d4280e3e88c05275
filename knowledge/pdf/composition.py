"""The finished text of a document: from the rows of its pages to text, spans, headings, stretches and printed lines."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knowledge.pdf.columns import in_columns
from knowledge.pdf.composing import Block, blocks_of, separator, without_false_cells
from knowledge.pdf.furniture import without_furniture
from knowledge.pdf.headings import body_face, heading_levels, title_of
from knowledge.pdf.layout import PageFrame, Part, Row
from knowledge.pdf.outline import OutlineEntry
from knowledge.pdf.roles import roles_of
from knowledge.pdf.tables import Table, with_tables
from knowledge.types import Heading, Line, Role, Stretch

PAGE_JOINER = "\n\n"
_ASCENT, _DESCENT = 0.9, 0.25
"""Em above and below the baseline that a line's rectangle takes: what letters of usual fonts need."""
_SAME_COLUMN = 12.0
"""Points by which the columns of a table move from one page to the next at most."""


@dataclass(frozen=True, slots=True)
class Composed:
    """Text of a document, a half-open span per page, and what stands where in it; the title is the one printed."""

    text: str
    spans: tuple[tuple[int, int], ...]
    headings: tuple[Heading, ...]
    title: str | None
    stretches: tuple[Stretch, ...] = ()
    lines: tuple[Line, ...] = ()


def compose(
    pages: Sequence[Sequence[Row]],
    frames: Sequence[PageFrame | None] = (),
    outline: Sequence[OutlineEntry] = (),
) -> Composed:
    """The document's text from the rows of its pages. A page without rows has an empty span.

    `frames` are the pages' sizes and rules; without them nothing is taken for furniture or footnote and no line has a
    rectangle.
    """
    framed = [frames[index] if index < len(frames) else None for index in range(len(pages))]
    bare = [without_false_cells(rows) for rows in without_furniture(pages, framed)]
    ordered = [in_columns(rows, frame) for rows, frame in zip(bare, framed, strict=True)]
    read = [with_tables(rows, frame) for rows, frame in zip(ordered, framed, strict=True)]
    tables = {(page, number): table for page, (_, found) in enumerate(read) for number, table in found.items()}
    blocks = blocks_of([rows for rows, _ in read])
    levels = heading_levels(blocks, len(pages), outline)
    heights = [frame.height if frame else None for frame in framed]
    roles = roles_of(blocks, levels, set(tables), body_face(blocks)[0], heights)
    text, spans, starts = _written(blocks, levels, len(pages))
    headings = tuple(Heading(starts[i], starts[i] + len(blocks[i].text), levels[i]) for i in sorted(levels))
    return Composed(
        text, spans, headings, title_of(blocks, levels),
        tuple(_stretches(blocks, roles, tables, starts, text)), tuple(_lines(blocks, starts, framed)),
    )  # fmt: skip


def _written(
    blocks: Sequence[Block], levels: Mapping[int, int], pages: int
) -> tuple[str, tuple[tuple[int, int], ...], list[int]]:
    """The text, the span of each page, and where each block starts."""
    by_page: dict[int, list[int]] = defaultdict(list)
    for index, block in enumerate(blocks):
        by_page[block.page].append(index)
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    starts: list[int] = []
    position = 0
    for page in range(pages):
        if page:
            parts.append(PAGE_JOINER)
            position += len(PAGE_JOINER)
        start = position
        for above, index in zip([None, *by_page[page]], by_page[page], strict=False):
            gap = "" if above is None else _gap(blocks, levels, above, index)
            parts += [gap, blocks[index].text]
            starts.append(position + len(gap))
            position += len(gap) + len(blocks[index].text)
        spans.append((start, position))
    return "".join(parts), tuple(spans), starts


def _gap(blocks: Sequence[Block], levels: Mapping[int, int], above: int, below: int) -> str:
    if below in levels:
        return "\n\n"
    return "\n" if above in levels else separator(blocks[above], blocks[below])


def _stretches(
    blocks: Sequence[Block], roles: Sequence[Role], tables: Mapping[tuple[int, int], Table], starts: Sequence[int],
    text: str,
) -> list[Stretch]:  # fmt: skip
    """Neighbours of one role together; every table, and every caption, is one of its own."""
    groups: list[list[int]] = []
    for index, role in enumerate(roles):
        if role is Role.BODY:
            continue
        last = groups[-1] if groups else None
        if last and last[-1] == index - 1 and _together(blocks, roles, last[-1], index):
            last.append(index)
        else:
            groups.append([index])
    headers = _headers(blocks, [g for g in groups if roles[g[0]] is Role.TABLE], tables, starts, text)
    return [
        Stretch(starts[g[0]], starts[g[-1]] + len(blocks[g[-1]].text), roles[g[0]], headers.get(g[0])) for g in groups
    ]


def _together(blocks: Sequence[Block], roles: Sequence[Role], above: int, below: int) -> bool:
    if roles[above] is not roles[below]:
        return False
    one, two = blocks[above], blocks[below]
    if roles[below] is Role.TABLE:
        return (one.page, one.table) == (two.page, two.table)
    return roles[below] is not Role.CAPTION or (one.page == two.page and not two.apart)


def _headers(
    blocks: Sequence[Block], groups: Sequence[Sequence[int]], tables: Mapping[tuple[int, int], Table],
    starts: Sequence[int], text: str,
) -> dict[int, str]:  # fmt: skip
    """Header text by the first block of a table. A table that goes on over a page takes the one it began with."""
    headers: dict[int, str] = {}
    before: tuple[Sequence[int], Table] | None = None
    for group in groups:
        table = tables[blocks[group[0]].page, blocks[group[0]].table]
        above = headers.get(before[0][0]) if before and _continues(blocks, before, group, table) else None
        own = None
        if 0 < table.header_rows < len(group):
            last = group[table.header_rows - 1]
            own = text[starts[group[0]] : starts[last] + len(blocks[last].text)]
        header = own if own is not None and (table.certain or above is None) else above
        if header is not None:
            headers[group[0]] = header
        before = group, table
    return headers


def _continues(
    blocks: Sequence[Block], before: tuple[Sequence[int], Table], group: Sequence[int], table: Table
) -> bool:
    """Whether a table at the top of a page has the columns of the one that ended the page before."""
    rows, earlier = before
    adjacent = rows[-1] == group[0] - 1 and blocks[rows[-1]].page == blocks[group[0]].page - 1
    if not adjacent or len(earlier.columns) != len(table.columns):
        return False
    return all(abs(a - b) <= _SAME_COLUMN for a, b in zip(earlier.columns, table.columns, strict=True))


def _lines(blocks: Sequence[Block], starts: Sequence[int], frames: Sequence[PageFrame | None]) -> list[Line]:
    lines: list[Line] = []
    for block, start in zip(blocks, starts, strict=True):
        frame = frames[block.page]
        if frame is None or frame.width <= 0 or frame.height <= 0:
            continue
        for part in block.parts:
            left, top, right, bottom = _rectangle(part, frame)
            lines.append(Line(start + part.start, start + part.end, block.page + 1, left, top, right, bottom))
    return lines


def _rectangle(part: Part, frame: PageFrame) -> tuple[float, float, float, float]:
    """Left, top, right and bottom in fractions of the drawn page, also for turned text."""
    low, high = part.y - _DESCENT * part.size, part.y + _ASCENT * part.size
    turn = math.radians(part.angle)
    cosine, sine = math.cos(turn), math.sin(turn)
    corners = [(x * cosine - y * sine, x * sine + y * cosine) for x in (part.x, part.right) for y in (low, high)]
    across = [_share(x / frame.width) for x, _ in corners]
    down = [_share(1 - y / frame.height) for _, y in corners]
    return min(across), min(down), max(across), max(down)


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 5)
