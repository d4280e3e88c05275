"""Horizontal rules of a page: strokes and thin bars that may part the rows of a table. Runs only in the child process."""

from collections.abc import Callable
from typing import Any

from knowledge.pdf.fonts import number

_RULES = 2_000
"""Rules per page at most: a ruled table has a hundred, a drawing thousands."""
_LENGTH, _WIDTH = 20.0, 2.5
"""Points from which a horizontal stroke counts, and up to which a filled box is a stroke."""
_FAR = 1e6
"""Points from the corner beyond which nothing is drawn; broken matrices lead there."""

Rule = tuple[float, float, float]
"""Left, right and height, in points of the drawn page."""


class Strokes:
    """Follows the paths of a content stream; what was only used for clipping is forgotten."""

    def __init__(self, place: Callable[[float, float], tuple[float, float]]) -> None:
        self.rules: list[Rule] = []
        self._place = place
        self._point = (0.0, 0.0)
        self._lines: list[Rule] = []
        self._bars: list[Rule] = []
        self.handlers: dict[bytes, Callable[[Any], None]] = {
            b"m": self._move, b"l": self._line, b"re": self._box, b"n": self._forget,
            **dict.fromkeys((b"S", b"s", b"B", b"B*", b"b", b"b*"), self._stroke),
            **dict.fromkeys((b"f", b"F", b"f*"), self._fill),
        }  # fmt: skip

    def _move(self, operands: Any) -> None:
        if len(operands) > 1:
            self._point = self._place(number(operands[0]), number(operands[1]))

    def _line(self, operands: Any) -> None:
        if len(operands) > 1:
            (x, y), (to_x, to_y) = self._point, self._place(number(operands[0]), number(operands[1]))
            if abs(to_y - y) <= 1 and abs(to_x - x) >= _LENGTH and len(self._lines) < _RULES:
                self._lines.append((min(x, to_x), max(x, to_x), y))
            self._point = to_x, to_y

    def _box(self, operands: Any) -> None:
        if len(operands) < 4 or len(self._lines) >= _RULES:
            return
        x, y, width, height = (number(operand) for operand in operands[:4])
        (left, low), (right, high) = self._place(x, y), self._place(x + width, y + height)
        left, right, low, high = min(left, right), max(left, right), min(low, high), max(low, high)
        if right - left < _LENGTH:
            return
        self._lines += [(left, right, low), (left, right, high)]
        if high - low <= _WIDTH:
            self._bars.append((left, right, (low + high) / 2))

    def _stroke(self, _: Any) -> None:
        self._keep(self._lines)

    def _fill(self, _: Any) -> None:
        self._keep(self._bars)

    def _keep(self, found: list[Rule]) -> None:
        if len(self.rules) < _RULES:
            self.rules += [
                (round(left, 3), round(right, 3), round(y, 3))
                for left, right, y in found
                if max(map(abs, (left, right, y))) < _FAR
            ]
        self._forget(None)

    def _forget(self, _: Any) -> None:
        self._lines, self._bars = [], []
