"""The page as it is drawn: which part of its space is shown, and how it is turned. Runs only in the child process."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knowledge.pdf.fonts import number, resolved

Matrix = tuple[float, float, float, float, float, float]
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_LETTER = (0.0, 0.0, 612.0, 792.0)
_ANCESTORS = 50


@dataclass(frozen=True, slots=True)
class Sheet:
    """Width and height of a page in points, as it is drawn."""

    width: float
    height: float


def multiplied(first: Matrix, second: Matrix) -> Matrix:
    """The matrix that applies `first`, then `second`."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def matrix_of(operands: Any) -> Matrix:
    """Six numbers, or the identity where there are not as many, as readers do."""
    if not isinstance(operands, list | tuple) or len(operands) < 6:
        return IDENTITY
    a, b, c, d, e, f = (number(operand) for operand in operands[:6])
    return a, b, c, d, e, f


def sheet_of(page: Mapping[str, Any]) -> tuple[Sheet, Matrix]:
    """The drawn page, and the matrix from the page's own space to it: points from the lower left corner.

    Boxes that are missing or make no sense are replaced as PDFium does, which draws the page.
    """
    media = _box(page, "/MediaBox") or _LETTER
    left, bottom, right, top = _common(_box(page, "/CropBox") or media, media)
    width, height = right - left, top - bottom
    turns = int(number(inherited(page, "/Rotate"))) // 90 % 4
    if turns == 1:
        return Sheet(height, width), (0.0, -1.0, 1.0, 0.0, -bottom, right)
    if turns == 2:
        return Sheet(width, height), (-1.0, 0.0, 0.0, -1.0, right, top)
    if turns == 3:
        return Sheet(height, width), (0.0, 1.0, -1.0, 0.0, top, -left)
    return Sheet(width, height), (1.0, 0.0, 0.0, 1.0, -left, -bottom)


def inherited(page: Mapping[str, Any], key: str) -> Any:
    """An attribute of a page, or of the nearest of its ancestors that has it; None if none does."""
    node: Any = page
    for _ in range(_ANCESTORS):
        if not isinstance(node, Mapping):
            return None
        value = resolved(node.get(key))
        if value is not None:
            return value
        node = resolved(node.get("/Parent"))
    return None


def _box(page: Mapping[str, Any], key: str) -> tuple[float, float, float, float] | None:
    box = inherited(page, key)
    if not isinstance(box, list) or len(box) < 4:
        return None
    x, y, to_x, to_y = (number(value) for value in box[:4])
    left, right, bottom, top = min(x, to_x), max(x, to_x), min(y, to_y), max(y, to_y)
    return (left, bottom, right, top) if right > left and top > bottom else None


def _common(
    crop: tuple[float, float, float, float], media: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    left, bottom = max(crop[0], media[0]), max(crop[1], media[1])
    right, top = min(crop[2], media[2]), min(crop[3], media[3])
    return (left, bottom, right, top) if right > left and top > bottom else media
