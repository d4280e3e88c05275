"""Columns whose content stream runs across them, put back into the order of reading. Pure functions.

Most programs write column by column, and then the stream is right where geometry could only guess. Some write line by
line across the page. Those are told by prose on both sides of a gutter between which the stream keeps changing sides:
lines of prose fill their column, the cells of a table do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from knowledge.pdf.layout import PageFrame, Row

_LINES = 4
"""Lines on each side from which a band may be two columns of prose."""
_SWITCHES = 0.6
"""Share of the shorter side's lines at which the stream changes sides when it runs across."""
_CHARACTERS = 18
"""Median characters a line of prose has at least; cells of tables have fewer."""
_FULL, _FULL_SHARE = 0.78, 0.6
"""Share of its column's width that a full line takes, and of lines that are full in prose."""
_BALANCE = 0.6
_WITH_CELLS = 0.2
_MOST_GAPS = 1_000
"""Gaps of a page that are compared: a dense table has hundreds, a hostile page must not cost minutes."""
_SPACES = 0.5
"""Em that must be free on both sides of the gutter."""


def in_columns(rows: Sequence[Row], frame: PageFrame | None = None) -> list[Row]:
    """Rows of one page in reading order: as they come, except bands that were written across two or three columns."""
    pieces = [piece for row in rows for piece in _pieces(row)]
    if len(pieces) < 2 * _LINES:
        return list(rows)
    for gutter in _gutters(rows):
        ordered = _split_bands(rows, gutter, frame)
        if ordered is not None:
            return in_columns(ordered, frame)
    return list(rows)


def _pieces(row: Row) -> Iterator[Row]:
    """The cells of a row as rows of their own."""
    if not row.cells:
        yield row
        return
    for text, (x, right) in zip(row.text.split("\t"), row.cells, strict=True):
        yield replace(row, text=text, x=x, right=right, cells=())


def _gutters(rows: Sequence[Row]) -> list[float]:
    """Where a gutter may run: midpoints of the gaps that rows have, or that lie between rows beside each other."""
    gaps: list[tuple[float, float]] = []
    for row in rows:
        gaps += [(left[1], right[0]) for left, right in pairwise(row.cells)]
    for above, below in pairwise(rows):
        if not above.cells and not below.cells and abs(above.y - below.y) < 2 * below.size:
            first, second = (above, below) if above.x < below.x else (below, above)
            if first.right + _SPACES * below.size < second.x:
                gaps.append((first.right, second.x))
    if len(gaps) < _LINES:
        return []
    gaps = gaps[:_MOST_GAPS]
    counted = [(sum(left < x < right for left, right in gaps), x) for x in {round(right - 1) for _, right in gaps}]
    best = sorted(((count, x) for count, x in counted if count >= _LINES), reverse=True)
    return [float(x) for _, x in best[:3]]


def _split_bands(rows: Sequence[Row], gutter: float, frame: PageFrame | None) -> list[Row] | None:
    """The page with every band across the gutter put in order; None if there is none."""
    ordered: list[Row] = []
    changed = False
    band: list[Row] = []
    for row in [*rows, None]:
        if row is not None and not _crosses(row, gutter):
            band.append(row)
            continue
        mended = _mended(band, gutter, frame)
        changed = changed or mended is not None
        ordered += band if mended is None else mended
        band = []
        if row is not None:
            ordered.append(row)
    return ordered if changed else None


def _crosses(row: Row, gutter: float) -> bool:
    return row.angle != 0 or any(left < gutter < right for left, right in row.cells or ((row.x, row.right),))


def _mended(band: Sequence[Row], gutter: float, frame: PageFrame | None) -> list[Row] | None:
    sides = [(piece.x > gutter, piece) for row in band for piece in _halves(row, gutter)]
    left = [piece for right, piece in sides if not right]
    right = [piece for right, piece in sides if right]
    fewer = min(len(left), len(right))
    if fewer < _LINES or fewer < _BALANCE * max(len(left), len(right)):
        return None
    switches = sum(a != b for (a, _), (b, _) in pairwise(sides))
    if switches < _SWITCHES * 2 * fewer - 1 or not (_is_prose(left) and _is_prose(right)):
        return None
    if _has_rows(left, right, frame):
        return None
    return [*left, *right]


def _halves(row: Row, gutter: float) -> Iterator[Row]:
    """What of a row stands left and right of the gutter; cells on one side stay together."""
    if not row.cells:
        yield row
        return
    cells = list(zip(row.text.split("\t"), row.cells, strict=True))
    for side in (False, True):
        own = [(text, edges) for text, edges in cells if (edges[0] > gutter) is side]
        if own:
            edges = tuple(e for _, e in own)
            yield replace(
                row, text="\t".join(text for text, _ in own), x=edges[0][0], right=edges[-1][1],
                cells=edges if len(own) > 1 else (),
            )  # fmt: skip


def _is_prose(lines: Sequence[Row]) -> bool:
    x, right = min(line.x for line in lines), max(line.right for line in lines)
    full = sum(line.right - line.x >= _FULL * (right - x) for line in lines)
    if sum(bool(line.cells) for line in lines) > _WITH_CELLS * len(lines):
        return False
    return median(len(line.text) for line in lines) >= _CHARACTERS and full >= _FULL_SHARE * len(lines)


def _has_rows(left: Sequence[Row], right: Sequence[Row], frame: PageFrame | None) -> bool:
    """Whether both sides keep opening gaps at the same height, or rules part them: then it is a table of long cells."""
    x, end = left[0].x, right[0].right
    low, high = min(row.y for row in (*left, *right)), max(row.y for row in (*left, *right))
    rules = {round(y) for a, b, y in frame.rules if a < end and b > x and low < y < high} if frame else set()
    if len(rules) >= _LINES - 1:
        return True
    shared = _gaps(left) & _gaps(right)
    return len(shared) >= max(2, len(left) // 6)


def _gaps(lines: Sequence[Row]) -> set[int]:
    """Heights (in lines from the top) under which more than a line's distance is left free."""
    distances = [above.y - below.y for above, below in pairwise(lines)]
    usual = median(distances) if distances else 0.0
    return {round(a.y / max(1.0, a.size)) for a, d in zip(lines, distances, strict=False) if d > 1.3 * usual}
