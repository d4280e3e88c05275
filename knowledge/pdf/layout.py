"""From positioned pieces of text to rows in reading order. Pure functions; nothing here knows a PDF library.

Coordinates are points in the writing direction of the text itself: `x` grows along the line, `y` grows upwards, so
rotated text needs no other rules. The order of a page's content stream is trusted here: it mostly follows columns,
which geometry alone does not. What it gets wrong is mended in `columns` and `tables`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.pdf.repairs import raise_digits, repair, runs_right_to_left

CELL_GAP = 1.1
"""Em between two pieces of one row from which they are cells: the widest justified word gaps are about 0.9."""
WORD_GAP = 0.25
"""Em that separate words where the file holds no space character."""
_SAME_BASELINE = 0.3
_SHIFT_DOWN, _SHIFT_UP = -0.35, 0.65
_SMALLER = 0.85
_BOLD_SHARE = 0.9
_SCRIPT_CHARACTERS, _LINES_BACK = 5, 40
"""Characters of an exponent or reference mark at most, and lines among which the one it belongs to is looked for."""
_SPACES_AS_CELLS = re.compile(r" {3,}")
_SPACES = re.compile(r" +")
_LEADERS = re.compile(r"(?:[ \t]?\.){5,}[ \t]*")
"""Dots that lead the eye across a table of contents: to a reader they are a wide gap."""
_AROUND_TAB = re.compile(r" *\t[ \t]*")
_GAP_IN_LIST = re.compile(r"\t(?=[,;](?: |$))")
"""No cell begins with a comma: something without text stands in the gap, an icon behind a name for instance."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A run of text: start of its baseline, advance width and font size in points, angle in whole degrees."""

    text: str
    x: float
    y: float
    size: float
    width: float
    bold: bool = False
    angle: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A printed piece of a text: half-open span in that text, and where it stands."""

    start: int
    end: int
    x: float
    right: float
    y: float
    size: float
    angle: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One printed line. Cells are separated by TAB; `bold` means practically all of it is.

    `cells` has left and right edge per cell of a row with TABs; it is empty for any other. A row put together from
    several printed lines has its `parts`. `table` numbers the tables of a page from 1; 0 is none.
    """

    text: str
    x: float
    right: float
    y: float
    size: float
    bold: bool = False
    angle: int = 0
    cells: tuple[tuple[float, float], ...] = ()
    parts: tuple[Part, ...] = ()
    table: int = 0


@dataclass(frozen=True, slots=True)
class PageFrame:
    """Size in points of a page as it is drawn, and its horizontal rules as (left, right, y)."""

    width: float
    height: float
    rules: tuple[tuple[float, float, float], ...] = ()


def rows_of(fragments: Iterable[Fragment]) -> list[Row]:
    """Rows of a page, in the order of the fragments. Fragments that draw nothing are left out."""
    lines: list[list[Fragment]] = []
    for fragment in fragments:
        if not fragment.text.strip() or (lines and _is_overprint(lines[-1][-1], fragment)):
            continue
        if lines and _continues(lines[-1], fragment):
            lines[-1].append(fragment)
        elif len(fragment.text.strip()) > _SCRIPT_CHARACTERS or not _joins_as_script(lines, fragment):
            lines.append([fragment])
    return [row for row in map(_row, lines) if row.text]


def _joins_as_script(lines: Sequence[list[Fragment]], new: Fragment) -> bool:
    """Put an exponent or mark that was drawn after its line where it stands: 10⁹ must not become 10 and a stray 9."""
    for line in reversed(lines[-_LINES_BACK:]):
        for index, host in enumerate(line):
            gap = new.x - (host.x + host.width)
            shift = (new.y - host.y) / host.size
            small = new.size <= _SMALLER * host.size and new.angle == host.angle
            if small and abs(gap) <= WORD_GAP * host.size and 0.15 <= shift <= _SHIFT_UP:
                line.insert(index + 1, new)
                return True
    return False


def _is_overprint(last: Fragment, new: Fragment) -> bool:
    """The same text drawn again at the same place is how some programs print bold; a reader sees it once."""
    near = 0.1 * last.size
    return new.text == last.text and abs(new.x - last.x) < near and abs(new.y - last.y) < near


def _largest(line: Sequence[Fragment]) -> Fragment:
    return max(line, key=lambda f: f.size)


def _continues(line: Sequence[Fragment], new: Fragment) -> bool:
    last, base = line[-1], _largest(line[-3:])
    if new.angle != last.angle:
        return False
    gap = new.x - (last.x + last.width)
    if gap < -0.8 * max(last.size, new.size):
        return False
    if abs(new.y - base.y) <= _SAME_BASELINE * max(new.size, base.size):
        return True
    big, small = (base, new) if base.size >= new.size else (new, base)
    shift = (small.y - big.y) / big.size
    is_script = small.size <= _SMALLER * big.size and _SHIFT_DOWN <= shift <= _SHIFT_UP
    back_on_line = abs(new.y - line[0].y) <= _SAME_BASELINE * new.size
    return (is_script or back_on_line) and abs(gap) < CELL_GAP * big.size


def _row(line: Sequence[Fragment]) -> Row:
    base = max(line, key=lambda f: (len(f.text.strip()) * f.size, f.size))
    if runs_right_to_left("".join(f.text for f in line)):
        line = sorted(line, key=lambda f: -f.x)
    parts: list[str] = []
    right = line[0].x
    for fragment in line:
        text = repair(fragment.text)
        if _is_raised(fragment, base):
            text = raise_digits(text)
        gap = fragment.x - right
        if parts and gap >= CELL_GAP * base.size:
            text = "\t" + text
        elif parts and gap > WORD_GAP * base.size:
            text = " " + text
        parts.append(text)
        right = fragment.x + fragment.width
    joined = "".join(parts)
    text = _LEADERS.sub("\t", _SPACES_AS_CELLS.sub("\t", joined.strip()))
    text = _GAP_IN_LIST.sub("", _AROUND_TAB.sub("\t", _SPACES.sub(" ", text)).strip())
    cells = _edges(line, parts, text) if "\t" in text else ()
    letters = sum(len(f.text.strip()) for f in line)
    bold = sum(len(f.text.strip()) for f in line if f.bold) >= _BOLD_SHARE * letters
    edges = min(f.x for f in line), max(f.x + f.width for f in line)
    return Row(text, *edges, base.y, base.size, bold, base.angle, cells)


def _edges(line: Sequence[Fragment], parts: Sequence[str], text: str) -> tuple[tuple[float, float], ...]:
    """Left and right edge of each cell; within a fragment every character counts as equally wide."""
    lefts: list[float] = []
    rights: list[float] = []
    for fragment, part in zip(line, parts, strict=True):
        step = fragment.width / max(1, len(part.strip("\t ")))
        lead = len(part) - len(part.lstrip("\t "))
        for index, character in enumerate(part):
            if character not in "\t ":
                lefts.append(fragment.x + step * (index - lead))
                rights.append(fragment.x + step * (index - lead + 1))
    joined = "".join(parts)
    marks = "".join(c for c in joined if c not in "\t ")
    found: list[tuple[float, float]] = []
    at = 0
    for cell in text.split("\t"):
        plain = cell.replace(" ", "")
        at = max(at, marks.find(plain, at))
        last = min(at + len(plain), len(lefts)) - 1
        found.append((round(lefts[min(at, last)], 3), round(rights[last], 3)))
        at = last + 1
    return tuple(found)


def _is_raised(fragment: Fragment, base: Fragment) -> bool:
    return fragment.size <= _SMALLER * base.size and fragment.y - base.y >= 0.15 * base.size
