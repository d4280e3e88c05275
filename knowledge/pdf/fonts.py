"""How far a string moves the pen. Needed because pypdf says where text starts, not where it ends."""

from collections.abc import Mapping
from typing import Any

# Advance widths (1/1000 em) of Helvetica for code points 32 to 126: the fallback for fonts that carry no widths.
_HELVETICA = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556,) * 10,
    *(278, 278, 584, 584, 584, 556, 1015),
    *(667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611),
    *(722, 667, 944, 667, 667, 611),
    *(278, 278, 278, 469, 556, 333),
    *(556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278),
    *(556, 500, 722, 500, 500, 500),
    *(334, 260, 334, 584),
)
_USUAL = 556.0
_FIXED_PITCH = 600.0
_MAX_CODES = 70_000
_BOLD_NAMES = ("bold", "black", "heavy", "demi", "cmbx", "sfbx")
_BOLD_ENDINGS = ("-medi", ".b", "-bd", ",b", "-blk", ".bi")
_FORCE_BOLD = 1 << 18
_BOLD_WEIGHT = 600


def resolved(value: Any) -> Any:
    """The object behind an indirect reference; anything else as it is."""
    return value.get_object() if hasattr(value, "get_object") else value


def number(value: Any, default: float = 0.0) -> float:
    """A finite number of at most a million, or the default: operands of broken files can be anything."""
    # Most are numbers already; asking first is what a page with thousands of strokes feels.
    if not isinstance(value, int | float):
        value = resolved(value)
    if isinstance(value, int | float) and abs(value) < 1e6:
        return float(value)
    return default


class FontWidths:
    """Advance widths of one font resource, by character code. `font` None means nothing is known."""

    def __init__(self, font: Mapping[str, Any] | None) -> None:
        self.code_bytes = 1
        self._widths: dict[int, float] = {}
        self._default = _USUAL
        font = resolved(font) if font is not None else {}
        if not isinstance(font, Mapping):
            return
        if resolved(font.get("/Subtype")) == "/Type0":
            self._read_composite(font)
        else:
            self._read_simple(font)

    def advance(self, codes: bytes) -> float:
        """Width of a string in em, without character and word spacing."""
        if self.code_bytes == 1:
            return sum(self._widths.get(code, self._default) for code in codes) / 1000
        pairs = (int.from_bytes(codes[i : i + 2], "big") for i in range(0, len(codes), 2))
        return sum(self._widths.get(code, self._default) for code in pairs) / 1000

    def _read_simple(self, font: Mapping[str, Any]) -> None:
        widths = resolved(font.get("/Widths"))
        if not isinstance(widths, list):
            fixed = "courier" in str(resolved(font.get("/BaseFont"))).lower()
            self._default = _FIXED_PITCH if fixed else _USUAL
            self._widths = {} if fixed else dict(enumerate(map(float, _HELVETICA), start=32))
            return
        first = int(number(font.get("/FirstChar")))
        # Type 3 fonts measure in a space of their own; 0.001 is the scale of every other font.
        matrix = resolved(font.get("/FontMatrix"))
        scale = 1000 * abs(number(matrix[0], 0.001)) if isinstance(matrix, list) and matrix else 1.0
        self._widths = {first + i: scale * number(width) for i, width in enumerate(widths[:256])}

    def _read_composite(self, font: Mapping[str, Any]) -> None:
        self.code_bytes = 2
        descendants = resolved(font.get("/DescendantFonts"))
        child = resolved(descendants[0]) if isinstance(descendants, list) and descendants else None
        if not isinstance(child, Mapping):
            return
        self._default = number(child.get("/DW"), 1000.0)
        table = resolved(child.get("/W"))
        items = [resolved(item) for item in table] if isinstance(table, list) else []
        at = 0
        while at + 1 < len(items) and len(self._widths) < _MAX_CODES:
            first, second = int(number(items[at])), items[at + 1]
            if isinstance(second, list):
                self._widths.update((first + i, number(width)) for i, width in enumerate(second))
                at += 2
            else:
                last = min(int(number(second)), first + _MAX_CODES)
                width = number(items[at + 2]) if at + 2 < len(items) else self._default
                self._widths.update(dict.fromkeys(range(first, last + 1), width))
                at += 3


def is_bold(font: Mapping[str, Any] | None) -> bool:
    """Whether a font resource is a bold face, by its name, its weight or its flag."""
    if not isinstance(font, Mapping):
        return False
    name = str(resolved(font.get("/BaseFont", ""))).lower()
    if any(word in name for word in _BOLD_NAMES) or name.endswith(_BOLD_ENDINGS):
        return True
    descriptor = resolved(font.get("/FontDescriptor"))
    if not isinstance(descriptor, Mapping):
        return False
    forced = int(number(descriptor.get("/Flags"))) & _FORCE_BOLD
    return bool(forced) or number(descriptor.get("/FontWeight")) >= _BOLD_WEIGHT
