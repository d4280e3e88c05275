"""Positioned text of one page, followed operator by operator. Runs only in the child process.

pypdf parses the content stream and reads the fonts; its own `extract_text` joins what stands on one line before it tells
where it is, so gaps between table cells, the ends of lines and the place of text inside forms would be lost. All
coordinates are those of the page as it is drawn: points from its lower left corner, turned and cropped.
"""

import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from pypdf.generic import ContentStream

from knowledge.pdf.fonts import number, resolved
from knowledge.pdf.glyphs import Face, FontShelf, PageFaces, unspaced
from knowledge.pdf.layout import CELL_GAP, Fragment
from knowledge.pdf.pen import State
from knowledge.pdf.repairs import runs_right_to_left
from knowledge.pdf.sheets import IDENTITY, Matrix, matrix_of, multiplied
from knowledge.pdf.strokes import Strokes

_SPACED_OUT = 0.08
"""Em of character spacing from which it may stand in for the spaces between words."""
_SMALLEST = 0.01
"""Points that a font measures at least: sizes are divided by."""
TEXT = re.compile(rb"T[jJ]|Do|['\"]")
"""Operators without which a content stream shows no text."""
_FORMS, _DEPTH = 2_000, 12
"""Forms drawn per page, and one in another, at most: real pages stay far below, bombs do not."""
Operation = tuple[Any, bytes]
_LOG = logging.getLogger(__name__)
"""Its warnings are counted and reported with pypdf's: they tell of text that was left out."""
_NO_FACE = Face(None)


