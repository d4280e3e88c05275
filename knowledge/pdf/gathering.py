"""Positioned text of one page, gathered through pypdf's visitors. Runs only in the child process.

pypdf joins what stands on one line before it reports it, so the gaps between table cells would be lost. A `cm` with the
identity matrix changes nothing on the page but makes pypdf hand over what it has; one is put before every operator
that moves the text position.
"""

import math
from collections.abc import Mapping
from typing import Any

from pypdf import PageObject
from pypdf.generic import ArrayObject, ContentStream, NameObject

from knowledge.pdf.fonts import FontWidths, is_bold, number, resolved
from knowledge.pdf.layout import CELL_GAP, Fragment

_IDENTITY: tuple[list[float], bytes] = ([1.0, 0.0, 0.0, 1.0, 0.0, 0.0], b"cm")
_MOVES = frozenset((b"Td", b"TD", b"Tm", b"T*", b"'", b'"', b"Tz", b"Ts"))
_SHOWS = frozenset((b"Tj", b"TJ", b"'", b'"'))
_PICTURES = frozenset((b"Do", b"INLINE IMAGE"))
_SPACED_OUT = 0.08
"""Em of character spacing from which it may stand in for the spaces between words."""

Operation = tuple[Any, bytes]


def gather(page: PageObject) -> tuple[list[Fragment], bool]:
    """Fragments of a page in content order, and whether it draws a picture or form. Raises what pypdf raises."""
    contents = resolved(page.get("/Contents"))
    if contents is None:
        return [], False
    stream = ContentStream(contents, page.pdf, "bytes")
    fonts = _fonts(page)
    operations = stream.operations
    stream.operations = _prepared(operations, fonts)
    # The visitors take the operations from the page itself.
    page[NameObject("/Contents")] = stream
    pen = _Pen(fonts)
    page.extract_text(visitor_operand_before=pen.before, visitor_text=pen.text)
    return pen.fragments, any(operator in _PICTURES for _, operator in operations)


def _fonts(page: PageObject) -> dict[str, FontWidths]:
    resources = resolved(page.get("/Resources"))
    fonts = resolved(resources.get("/Font")) if isinstance(resources, Mapping) else None
    if not isinstance(fonts, Mapping):
        return {}
    return {str(name): FontWidths(resolved(font)) for name, font in fonts.items()}


def _prepared(operations: list[Operation], fonts: dict[str, FontWidths]) -> list[Operation]:
    prepared: list[Operation] = []
    size, spacing, single = 1.0, 0.0, True
    for operands, operator in operations:
        if operator in _MOVES:
            prepared.append(_IDENTITY)
        elif operator == b"Tf" and len(operands) > 1:
            size = number(operands[1], 1.0) or 1.0
            single = fonts.get(str(operands[0]), _UNKNOWN).code_bytes == 1
        elif operator == b"Tc" and operands:
            spacing = number(operands[0])
        if operator == b"TJ" and operands and isinstance(operands[0], list):
            spaced = single and spacing / size > _SPACED_OUT
            items = _unspaced(operands[0], spacing / size) if spaced else operands[0]
            shown: list[Operation] = _cells(items)
            prepared += [([0.0], b"Tc"), *shown, ([spacing], b"Tc")] if spaced else shown
        else:
            prepared.append((operands, operator))
    return prepared


def _unspaced(items: list[Any], spacing: float) -> list[Any]:
    """A TJ array with the character spacing (em) written out as offsets, which is where pypdf looks for words.

    Some typesetters set a wide spacing, take it back between letters and leave it standing between words. The smallest
    gap of all is taken off: a title that is merely letter-spaced must not fall apart.
    """
    gaps: list[float] = []
    codes: list[bytes] = []
    for item in items:
        if isinstance(item, bytes):
            for code in item:
                codes.append(bytes([code]))
                gaps.append(1000 * spacing)
        elif gaps:
            gaps[-1] -= number(item)
    usual = max(0.0, min(gaps[:-1], default=0.0))
    # The last gap lies between this array and the next text, which has a position of its own.
    return [part for code, gap in zip(codes, gaps, strict=True) for part in (code, usual - gap)][:-1]


