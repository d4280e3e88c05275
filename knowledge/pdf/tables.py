"""Tables: which rows of a page form one, and which printed lines are one row because its cells were wrapped.

Pure functions. A content stream writes a table row by row: cell after cell, each cell with all its lines, or line by line
across the cells. Both show in how the stream moves: up and to the right to the next cell, down and back to the next row.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from knowledge.pdf.layout import PageFrame, Part, Row
from knowledge.pdf.repairs import join_lines

_BASELINE = 0.3
"""Em by which baselines of one line differ at most."""
_APART = 3.5
"""Em between the baselines of two rows of one table at most: cells are padded, and may hold a second line."""
_FIRST_JUMP = 8.0
"""Em that the stream goes up to the next cell at most, before the table's columns are known."""
_TIGHT = 1.4
"""Em between the lines of one cell at most."""
_PADDED, _AS_TIGHT = 1.2, 1.12
"""Times the smallest line distance from which a distance shows padding, and up to which it is a line's."""
_MOST_ROWS = 400
"""Printed lines of one table on one page; what goes on beyond is another table."""
_WIDE_SHARE = 0.25
_NUMERIC = 0.3
"""Share of digits from which a cell is a value and no heading."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one page: left edges of its columns, the number of its header rows, and whether print shows them."""

    columns: tuple[float, ...]
    header_rows: int
    certain: bool


@dataclass(frozen=True, slots=True)
class _Cell:
    """One printed line of a cell, or a row's whole text."""

    text: str
    x: float
    right: float
    row: Row


def with_tables(rows: Sequence[Row], frame: PageFrame | None = None) -> tuple[list[Row], dict[int, Table]]:
    """Rows of a page with those of tables put together and numbered, and the tables by number."""
    found: list[Row] = []
    tables: dict[int, Table] = {}
    at = 0
    for start, end in _regions(rows):
        found += rows[at:start]
        at = end
        logical, columns = _Assembly(rows[start:end], frame).rows()
        if not _has_columns(logical):
            found += rows[start:end]
            continue
        number = len(tables) + 1
        printed = [_printed(cells, columns, number) for cells in logical]
        header, certain = _header(printed, logical, frame)
        tables[number] = Table(tuple(left for left, _ in columns), header, certain)
        found += printed
    return [*found, *rows[at:]], tables


def _has_columns(logical: Sequence[Mapping[int, object]]) -> bool:
    """Whether two rows have cells in the same two columns: lines that merely have gaps do not."""
    pairs = Counter(pair for cells in logical for pair in combinations(sorted(cells), 2))
    return bool(pairs) and max(pairs.values()) > 1


def _cells(row: Row) -> list[_Cell]:
    if not row.cells:
        return [_Cell(row.text, row.x, row.right, row)]
    return [_Cell(t, x, right, row) for t, (x, right) in zip(row.text.split("\t"), row.cells, strict=True)]


# Where a table is


def _jumps(above: Row, below: Row) -> bool:
    """Whether the stream went to the right, at the same height or upwards: to the next cell of a row."""
    size = max(above.size, below.size)
    return (
        above.angle == below.angle
        and below.x >= above.x + size
        and below.x >= above.right - size
        and -_BASELINE * size <= below.y - above.y <= _FIRST_JUMP * size
    )