class ContentReader:
    """Follows the pen through a content stream and the forms it draws."""

    def __init__(self, shelf: FontShelf, base: Matrix, pdf: Any) -> None:
        self.fragments: list[Fragment] = []
        self._shelf, self._pdf = shelf, pdf
        self._state = State(base, _NO_FACE)
        self._saved: list[State] = []
        self._line: Matrix = IDENTITY
        self._offset = 0.0
        self._place: tuple[float, float, float, float, float, float] | None = None
        self.strokes = Strokes(self._point)
        self._faces: PageFaces = shelf.faces(None)
        self._resources: Any = None
        self._forms, self._inside = 0, set[int]()
        self._last_face: Face | None = None
        self._space = ""
        self._handlers = self._table()

    def _table(self) -> dict[bytes, Callable[[Any], None]]:
        return {
            b"BT": self._begin, b"q": self._save, b"Q": self._restore, b"cm": self._concatenate, b"Tf": self._font,
            b"Tc": self._set("spacing"), b"Tw": self._set("word_spacing"), b"TL": self._set("leading"),
            b"Ts": self._set("rise"), b"Tz": self._stretch, b"Td": self._move, b"TD": self._move_leading,
            b"Tm": self._matrix, b"T*": self._next_line, b"Tj": self._show, b"TJ": self._show_parts,
            b"'": self._next_and_show, b'"': self._space_and_show, b"Do": self._form, **self.strokes.handlers,
        }  # fmt: skip

    def run(self, operations: list[Operation], resources: Any) -> None:
        """Follow the operations of a page or form."""
        outer = self._faces, self._resources
        self._faces, self._resources = self._shelf.faces(resources), resolved(resources)
        handlers = self._handlers
        for operands, operator in operations:
            handler = handlers.get(operator)
            if handler is not None:
                handler(operands)
        self._faces, self._resources = outer

    # State

    def _set(self, name: str) -> Callable[[Any], None]:
        def handler(operands: Any) -> None:
            if operands:
                setattr(self._state, name, number(operands[0]))
                self._place = None

        return handler

    def _stretch(self, operands: Any) -> None:
        if operands:
            self._state.stretch = number(operands[0], 100.0) / 100

    def _save(self, _: Any) -> None:
        if len(self._saved) < 1000:
            self._saved.append(self._state.copy())

    def _restore(self, _: Any) -> None:
        if self._saved:
            self._state = self._saved.pop()
            self._place = None

    def _concatenate(self, operands: Any) -> None:
        self._state.matrix = multiplied(matrix_of(operands), self._state.matrix)
        self._place = None

    def _font(self, operands: Any) -> None:
        if len(operands) > 1:
            self._state.face = self._faces.get(str(operands[0]))
            self._state.size = number(operands[1], self._state.size)
            self._place = None

    # Where the pen is

    def _begin(self, _: Any) -> None:
        self._line, self._offset, self._place = IDENTITY, 0.0, None

    def _move(self, operands: Any) -> None:
        if len(operands) > 1:
            x, y = number(operands[0]), number(operands[1])
            a, b, c, d, e, f = self._line
            self._line = (a, b, c, d, e + x * a + y * c, f + x * b + y * d)
        self._offset, self._place = 0.0, None

    def _move_leading(self, operands: Any) -> None:
        if len(operands) > 1:
            self._state.leading = -number(operands[1])
        self._move(operands)

    def _matrix(self, operands: Any) -> None:
        self._line, self._offset, self._place = matrix_of(operands), 0.0, None

    def _next_line(self, _: Any) -> None:
        self._move((0.0, -self._state.leading))

    # Text

    def _next_and_show(self, operands: Any) -> None:
        self._next_line(None)
        self._show(operands)

    def _space_and_show(self, operands: Any) -> None:
        if len(operands) > 2:
            self._state.word_spacing, self._state.spacing = number(operands[0]), number(operands[1])
            self._next_and_show(operands[2:])

    def _show(self, operands: Any) -> None:
        if operands and isinstance(operands[0], bytes):
            self._show_items([operands[0]])

    def _show_parts(self, operands: Any) -> None:
        if not operands or not isinstance(operands[0], list):
            return
        state = self._state
        size = state.size or 1.0
        if state.spacing / size > _SPACED_OUT and state.face.code_bytes == 1:
            spacing = state.spacing
            state.spacing = 0.0
            self._show_items(unspaced(operands[0], spacing / size))
            state.spacing = spacing
        else:
            self._show_items(operands[0])

    def _show_items(self, items: list[Any]) -> None:
        """The parts of one TJ array: text up to a gap as wide as between cells is one fragment."""
        state = self._state
        face, size, spacing = state.face, state.size, state.spacing
        gap_of_words = face.word_gap
        parts: list[str] = []
        start = end = self._offset
        for item in items:
            if isinstance(item, bytes):
                shown = face.shown(item)
                if shown.text:
                    if not parts:
                        start = self._offset
                    elif self._offset - end >= gap_of_words * size * state.stretch > 0 and parts[-1][-1:] != " ":
                        parts.append(" ")
                    parts.append(shown.text)
                advance = shown.advance * size + spacing * shown.codes + state.word_spacing * shown.spaces
                self._offset += advance * state.stretch
                end = self._offset
            elif isinstance(item, int | float):
                self._offset -= number(item) / 1000 * size * state.stretch
                if parts and self._offset - end >= CELL_GAP * abs(size * state.stretch):
                    self._emit("".join(parts), start, end)
                    parts = []
        if parts:
            self._emit("".join(parts), start, end)

    def _where(self) -> tuple[float, float, float, float, float, float]:
        """Origin along and across the writing direction, points per unit along and across, angle, size."""
        state = self._state
        a, b, c, d, x, y = multiplied(self._line, state.matrix)
        along, across = math.hypot(a, b), math.hypot(c, d)
        angle = math.atan2(b, a)
        if not (math.isfinite(along) and math.isfinite(across) and math.isfinite(x) and math.isfinite(y)):
            return 0.0, 0.0, 1.0, 1.0, 0.0, 1.0
        cosine, sine = math.cos(angle), math.sin(angle)
        u, v = x * cosine + y * sine, y * cosine - x * sine
        # A mirrored page would have its rises the other way round; nobody writes text like that.
        return u, v + state.rise * across, along, across, angle, max(_SMALLEST, abs(state.size) * across)

    def _emit(self, text: str, start: float, end: float) -> None:
        if text.isspace():
            # A space of its own would be a piece that draws nothing; it belongs to what follows.
            self._space = " "
            return
        text, self._space = self._space + text, ""
        place = self._place
        if place is None:
            place = self._place = self._where()
        u, v, along, _, angle, size = place
        x, width = u + start * along, max(0.0, (end - start) * along)
        degrees = round(math.degrees(angle)) % 360
        face = self._state.face
        last = self.fragments[-1] if self.fragments else None
        if last is not None and last.angle == degrees and abs(last.y - v) <= 0.02 * size:
            gap = x - last.x - last.width
            word = gap >= face.word_gap * size and text[:1] != " " and last.text[-1:] != " "
            text = " " + text if word else text
            # A run drawn in several operators is one run: fewer pieces to put together later.
            joins = not runs_right_to_left(text)
            if (
                joins
                and face is self._last_face
                and abs(last.size - size) <= 0.01 * size
                and -0.1 * size <= gap < 0.9 * size
            ):
                self.fragments[-1] = Fragment(
                    last.text + text, last.x, last.y, last.size, _rounded(x + width - last.x), last.bold, degrees
                )
                return
        self._last_face = face
        self.fragments.append(
            Fragment(text, _rounded(x), _rounded(v), _rounded(size), _rounded(width), face.bold, degrees)
        )

    def _point(self, x: float, y: float) -> tuple[float, float]:
        a, b, c, d, e, f = self._state.matrix
        return x * a + y * c + e, x * b + y * d + f

    # Forms

    def _form(self, operands: Any) -> None:
        resources = self._resources
        forms = resolved(resources.get("/XObject")) if isinstance(resources, Mapping) else None
        form = resolved(forms.get(str(operands[0]))) if operands and isinstance(forms, Mapping) else None
        if not isinstance(form, Mapping) or form.get("/Subtype") != "/Form":
            return
        self._forms += 1
        left_out = self._why_not(form)
        if left_out:
            _LOG.warning(left_out)
            return
        stream = ContentStream(form, self._pdf, "bytes")
        if not TEXT.search(stream.get_data()):
            return
        state, saved, line = self._state.copy(), self._saved, (self._line, self._offset)
        self._saved = []
        self._state.matrix = multiplied(matrix_of(resolved(form.get("/Matrix"))), self._state.matrix)
        self._place = None
        self._inside.add(id(form))
        self.run(stream.operations, form.get("/Resources") or resources)
        self._inside.discard(id(form))
        self._state, self._saved, self._place = state, saved, None
        self._line, self._offset = line

    def _why_not(self, form: Any) -> str | None:
        """Why a form is not followed: bombs draw one in another without end."""
        if id(form) in self._inside:
            return "A form draws itself (cyclic reference); its text was read once."
        if len(self._inside) >= _DEPTH:
            return "Forms are nested too deep; the text of the innermost was left out."
        return "Too many form invocations; the text of those beyond was left out." if self._forms > _FORMS else None


def _rounded(value: float) -> float:
    return round(value, 3) if math.isfinite(value) else 0.0
