"""Running headers, footers and page numbers: what a page carries because it is a page. Pure functions.

Removed is only what proves itself: the same text at the same height on several pages, where every number in it either
stays the same or counts the pages; or a number at the edge that counts them. A page that has nothing else keeps it, and
so does a document of one page.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from knowledge.pdf.layout import PageFrame, Row

_ZONE = 0.18
"""Share of the page's height at its top and at its bottom in which furniture stands."""
_SAME_HEIGHT = 0.006
"""Share of the page's height by which furniture moves between pages at most: about 5 points on A4."""
_PAGES, _SHORT = 3, 3
"""Pages on which furniture must occur, and pages up to which it must occur on every page."""
_ROWS_DEEP = 4
_NOT_LARGER = 1.05
_HEAD_GAP = 3.5
"""Em between the head of a table and its first row at most."""
_DIGITS = re.compile(r"\d+")
_ROMAN = re.compile(r"[ivxl]{1,7}")
_LONE = re.compile(
    r"\W*(?:(?:page|pages|p|seite|s|página|pagina|pág|pag|side|strana)\b\.?\s*)?(\d{1,4}|[ivxl]{1,7})\W*", re.I
)
_OF = re.compile(r"\s*(?:of|von|de|sur|di|van|/)\s*\d{1,4}\W*$", re.I)
_DOSE = re.compile(r"\d\s*(?:[mµn]?[gl]|kg|%|‰|°C|mmol|I\.?[UE]\.?|UI)(?![^\W\d_])", re.IGNORECASE)
"""A number with a unit of medicine: no running header has one, and losing one would be worse than keeping a header."""
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50}


@dataclass(frozen=True, slots=True)
class _Place:
    """A row near an edge: page and row index, its distance from that edge as a share of the height."""

    page: int
    row: int
    at_top: bool
    height: float


def without_furniture(pages: Sequence[Sequence[Row]], frames: Sequence[PageFrame | None]) -> list[list[Row]]:
    """Rows of the pages without what belongs to the paper. Pages whose size is unknown (None) stay as they are."""
    places = [place for page, frame in enumerate(frames) if frame for place in _at_edges(pages[page], page, frame)]
    found: set[tuple[int, int]] = set()
    if sum(1 for page in pages if page) > 1:
        offset = _page_offset(pages, places)
        found |= {(p.page, p.row) for p in places if _counts_pages(pages[p.page][p.row], p.page, offset)}
        found |= _repeated(pages, places)
    by_page: dict[int, list[_Place]] = defaultdict(list)
    for place in places:
        by_page[place.page].append(place)
    kept = []
    for page, rows in enumerate(pages):
        outer = _outermost(rows, page, by_page[page], found)
        rest = [row for index, row in enumerate(rows) if index not in outer]
        kept.append(rest or list(rows))
    return kept


def _at_edges(rows: Sequence[Row], page: int, frame: PageFrame) -> Iterator[_Place]:
    """Rows in the zones, a few lines deep."""
    upright = [(row.y, index) for index, row in enumerate(rows) if row.angle == 0]
    for at_top in (True, False):
        ordered = sorted(upright, reverse=at_top)
        heights: list[float] = []
        for y, index in ordered:
            distance = (frame.height - y if at_top else y) / frame.height
            if not heights or abs(distance - heights[-1]) > _SAME_HEIGHT:
                heights.append(distance)
            if distance > _ZONE or len(heights) > _ROWS_DEEP:
                break
            yield _Place(page, index, at_top, distance)


def _value(text: str) -> int | None:
    """The number a lone page number shows, arabic or roman."""
    match = _LONE.fullmatch(_OF.sub("", text))
    if not match:
        return None
    shown = match.group(1).lower()
    if shown.isdigit():
        return int(shown)
    if not _ROMAN.fullmatch(shown):
        return None
    values = [_ROMAN_VALUES[c] for c in shown]
    return sum(-v if v < max(values[i:], default=0) else v for i, v in enumerate(values))


def _numbers_at_ends(row: Row) -> list[int]:
    """Numbers that stand alone in the first or last cell."""
    cells = row.text.split("\t")
    values = (_value(cell) for cell in {cells[0], cells[-1]})
    return [value for value in values if value is not None]


