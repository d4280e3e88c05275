"""From the lines that text recognition found on a picture to rows in reading order. Pure functions.

A picture has no content stream whose order could be trusted, so the order comes from geometry: where lines stand side by
side on both sides of a free strip, and both sides are prose, they are columns and the left one is read first. Whatever
else stands side by side (the cells of a table, a label and its value) is one row.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from knowledge.pdf.layout import Fragment, Row, rows_of

_GUTTER = 0.45
"""Free strip between two columns, in heights of a line, at least: boxes are a little larger than their letters."""
_ROWS_OF_A_COLUMN = 3
_PROSE = 18
"""Characters from which the usual line of a column is prose. Cells of tables are shorter."""
_CLASS = 1.22
"""Ratio of neighbouring size classes: lines of one face were up to 1.19 times as high as their median (raised digits)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One recognised line: edges in points from the page's left and top, confidence 0 to 1."""

    text: str
    confidence: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """Height of its box in points."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Half-way between top and bottom, which wavers less than either."""
        return (self.top + self.bottom) / 2


def confidence_of(lines: Sequence[Line]) -> float | None:
    """Mean confidence over the characters; None without lines."""
    characters = sum(len(line.text) for line in lines)
    return sum(line.confidence * len(line.text) for line in lines) / characters if characters else None


def body_height(pages: Iterable[Sequence[Line]]) -> float:
    """Height of the line in which the middle character of a document stands, in points; 0 without lines."""
    lines = sorted((line.height, len(line.text)) for page in pages for line in page)
    half, seen = sum(count for _, count in lines) / 2, 0
    for height, count in lines:
        seen += count
        if seen >= half:
            return height
    return 0.0


def rows_of_lines(lines: Sequence[Line], body: float) -> list[Row]:
    """Rows of a page in reading order. `body`: height of the document's usual line, in points."""
    foot = max((line.bottom for line in lines), default=0.0)
    rows: list[Row] = []
    for zone in _zones(list(lines)):
        fragments = [fragment for row in _printed_rows(zone) for fragment in _fragments(row, foot, body)]
        rows += rows_of(fragments)
    return rows


def _fragments(row: Sequence[Line], foot: float, body: float) -> list[Fragment]:
    """One printed row. Its longest piece tells size and place: the boxes of short ones are wide of the mark."""
    usual = max(row, key=lambda line: len(line.text))
    y, size = round(foot - usual.middle, 1), _font_size(usual.height, body)
    # A space before each: boxes of neighbouring words may touch.
    return [Fragment(f" {line.text}", round(line.left, 1), y, size, round(line.right - line.left, 1)) for line in row]


def _font_size(height: float, body: float) -> float:
    """Height of a line as one of few classes, so that lines of one face are of one size."""
    # Towards the usual size: a heading must be a whole class larger, a line without tall letters is a little lower.
    return round(body * _CLASS ** int(math.log(height / body, _CLASS)), 1)


def _zones(lines: list[Line]) -> list[list[Line]]:
    """Lines of one column, or of what stands across columns, in reading order of these zones."""
    gutter = _gutter(lines)
    if gutter is None:
        return [lines] if lines else []
    zones: list[list[Line]] = []
    above = -math.inf
    cells = _cells(lines)
    across = sorted((one for one in lines if one in cells or _crosses(one, gutter)), key=lambda line: line.middle)
    beside = [one for one in lines if one not in cells and not _crosses(one, gutter)]
    for line in [*across, None]:
        below = math.inf if line is None else line.middle
        band = [one for one in beside if above < one.middle <= below]
        zones += _zones([one for one in band if one.left < gutter])
        zones += _zones([one for one in band if one.left >= gutter])
        if line is not None:
            if zones and zones[-1] and zones[-1][-1] in across:
                zones[-1].append(line)
            else:
                zones.append([line])
        above = below
    return zones


def _cells(lines: Sequence[Line]) -> frozenset[Line]:
    """Cells of a table under or over columns: two and more rows, one below the other, of nothing but short pieces."""
    short = [(row, all(len(line.text) < _PROSE for line in row)) for row in _printed_rows(lines)]
    runs = [list(run) for is_short, run in groupby(short, key=lambda pair: pair[1]) if is_short]
    return frozenset(line for run in runs if len(run) > 1 for row, _ in run if len(row) > 1 for line in row)


def _crosses(line: Line, gutter: float) -> bool:
    return line.left < gutter < line.right


def _gutter(lines: Sequence[Line]) -> float | None:
    """Where the free strip between two columns of prose is, in points from the left; None if there is none."""
    if len(lines) < 2 * _ROWS_OF_A_COLUMN:
        return None
    strip = _GUTTER * median(line.height for line in lines)
    best, most = None, 0
    for at in {round(line.right + strip / 2, 1) for line in lines}:
        left = [line for line in lines if line.right <= at - strip / 2 + 0.1]
        right = [line for line in lines if line.left >= at + strip / 2 - 0.1]
        facing = _facing(left, right)
        across = len(lines) - len(left) - len(right)
        if facing - across > most and _is_prose(left) and _is_prose(right):
            best, most = at, facing - across
    return best


def _facing(left: Sequence[Line], right: Sequence[Line]) -> int:
    """How many lines have one beside them on the other side."""

    def beside(line: Line, others: Sequence[Line]) -> bool:
        return any(other.top < line.middle < other.bottom for other in others)

    return sum(beside(line, right) for line in left) + sum(beside(line, left) for line in right)


def _is_prose(lines: Sequence[Line]) -> bool:
    return len(lines) >= _ROWS_OF_A_COLUMN and median(len(line.text) for line in lines) >= _PROSE


def _printed_rows(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines that stand on one baseline together, from the top down and from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.middle, line.left)):
        if rows and abs(line.middle - rows[-1][0].middle) < 0.4 * min(line.height, rows[-1][0].height):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]
