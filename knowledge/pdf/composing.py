"""From rows to paragraphs, lists, tables and headings: the text of a document as one reads it.

Inside a paragraph lines are joined by one space. List items and table rows keep a line each (`\\n`); paragraphs are
separated by a blank line (`\\n\\n`); a heading stands on a line of its own.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from statistics import median
from typing import Self

from knowledge.pdf.layout import Part, Row
from knowledge.pdf.repairs import HYPHENS, join_lines

_BULLET = re.compile(r"[•‣◦▪●○■□◆➢✓\uf0b7\uf0a7*\u2013\u2014-][ \t]+\S")
_NUMBERED = re.compile(r"(?:\(?\d{1,3}[.)]|\(?[a-z][.)]|\(?[ivx]{1,4}[.)]|\[\d{1,3}\])[ \t]+\S")
_MARK = re.compile(r"(?:[•‣◦▪●○■□◆➢✓\uf0b7\uf0a7]|\(?\d{1,3}[.)]|\(?[a-z]\)|\[\d{1,3}\])\t")
_SENTENCE_END = (".", "!", "?", ":", ";", ")", "”", '"')
_WORD = re.compile(r"\w[\w-]*\w")
_SAME_SIZE = 0.03
_LEFT_EDGE = 1.5
_ROWS_OF_A_COLUMN = 3
_BODY_LIKE = 1.1
_ROOM = 2.0
"""Em left over beyond the next word from which a line counts as broken on purpose: ragged text leaves less."""
_PARAGRAPH_GAP = 1.3
_USUAL_LEADING = 1.25
_JOINED_AT_ONCE, _JOIN_LOOKS_BACK = 10_000, 500
_TABLE_GAP = 3.5
"""Em between the baselines of two rows of one table at most: cells are padded, and may hold a second line."""


class Kind(Enum):
    """What a block is, as far as its own rows tell."""

    PARAGRAPH = "paragraph"
    ITEM = "item"
    TABLE_ROW = "table_row"


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that belong together on one page (index from 0). `apart`: more than a line's distance from the one above.

    `parts` are its printed lines, in the order of its text; `table` is the number of a table of its page, or 0.
    """

    page: int
    text: str
    kind: Kind
    size: float
    bold: bool
    angle: int
    rows: int
    apart: bool
    parts: tuple[Part, ...] = ()
    table: int = 0
    bold_start: bool = False

    @property
    def top(self) -> float:
        """Baseline of its first line, in points."""
        return self.parts[0].y if self.parts else 0.0


def blocks_of(pages: Sequence[Sequence[Row]]) -> list[Block]:
    """Blocks of a document in reading order, from rows in reading order."""
    measures = Measures.of(pages)
    blocks: list[Block] = []
    for number, rows in enumerate(pages):
        edges = _right_edges(rows)
        start = 0
        for index in range(1, len(rows) + 1):
            if index < len(rows) and not _breaks(
                (rows[start], rows[index - 1]), rows[index], edges[index - 1], measures
            ):
                continue
            apart = start == 0 or measures.apart(rows[start - 1], rows[start])
            blocks.append(_block(number, rows[start:index], measures.words, apart))
            start = index
    return blocks


def _block(page: int, rows: Sequence[Row], words: frozenset[str], apart: bool) -> Block:
    first = rows[0]
    done: list[str] = []
    offset, text = 0, ""
    parts: list[Part] = []
    for row in rows:
        text = join_lines(text, row.text, words)
        start = offset + len(text) - len(row.text)
        if parts and parts[-1].end > start:
            parts[-1] = replace(parts[-1], end=start)
        if row.parts:
            parts += [replace(part, start=start + part.start, end=start + part.end) for part in row.parts]
        else:
            parts.append(Part(start, offset + len(text), row.x, row.right, row.y, row.size, row.angle))
        if len(text) > _JOINED_AT_ONCE:
            # Only the end of the text matters to the next line; copying all of it each time would take hours.
            done.append(text[:-_JOIN_LOOKS_BACK])
            offset, text = offset + len(text) - _JOIN_LOOKS_BACK, text[-_JOIN_LOOKS_BACK:]
    text = "".join([*done, text]).rstrip("\u00ad")
    if parts[-1].end > len(text):
        parts[-1] = replace(parts[-1], end=len(text))
    bold = all(r.bold for r in rows)
    return Block(
        page, text, _kind(first), first.size, bold, first.angle, len(rows), apart,
        tuple(part for part in parts if part.end > part.start), first.table, first.bold,
    )  # fmt: skip


def _kind(row: Row) -> Kind:
    if row.table:
        return Kind.TABLE_ROW
    if _BULLET.match(row.text) or _NUMBERED.match(row.text):
        return Kind.ITEM
    return Kind.TABLE_ROW if "\t" in row.text else Kind.PARAGRAPH


def separator(above: Block, below: Block) -> str:
    """What stands between two blocks that are no headings."""
    if above.table != below.table:
        return "\n\n"
    if below.table:
        return "\n"
    same = above.kind is below.kind and below.kind is not Kind.PARAGRAPH
    prose = above.kind is Kind.PARAGRAPH and above.rows > 1 and above.text.endswith(_SENTENCE_END)
    in_table = Kind.TABLE_ROW in (above.kind, below.kind) and not prose
    # Lines that were broken on purpose (an address, an index) are no paragraphs.
    broken_off = below.kind is Kind.PARAGRAPH and not above.text.endswith(_SENTENCE_END)
    close = not below.apart and (same or in_table or below.kind is Kind.ITEM or broken_off)
    return "\n" if close else "\n\n"


