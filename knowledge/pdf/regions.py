"""Where tables may be: runs of rows between which the stream moves as it does through the cells of a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knowledge.pdf.layout import Row

BASELINE = 0.3
"""Em by which baselines of one line differ at most."""
TIGHT = 1.4
"""Em between the lines of one cell at most."""
_APART = 3.5
"""Em between the baselines of two rows of one table at most: cells are padded, and may hold a second line."""
_FIRST_JUMP = 8.0
"""Em that the stream goes up to the next cell at most, before the table's columns are known."""
_LINES_OF_A_CELL = 6
_MOST_ROWS, _MOST_CELLS = 400, 60
"""Printed lines of one table on one page, and cells of a line, at most: no page holds more, and time must stay bounded."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One printed line of a cell, or a row's whole text."""

    text: str
    x: float
    right: float
    row: Row


def cells_of(row: Row) -> list[Cell]:
    """The cells of a row; of a row without TABs the whole."""
    if not row.cells:
        return [Cell(row.text, row.x, row.right, row)]
    return [Cell(t, x, right, row) for t, (x, right) in zip(row.text.split("\t"), row.cells, strict=True)]


def jumps(above: Row, below: Row) -> bool:
    """Whether the stream went to the right, at the same height or upwards: to the next cell of a row."""
    size = max(above.size, below.size)
    return (
        above.angle == below.angle
        and below.x >= above.x + size
        and below.x >= above.right - size
        and -BASELINE * size <= below.y - above.y <= _FIRST_JUMP * size
    )


def regions(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of rows that may be tables."""
    at = 0
    while at < len(rows):
        if len(rows[at].cells) > _MOST_CELLS:
            at += 1
            continue
        if not rows[at].cells and not (at + 1 < len(rows) and _jumps_to_cell(rows, at)):
            at += 1
            continue
        region = _Region(rows, at)
        end = region.end()
        if end - at > 1:
            yield at, end
        at = max(end, at + 1)


def _jumps_to_cell(rows: Sequence[Row], at: int) -> bool:
    """Whether the cell that begins at this row, over a few tight lines, is followed by one to its right."""
    for index in range(at, min(at + _LINES_OF_A_CELL, len(rows) - 1)):
        if jumps(rows[index], rows[index + 1]) and rows[index + 1].y <= rows[at].y + rows[at].size:
            return True
        if not _beneath(rows[index], rows[index + 1], TIGHT):
            return False
    return False


def _beneath(above: Row, below: Row, most: float) -> bool:
    size = max(above.size, below.size)
    return (
        above.angle == below.angle
        and not above.cells
        and not below.cells
        and BASELINE * size < above.y - below.y <= most * size
        and below.x < above.right
        and above.x < below.right
    )


class _Region:
    """Grows a table from its first row."""

    def __init__(self, rows: Sequence[Row], start: int) -> None:
        self._rows = rows
        self._start = start
        self._low = self._top = rows[start].y
        self._edges: list[tuple[float, float]] = [(c.x, c.right) for c in cells_of(rows[start])]
        self._row_done = False

    def end(self) -> int:
        """Index after the last row."""
        at = self._start + 1
        most = min(len(self._rows), self._start + _MOST_ROWS)
        while at < most and self._belongs(at):
            self._take(self._rows[at], self._rows[at - 1])
            at += 1
        return self._trimmed(at)

    def _take(self, row: Row, before: Row) -> None:
        if row.y < self._low - BASELINE * row.size and row.x < before.x - row.size:
            self._row_done = True
        self._low, self._top = min(self._low, row.y), max(self._top, row.y)
        self._edges += [(c.x, c.right) for c in cells_of(row)]

    def _belongs(self, at: int) -> bool:
        row, before = self._rows[at], self._rows[at - 1]
        if len(row.cells) > _MOST_CELLS:
            return False
        if row.angle != before.angle or self._low - row.y > _APART * row.size or row.y > self._top + row.size:
            return False
        right = max(edge for _, edge in self._edges)
        if row.cells or jumps(before, row):
            # Once a row is complete the columns are known: what begins right of them is another column of the page.
            return not self._row_done or row.x < right
        return self._fits_a_column(row) and (
            self._low - row.y <= TIGHT * row.size or _jumps_to_cell(self._rows, at) or row.y > self._low
        )

    def _fits_a_column(self, row: Row) -> bool:
        columns = column_edges(self._edges)
        room = row.size
        for index, (left, right) in enumerate(columns):
            limit = columns[index + 1][0] if index + 1 < len(columns) else right + 4 * room
            if left - room <= row.x <= right and row.right <= limit:
                return True
        return False

    def _trimmed(self, end: int) -> int:
        """Without lines at the end that stand under the first column alone: what follows a table stands there too."""
        columns = column_edges(self._edges)
        while end - 1 > self._start:
            row, before = self._rows[end - 1], self._rows[end - 2]
            first = len(columns) > 1 and row.x < columns[1][0] - row.size
            if row.cells or not first or jumps(before, row) or row.y > before.y:
                break
            end -= 1
        return end


def column_edges(edges: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Disjoint intervals from narrow to wide: what would join two columns spans them and makes none."""
    columns: list[tuple[float, float]] = []
    for left, right in sorted(set(edges), key=lambda e: e[1] - e[0]):
        touched = [c for c in columns if left < c[1] and c[0] < right]
        if len(touched) > 1:
            continue
        if touched:
            columns.remove(touched[0])
            left, right = min(left, touched[0][0]), max(right, touched[0][1])
        columns.append((left, right))
    return sorted(columns)
