"""Tables: which rows of a page form one, and which printed lines are one row because its cells were wrapped.

Pure functions. A content stream writes a table row by row: cell after cell, each cell with all its lines, or line by line
across the cells. Both show in how the stream moves: up and to the right to the next cell, down and back to the next row.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from knowledge.pdf.assembly import Assembly, LogicalRow
from knowledge.pdf.layout import PageFrame, Part, Row
from knowledge.pdf.regions import regions
from knowledge.pdf.repairs import join_lines

_NUMERIC = 0.3
"""Share of digits from which a cell is a value and no heading."""
_HEADER_ROWS = 3


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one page: left edges of its columns, the number of its header rows, and whether print shows them."""

    columns: tuple[float, ...]
    header_rows: int
    certain: bool


def with_tables(rows: Sequence[Row], frame: PageFrame | None = None) -> tuple[list[Row], dict[int, Table]]:
    """Rows of a page with those of tables put together and numbered, and the tables by number."""
    found: list[Row] = []
    tables: dict[int, Table] = {}
    at = 0
    for start, end in regions(rows):
        found += rows[at:start]
        at = end
        logical, columns = Assembly(rows[start:end], frame).rows()
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


def _printed(cells: LogicalRow, columns: Sequence[tuple[float, float]], table: int) -> Row:
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


def _header(printed: Sequence[Row], logical: Sequence[LogicalRow], frame: PageFrame | None) -> tuple[int, bool]:
    """How many rows at the top are headings, and whether their print shows it (bold, or a rule under them)."""
    bold = next((index for index, row in enumerate(printed) if not row.bold), len(printed))
    if 0 < bold <= _HEADER_ROWS and bold < len(printed):
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


def _ruled_off(above: LogicalRow, below: LogicalRow, frame: PageFrame | None) -> bool:
    low = min(cell.row.y for cells in above.values() for cell in cells)
    top = max(cell.row.y for cells in below.values() for cell in cells)
    return frame is not None and any(top < y < low for _, _, y in frame.rules)


def _is_value(cell: str) -> bool:
    signs = [c for c in cell if not c.isspace()]
    return bool(signs) and sum(c.isdigit() for c in signs) >= _NUMERIC * len(signs)