@dataclass(frozen=True, slots=True)
class Measures:
    """What only the whole document tells: usual line distances, the size of its body text, its words."""

    leading: Mapping[int, float]
    body: float
    words: frozenset[str]

    @classmethod
    def of(cls, pages: Sequence[Sequence[Row]]) -> Self:
        """Measures of a document."""
        gaps: dict[int, list[float]] = {}
        sizes: Counter[float] = Counter()
        words: set[str] = set()
        for rows in pages:
            for row in rows:
                sizes[row.size] += len(row.text)
                # Never the first and last: half a word may stand at a row's edge.
                words.update(word.lower() for word in _WORD.findall(row.text)[1:-1])
            for above, below in pairwise(rows):
                gap = above.y - below.y
                if _same_face(above, below) and 0.8 * below.size <= gap <= 2.2 * below.size:
                    gaps.setdefault(_key(below), []).append(gap)
        body = sizes.most_common(1)[0][0] if sizes else 0.0
        return cls({key: median(found) for key, found in gaps.items()}, body, frozenset(words))

    def apart(self, above: Row, below: Row) -> bool:
        """Whether two rows are further apart than lines of one paragraph, or not even one below the other."""
        usual = self.leading.get(_key(below), _USUAL_LEADING * below.size)
        most = _PARAGRAPH_GAP * usual
        if "\t" in above.text and "\t" in below.text:
            most = _TABLE_GAP * below.size
        return not 0 <= above.y - below.y <= most


def _key(row: Row) -> int:
    return round(row.size * 2)


def _same_face(above: Row, below: Row) -> bool:
    larger = max(above.size, below.size)
    return (
        above.angle == below.angle and above.bold == below.bold and abs(above.size - below.size) <= _SAME_SIZE * larger
    )


def _in_column(above: Row, below: Row) -> bool:
    """Whether `below` goes on downwards at much the same left edge."""
    return _same_face(above, below) and below.y < above.y and abs(above.x - below.x) <= _LEFT_EDGE * below.size


def without_false_cells(rows: Sequence[Row]) -> list[Row]:
    """Rows with the TAB taken back after the mark of a list item, and where a justified line was only stretched."""
    mended = list(rows)
    for index, row in enumerate(rows):
        if "\t" not in row.text:
            continue
        near = (*rows[max(0, index - 1) : index], *rows[index + 1 : index + 2])
        if any(_is_flush(row, other) for other in near):
            mended[index] = replace(row, text=row.text.replace("\t", " "), cells=())
        elif _MARK.match(row.text):
            rest = row.cells[1:] if len(row.cells) > 2 else ()
            cells = ((row.cells[0][0], rest[0][1]), *rest[1:]) if rest else ()
            mended[index] = replace(row, text=row.text.replace("\t", " ", 1), cells=cells)
    return mended


def _is_flush(row: Row, other: Row) -> bool:
    edges = abs(row.x - other.x), abs(row.right - other.right)
    close = abs(row.y - other.y) <= 2 * row.size
    return "\t" not in other.text and _same_face(row, other) and close and max(edges) <= 0.15 * row.size


def _right_edges(rows: Sequence[Row]) -> list[float | None]:
    """For every row the right edge of the column it stands in; None where too few rows show one."""
    edges: list[float | None] = []
    run: list[Row] = []
    for row in [*rows, None]:
        if run and (row is None or not _in_column(run[-1], row)):
            edge = max(r.right for r in run) if len(run) >= _ROWS_OF_A_COLUMN else None
            edges += [edge] * len(run)
            run = []
        if row is not None:
            run.append(row)
    return edges


def _breaks(block: tuple[Row, Row], below: Row, edge: float | None, measures: Measures) -> bool:
    """Whether `below` starts a new block after the first and last row of one; `edge`: right edge of the column above."""
    above = block[-1]
    if above.table or below.table:
        return True
    if not _same_face(above, below) or "\t" in above.text or "\t" in below.text:
        return True
    ended = above.text.endswith(_SENTENCE_END)
    in_item = _kind(block[0]) is Kind.ITEM
    if _BULLET.match(below.text):
        return True
    if _NUMBERED.match(below.text) and (ended or in_item or below.x != above.x):
        return True
    if measures.apart(above, below):
        return not _flows_on(above, below)
    if edge is not None and below.size <= _BODY_LIKE * measures.body and _had_room(above, below, edge):
        return True
    # An indented line after a full stop opens a paragraph, except under a list item, whose lines all hang.
    return below.x - above.x > 0.8 * below.size and ended and not in_item


def _had_room(above: Row, below: Row, edge: float) -> bool:
    """Whether the first word of `below` would have fitted above: then the line was broken on purpose."""
    if not _in_column(above, below) or above.text[-1:] in HYPHENS:
        return False
    word = below.text.split(maxsplit=1)[0]
    width = (below.right - below.x) * len(word) / len(below.text)
    return above.right + width + _ROOM * below.size < edge


def _flows_on(above: Row, below: Row) -> bool:
    """A sentence that goes on at the top of the next column: upwards, and nothing was finished."""
    upwards = below.y > above.y + 2 * below.size
    unfinished = above.text[-1:] in HYPHENS or not above.text.endswith(_SENTENCE_END)
    return upwards and below.text[:1].islower() and unfinished
