"""Which printed lines of a table are one row, because its cells were wrapped."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from knowledge.pdf.layout import PageFrame, Row
from knowledge.pdf.regions import BASELINE, TIGHT, Cell, cells_of, column_edges, jumps

_PADDED, _ASTIGHT = 1.2, 1.12
"""Times the smallest line distance from which a distance shows padding, and up to which it is a line's."""
_WIDE_SHARE = 0.25
"""Share of the distances that must show it: the room under a header alone says nothing about the rows."""
_LETTER = 0.6
"""Em above a baseline that letters take."""
_MANY_ROWS = 4
_NUMBER = re.compile(r"[\d.,/%\s\u2013-]*\d[\d.,/%\s\u2013-]*")

LogicalRow = dict[int, list[Cell]]
"""The printed lines of each cell by column."""


class Assembly:
    """Puts the printed lines of a region together to rows: lists of (column, cell) in the stream's order."""

    def __init__(self, rows: Sequence[Row], frame: PageFrame | None) -> None:
        self._rows_read = rows
        self._columns = column_edges([(c.x, c.right) for row in rows for c in cells_of(row)])
        self._rules = frame.rules if frame else ()
        self._smallest, self._padded = self._distances()
        self._ruled = self._is_ruled()

    def rows(self) -> tuple[list[LogicalRow], list[tuple[float, float]]]:
        """Rows as cells by column, and the columns."""
        logical: list[LogicalRow] = []
        last_column = 0
        for index, row in enumerate(self._rows_read):
            cells = [(self._column(cell), cell) for cell in cells_of(row)]
            if not logical or not self._goes_on(logical[-1], index, cells, last_column):
                logical.append({})
            for column, cell in cells:
                logical[-1].setdefault(column, []).append(cell)
                last_column = column
        for row_cells in logical:
            for lines in row_cells.values():
                lines.sort(key=lambda c: -c.row.y)
        return self._without_stray(logical), self._columns

    def _without_stray(self, logical: list[LogicalRow]) -> list[LogicalRow]:
        """Rows without columns in which only one of many rows has something: that belongs to the cell before it."""
        if len(logical) < _MANY_ROWS:
            return logical
        filled = Counter(column for cells in logical for column in cells)
        stray = {column for column, count in filled.items() if count == 1 and column}
        target: dict[int, int] = {}
        for column in range(len(self._columns)):
            joins = column > 0 and (column in stray or not filled[column])
            target[column] = target[column - 1] if joins else len({*target.values()})
        merged: list[LogicalRow] = []
        for cells in logical:
            row: LogicalRow = {}
            for column in sorted(cells):
                row.setdefault(target[column], []).extend(cells[column])
            merged.append(row)
        self._columns = [
            edges for column, edges in enumerate(self._columns) if not column or target[column] != target[column - 1]
        ]
        return merged

    def _column(self, cell: Cell) -> int:
        shared = [min(cell.right, right) - max(cell.x, left) for left, right in self._columns]
        touched = [index for index, width in enumerate(shared) if width > 0]
        if touched:
            return touched[0]
        return min(range(len(shared)), key=lambda index: abs(self._columns[index][0] - cell.x))

    def _distances(self) -> tuple[float, bool]:
        """The smallest distance between lines of one column, and whether others are clearly larger."""
        by_column: Mapping[int, list[Row]] = {index: [] for index in range(len(self._columns))}
        for row in self._rows_read:
            for cell in cells_of(row):
                by_column[self._column(cell)].append(row)
        gaps: set[tuple[float, float]] = set()
        for rows in by_column.values():
            gaps |= set(pairwise(sorted({row.y for row in rows}, reverse=True)))
        least = 0.8 * min(row.size for row in self._rows_read)
        found = [above - below for above, below in gaps if above - below >= least]
        smallest = min(found, default=0.0)
        wide = sum(distance > _PADDED * smallest for distance in found)
        # A single wide gap is the one under the header.
        return smallest, wide >= max(2, _WIDE_SHARE * len(found))

    def _is_ruled(self) -> bool:
        """Whether rules part the rows, which shows in the room they take: lines between two rules stand closer."""
        heights = sorted({row.y for row in self._rows_read}, reverse=True)
        across: list[float] = []
        inside: list[float] = []
        for above, below in pairwise(heights):
            (across if self._rule_between(below, above) else inside).append(above - below)
        return len(across) >= 2 and bool(inside) and min(across) > _PADDED * max(inside)

    def _rule_between(self, low: float, high: float) -> bool:
        left, right = self._columns[0][0], self._columns[-1][1]
        return any(self._clear(low) < y < high and a < right and b > left for a, b, y in self._rules)

    def _clear(self, baseline: float) -> float:
        """Height over a baseline from which a rule is above the letters; a stroke through them parts no rows."""
        return baseline + _LETTER * self._rows_read[0].size

    def _goes_on(
        self, current: Mapping[int, list[Cell]], index: int, cells: Sequence[tuple[int, Cell]], last_column: int
    ) -> bool:
        """Whether this line belongs to the row at hand."""
        row = self._rows_read[index]
        lines = [cell.row for found in current.values() for cell in found]
        low, top = min(line.y for line in lines), max(line.y for line in lines)
        if row.y >= low - BASELINE * row.size:
            return row.y <= top + TIGHT * row.size
        if self._ruled:
            return not self._rule_between(row.y, low)
        if self._rule_between(row.y, low):
            return False
        first = cells[0][0]
        above = [cell.row.y for cell in current.get(first, ())]
        distance = min(above, default=low) - row.y
        if distance > TIGHT * row.size or (self._padded and distance > _ASTIGHT * self._smallest):
            return False
        if len(cells) > 1 and current.keys() <= {column for column, _ in cells}:
            # Something in every column is a row of its own, however close: wrapped cells are not all as long.
            return False
        if any(_NUMBER.fullmatch(c.text) and _NUMBER.fullmatch(current[i][-1].text) for i, c in cells if i in current):
            # So are two numbers one below the other.
            return False
        if self._padded:
            return True
        if first == last_column and len(cells) == 1 and (first > 0 or self._next_jumps(index)):
            # The stream is still in the same cell; in the first column only what comes next can tell.
            return first > 0 or len(current) == 1
        return first > 0 and bool(above) and self._had_no_room(current[first][-1], first, cells[0][1])

    def _next_jumps(self, index: int) -> bool:
        rows = self._rows_read
        return index + 1 < len(rows) and jumps(rows[index], rows[index + 1])

    def _had_no_room(self, above: Cell, column: int, cell: Cell) -> bool:
        """Whether the next word did not fit into the line above: that is why lines of a cell are broken."""
        word = cell.text.split(maxsplit=1)[0]
        width = (cell.right - cell.x) * len(word) / len(cell.text)
        return above.right + width > self._columns[column][1]