def _cells(items: list[Any]) -> list[Operation]:
    """A TJ array, in parts where it skips so far that another table cell begins."""
    parts: list[Operation] = []
    start = 0
    for index, item in enumerate(items):
        if -number(item) >= 1000 * CELL_GAP:
            parts += [([ArrayObject(items[start:index])], b"TJ"), _IDENTITY]
            start = index
    return [*parts, ([ArrayObject(items[start:])], b"TJ")]


_UNKNOWN = FontWidths(None)


class _Pen:
    """Follows the pen along a line: pypdf reports the line's start for every font on it, not where each run begins."""

    def __init__(self, fonts: dict[str, FontWidths]) -> None:
        self.fragments: list[Fragment] = []
        self._fonts = fonts
        self._font = _UNKNOWN
        self._size, self._spacing, self._word_spacing, self._stretch = 1.0, 0.0, 0.0, 1.0
        self._offset = self._end = 0.0
        self._start: float | None = None
        self._space = ""
        self._saved: list[tuple[FontWidths, float, float, float, float]] = []

    def before(self, operator: bytes, operands: Any, _cm: list[float], _tm: list[float]) -> None:
        """pypdf's call before each operator of the page and of the forms in it."""
        if operator in _SHOWS:
            self._show(operator, operands)
        elif operator in _MOVES or operator == b"BT":
            self._offset = 0.0
            if operator == b"Tz" and operands:
                self._stretch = number(operands[0], 100.0) / 100
        elif operator == b"Tf" and len(operands) > 1:
            self._font = self._fonts.get(str(operands[0]), _UNKNOWN)
            self._size = number(operands[1], self._size)
        elif operator == b"Tc" and operands:
            self._spacing = number(operands[0])
        elif operator == b"Tw" and operands:
            self._word_spacing = number(operands[0])
        elif operator == b"q":
            self._saved.append((self._font, self._size, self._spacing, self._word_spacing, self._stretch))
        elif operator == b"Q" and self._saved:
            self._font, self._size, self._spacing, self._word_spacing, self._stretch = self._saved.pop()

    def _show(self, operator: bytes, operands: Any) -> None:
        if operator in (b"'", b'"'):
            self._offset = 0.0
        if not operands:
            return
        shown = operands[0] if operator == b"TJ" else [operands[-1]]
        for item in shown if isinstance(shown, list) else []:
            if isinstance(item, bytes):
                if self._start is None:
                    self._start = self._offset
                width = self._font.advance(item) * self._size
                width += self._spacing * len(item) / self._font.code_bytes
                width += self._word_spacing * item.count(b" ") if self._font.code_bytes == 1 else 0.0
                self._offset += width * self._stretch
                self._end = self._offset
            else:
                self._offset -= number(item) / 1000 * self._size * self._stretch

    def text(self, text: str, cm: list[float], tm: list[float], font: Any, size: float) -> None:
        """pypdf's call with a finished run of text and the matrices at the start of its line."""
        if not text.strip():
            self._space = " " if " " in text else self._space
            return
        a, b = tm[0] * cm[0] + tm[1] * cm[2], tm[0] * cm[1] + tm[1] * cm[3]
        c, d = tm[2] * cm[0] + tm[3] * cm[2], tm[2] * cm[1] + tm[3] * cm[3]
        x, y = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
        along = math.hypot(a, b)
        angle = math.atan2(b, a)
        start = self._start if self._start is not None else self._offset
        fragment = Fragment(
            text=self._space + text.rstrip("\n"),
            x=_finite(x * math.cos(angle) + y * math.sin(angle) + start * along),
            y=_finite(y * math.cos(angle) - x * math.sin(angle)),
            size=_finite(abs(number(size, 1.0)) * math.hypot(c, d)) or 1.0,
            width=_finite(max(0.0, self._end - start) * along),
            bold=is_bold(font),
            angle=round(math.degrees(angle)) % 360 if math.isfinite(angle) else 0,
        )
        self.fragments.append(fragment)
        self._start, self._space = None, ""


def _finite(value: float) -> float:
    return round(value, 3) if math.isfinite(value) else 0.0