def _regions(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of rows that may be tables."""
    at = 0
    while at < len(rows):
        jumps = at + 1 < len(rows) and _jumps_to_cell(rows, at)
        if not rows[at].cells and not jumps:
            at += 1
            continue
        region = _Region(rows, at)
        end = region.end()
        if end - at > 1:
            yield at, end
        at = max(end, at + 1)


def _jumps_to_cell(rows: Sequence[Row], at: int) -> bool:
    """Whether the cell that begins at this row, over a few tight lines, is followed by one to its right."""
    for index in range(at, min(at + 6, len(rows) - 1)):
        if _jumps(rows[index], rows[index + 1]) and rows[index + 1].y <= rows[at].y + rows[at].size:
            return True
        if not _beneath(rows[index], rows[index + 1], _TIGHT):
            return False
    return False


def _beneath(above: Row, below: Row, most: float) -> bool:
    size = max(above.size, below.size)
    return (
        above.angle == below.angle
        and not above.cells
        and not below.cells
        and _BASELINE * size < above.y - below.y <= most * size
        and below.x < above.right
        and above.x < below.right
    )


class _Region:
    """Grows a table from its first row."""

    def __init__(self, rows: Sequence[Row], start: int) -> None:
        self._rows = rows
        self._start = start
        self._low = self._top = rows[start].y
        self._edges: list[tuple[float, float]] = [(c.x, c.right) for c in _cells(rows[start])]
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
        if row.y < self._low - _BASELINE * row.size and row.x < before.x - row.size:
            self._row_done = True
        self._low, self._top = min(self._low, row.y), max(self._top, row.y)
        self._edges += [(c.x, c.right) for c in _cells(row)]

    def _belongs(self, at: int) -> bool:
        row, before = self._rows[at], self._rows[at - 1]
        if row.angle != before.angle or self._low - row.y > _APART * row.size or row.y > self._top + row.size:
            return False
        right = max(edge for _, edge in self._edges)
        if row.cells or _jumps(before, row):
            # Once a row is complete the columns are known: what begins right of them is another column of the page.
            return not self._row_done or row.x < right
        return self._fits_a_column(row) and (
            self._low - row.y <= _TIGHT * row.size or _jumps_to_cell(self._rows, at) or row.y > self._low
        )

    def _fits_a_column(self, row: Row) -> bool:
        columns = _columns(self._edges)
        room = row.size
        for index, (left, right) in enumerate(columns):
            limit = columns[index + 1][0] if index + 1 < len(columns) else right + 4 * room
            if left - room <= row.x <= right and row.right <= limit:
                return True
        return False

    def _trimmed(self, end: int) -> int:
        """Without lines at the end that stand under the first column alone: what follows a table stands there too."""
        columns = _columns(self._edges)
        while end - 1 > self._start:
            row, before = self._rows[end - 1], self._rows[end - 2]
            first = len(columns) > 1 and row.x < columns[1][0] - row.size
            if row.cells or not first or _jumps(before, row) or row.y > before.y:
                break
            end -= 1
        return end


def _columns(edges: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
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


# Which lines are one row


class _Assembly:
    """Puts the printed lines of a region together to rows: lists of (column, cell) in the stream's order."""

    def __init__(self, rows: Sequence[Row], frame: PageFrame | None) -> None:
        self._rows_read = rows
        self._columns = _columns([(c.x, c.right) for row in rows for c in _cells(row)])
        self._rules = frame.rules if frame else ()
        self._smallest, self._padded = self._distances()
        self._ruled = self._is_ruled()

    def rows(self) -> tuple[list[dict[int, list[_Cell]]], list[tuple[float, float]]]:
        """Rows as cells by column, and the columns."""
        logical: list[dict[int, list[_Cell]]] = []
        last_column = 0
        for index, row in enumerate(self._rows_read):
            cells = [(self._column(cell), cell) for cell in _cells(row)]
            if not logical or not self._goes_on(logical[-1], index, cells, last_column):
                logical.append({})
            for column, cell in cells:
                logical[-1].setdefault(column, []).append(cell)
                last_column = column
        for row_cells in logical:
            for lines in row_cells.values():
                lines.sort(key=lambda c: (-c.row.y, c.x))
        return logical, self._columns

    def _column(self, cell: _Cell) -> int:
        shared = [min(cell.right, right) - max(cell.x, left) for left, right in self._columns]
        touched = [index for index, width in enumerate(shared) if width > 0]
        if touched:
            return touched[0]
        return min(range(len(shared)), key=lambda index: abs(self._columns[index][0] - cell.x))

    def _distances(self) -> tuple[float, bool]:
        """The smallest distance between lines of one column, and whether others are clearly larger."""
        by_column: Mapping[int, list[Row]] = {index: [] for index in range(len(self._columns))}
        for row in self._rows_read:
            for cell in _cells(row):
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
        across, inside = [], []
        for above, below in pairwise(heights):
            (across if self._rule_between(below, above) else inside).append(above - below)
        return len(across) >= 2 and bool(inside) and min(across) > _PADDED * max(inside)

    def _rule_between(self, low: float, high: float) -> bool:
        left, right = self._columns[0][0], self._columns[-1][1]
        return any(low < y < high and a < right and b > left for a, b, y in self._rules)

    def _goes_on(
        self, current: Mapping[int, list[_Cell]], index: int, cells: Sequence[tuple[int, _Cell]], last_column: int
    ) -> bool:
        """Whether this line belongs to the row at hand."""
        row = self._rows_read[index]
        lines = [cell.row for found in current.values() for cell in found]
        low, top = min(line.y for line in lines), max(line.y for line in lines)
        if row.y >= low - _BASELINE * row.size:
            return row.y <= top + _TIGHT * row.size
        if self._ruled:
            return not self._rule_between(row.y, low)
        if self._rule_between(row.y, low):
            return False
        first = cells[0][0]
        above = [cell.row.y for cell in current.get(first, ())]
        distance = min(above, default=low) - row.y
        if distance > _TIGHT * row.size or (self._padded and distance > _AS_TIGHT * self._smallest):
            return False
        if self._padded:
            return True
        if first == last_column and len(cells) == 1 and (first > 0 or self._next_jumps(index)):
            # The stream is still in the same cell; in the first column only what comes next can tell.
            return first > 0 or len(current) == 1
        return first > 0 and bool(above) and self._had_no_room(current[first][-1], first, cells[0][1])

    def _next_jumps(self, index: int) -> bool:
        rows = self._rows_read
        return index + 1 < len(rows) and _jumps(rows[index], rows[index + 1])

    def _had_no_room(self, above: _Cell, column: int, cell: _Cell) -> bool:
        """Whether the next word did not fit into the line above: that is why lines of a cell are broken."""
        word = cell.text.split(maxsplit=1)[0]
        width = (cell.right - cell.x) * len(word) / len(cell.text)
        return above.right + width > self._columns[column][1]


# What a row is as text


def _printed(cells: Mapping[int, list[_Cell]], columns: Sequence[tuple[float, float]], table: int) -> Row:
    """One row of a table: TAB between columns, also where a cell is empty, so that values stay under their heading."""
    text, parts, last = "", list[Part](), max(cells)
    edges: list[tuple[float, float]] = []
    for column in range(last + 1):
        text += "\t" if column else ""
        cell_text = ""
        start = len(text)
        for line in cells.get(column, ()):
            joined = join_lines(cell_text, line.text)
            at = start + len(joined) - len(line.text)
            if parts and parts[-1].end > at:
                parts[-1] = replace(parts[-1], end=at)
            parts.append(Part(at, start + len(joined), line.x, line.right, line.row.y, line.row.size, line.row.angle))
            cell_text = joined
        text += cell_text
        found = cells.get(column)
        edges.append((min(c.x for c in found), max(c.right for c in found)) if found else columns[column])
    lines = [cell.row for found in cells.values() for cell in found]
    first = max(lines, key=lambda line: line.y)
    x, right = min(p.x for p in parts), max(p.right for p in parts)
    bold = all(line.bold for line in lines)
    return Row(text, x, right, first.y, first.size, bold, first.angle, tuple(edges), tuple(parts), table)


def _header(
    printed: Sequence[Row], logical: Sequence[Mapping[int, list[_Cell]]], frame: PageFrame | None
) -> tuple[int, bool]:
    """How many rows at the top are headings, and whether their print shows it (bold, or a rule under them)."""
    bold = next((index for index, row in enumerate(printed) if not row.bold), len(printed))
    if 0 < bold <= 3 and bold < len(printed):
        return bold, True
    if len(logical[0]) < 2 or any(_is_value(cell) for cell in printed[0].text.split("\t")):
        return 0, False
    low = min(cell.row.y for cells in logical[0].values() for cell in cells)
    next_top = max(cell.row.y for cells in logical[1].values() for cell in cells)
    others = [_ruled_off(above, below, frame) for above, below in pairwise(logical[1:])]
    if frame and any(next_top < y < low and a < printed[0].right and b > printed[0].x for a, b, y in frame.rules):
        # A rule under every row says nothing about the first.
        return 1, not all(others) or not others
    values = sum(any(_is_value(cell) for cell in row.text.split("\t")) for row in printed[1:])
    return (1, False) if 2 * values >= len(printed) - 1 else (0, False)


def _ruled_off(above: Mapping[int, list[_Cell]], below: Mapping[int, list[_Cell]], frame: PageFrame | None) -> bool:
    low = min(cell.row.y for cells in above.values() for cell in cells)
    top = max(cell.row.y for cells in below.values() for cell in cells)
    return frame is not None and any(top < y < low for _, _, y in frame.rules)


def _is_value(cell: str) -> bool:
    signs = [c for c in cell if not c.isspace()]
    return bool(signs) and sum(c.isdigit() for c in signs) >= _NUMERIC * len(signs)
