"""From positioned pieces of text to rows in reading order. Pure functions; nothing here knows a PDF library.

Coordinates are points in the writing direction of the text itself: `x` grows along the line, `y` grows upwards, so
rotated text needs no other rules. The order of a page's content stream is trusted: it follows columns, geometry alone
does not.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.pdf.repairs import raise_digits, repair

CELL_GAP = 1.1
"""Em between two pieces of one row from which they are cells: the widest justified word gaps are about 0.9."""
WORD_GAP = 0.25
"""Em that separate words where the file holds no space character."""
_SAME_BASELINE = 0.3
_SHIFT_DOWN, _SHIFT_UP = -0.35, 0.65
_SMALLER = 0.85
_BOLD_SHARE = 0.9
_SPACES_AS_CELLS = re.compile(r" {3,}")
_SPACES = re.compile(r" +")
_LEADERS = re.compile(r"(?:[ \t]?\.){5,}[ \t]*")
"""Dots that lead the eye across a table of contents: to a reader they are a wide gap."""
_AROUND_TAB = re.compile(r" *\t[ \t]*")


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
class Row:
    """One printed line. Cells are separated by TAB; `bold` means practically all of it is."""

    text: str
    x: float
    right: float
    y: float
    size: float
    bold: bool = False
    angle: int = 0


def rows_of(fragments: Iterable[Fragment]) -> list[Row]:
    """Rows of a page, in the order of the fragments. Fragments that draw nothing are left out."""
    rows: list[Row] = []
    line: list[Fragment] = []
    for fragment in fragments:
        if not fragment.text.strip():
            continue
        if line and _is_overprint(line[-1], fragment):
            continue
        if line and not _continues(line, fragment):
            rows.append(_row(line))
            line = []
        line.append(fragment)
    if line:
        rows.append(_row(line))
    return [row for row in rows if row.text]


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
    text = _LEADERS.sub("\t", _SPACES_AS_CELLS.sub("\t", "".join(parts).strip()))
    text = _AROUND_TAB.sub("\t", _SPACES.sub(" ", text)).strip()
    letters = sum(len(f.text.strip()) for f in line)
    bold = sum(len(f.text.strip()) for f in line if f.bold) >= _BOLD_SHARE * letters
    return Row(text, line[0].x, right, base.y, base.size, bold, base.angle)


def _is_raised(fragment: Fragment, base: Fragment) -> bool:
    return fragment.size <= _SMALLER * base.size and fragment.y - base.y >= 0.15 * base.size
