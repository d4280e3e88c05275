"""Where text is on its pages: the lines of a version as one stored file, and the rectangles of any span of its text."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Final

from knowledge.errors import BlobCorrupt
from knowledge.types import Line

DIGITS: Final = 4  # of a fraction: a tenth of a millimetre of a page


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle on a page, in fractions 0..1 of the page as drawn; the origin is top left."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


def packed(lines: Sequence[Line]) -> bytes:
    """The stored form."""
    rows = ([one.start, one.end, one.page, *(round(edge, DIGITS) for edge in astuple(one)[3:])] for one in lines)
    return json.dumps(list(rows), separators=(",", ":")).encode()


def unpacked(data: bytes) -> list[Line]:
    """Back from the stored form. Raises BlobCorrupt."""
    try:
        return [Line(*row) for row in json.loads(data)]
    except (ValueError, TypeError) as error:
        raise BlobCorrupt("a stored file with places on pages cannot be read; restore it from a backup") from error


def places_of(lines: Sequence[Line], start: int, end: int) -> Iterator[Place]:
    """The rectangles of the half-open span, one a line. Within a line letters count as equally wide."""
    for line in lines:
        if line.end <= start or line.start >= end:
            continue
        width, length = line.right - line.left, line.end - line.start
        left = line.left + width * max(0, start - line.start) / length
        right = line.right - width * max(0, line.end - end) / length
        yield Place(line.page, left, line.top, right, line.bottom)