def _page_offset(pages: Sequence[Sequence[Row]], places: Sequence[_Place]) -> set[int]:
    """Differences between printed page number and index that hold for several pages (a preface may have its own)."""
    on: dict[int, set[int]] = defaultdict(set)
    for place in places:
        for value in _numbers_at_ends(pages[place.page][place.row]):
            on[value - place.page].add(place.page)
    with_rows = sum(1 for page in pages if page)
    enough = with_rows if with_rows <= _SHORT else _PAGES
    return {difference for difference, found in on.items() if len(found) >= enough}


def _counts_pages(row: Row, page: int, offsets: set[int]) -> bool:
    """A lone page number, or a short line with one at an end (`4 <TAB> 1.1 SPACES`)."""
    cells = row.text.split("\t")
    if len(cells) > 3 or (len(cells) == 1 and _value(row.text) is None):
        return False
    return any(value - page in offsets for value in _numbers_at_ends(row))


def _repeated(pages: Sequence[Sequence[Row]], places: Sequence[_Place]) -> set[tuple[int, int]]:
    """Rows whose text recurs at the same height on enough pages."""
    groups: dict[tuple[str, bool], list[_Place]] = defaultdict(list)
    for place in places:
        row = pages[place.page][place.row]
        if _DOSE.search(row.text):
            continue
        groups[_DIGITS.sub("#", row.text).casefold(), place.at_top].append(place)
    with_rows = sum(1 for page in pages if page)
    sizes = [row.size for page in pages for row in page]
    usual = _NOT_LARGER * median(sizes) if sizes else 0.0
    found: set[tuple[int, int]] = set()
    for group in groups.values():
        for same in _by_height(group):
            on = {place.page for place in same}
            if with_rows <= _SHORT:
                # On two pages a title may recur at the same height by chance; small print hardly does.
                enough = len(on) == with_rows and all(pages[p.page][p.row].size <= usual for p in same)
            else:
                enough = len(on) >= _PAGES
            if enough and _numbers_agree([(p.page, pages[p.page][p.row].text) for p in same]):
                found |= {(place.page, place.row) for place in same}
    return found


def _by_height(places: Sequence[_Place]) -> Iterator[list[_Place]]:
    """Groups of places at the same height."""
    run: list[_Place] = []
    for place in sorted(places, key=lambda p: p.height):
        if run and place.height - run[0].height > 2 * _SAME_HEIGHT:
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _numbers_agree(texts: Sequence[tuple[int, str]]) -> bool:
    """Whether every number stays the same on (nearly) all pages or counts them: a dose does neither."""
    columns = list(zip(*([int(n[:9]) for n in _DIGITS.findall(text)] for _, text in texts), strict=True))
    pages = [page for page, _ in texts]
    for column in columns:
        counting = {value - page for value, page in zip(column, pages, strict=True)}
        if len(counting) > 1 and len(set(column)) > 1:
            return False
    return True


def _outermost(
    rows: Sequence[Row], page: int, places: Sequence[_Place], found: set[tuple[int, int]]
) -> set[int]:  # fmt: skip
    """Furniture of one page. It stands outside the text: the first line that is none ends it on its side."""
    gone: set[int] = set()
    for at_top in (True, False):
        side = [p for p in places if p.at_top is at_top]
        for height in sorted({p.height for p in side}):
            level = [p.row for p in side if p.height == height]
            if not all((page, row) in found for row in level):
                if any((page, row) in found for row in level):
                    gone.update(row for row in level if (page, row) in found)
                    continue
                break
            gone.update(row for row in level if not _heads_table(rows, row, gone))
    return gone


def _heads_table(rows: Sequence[Row], index: int, gone: set[int]) -> bool:
    """The head of a table that goes on over pages recurs too; under it stand rows with the same cells."""
    row = rows[index]
    if not row.cells:
        return False
    for at, other in enumerate(rows):
        near = 0 < row.y - other.y <= _HEAD_GAP * row.size
        if near and other.cells and other.angle == row.angle and at not in gone:
            shared = Counter(min(abs(x - y) for y, _ in other.cells) <= row.size / 2 for x, _ in row.cells)
            if shared[True] > 1:
                return True
    return False
