"""From the bytes of a string in a PDF to its text and how far it moves the pen. Runs only in the child process."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pypdf.errors import LimitReachedError

# Not public, but the decoding that `extract_text` itself uses; there is no public way to decode one string.
from pypdf.generic._font import Font

from knowledge.pdf.fonts import FontWidths, is_bold, number, resolved
from knowledge.pdf.repairs import turned

_LOG = logging.getLogger(__name__)
_UNDECODABLE = "\ufffd"
_SPACE_WIDTH = 250.0
_OF_SPACE, _WIDEST_WORD_GAP = 0.475, 0.18
"""Share of a space's width that parts words (pypdf's own measure), and em that always do: the code of the space is another
letter in many fonts of LaTeX, which narrows a line's spaces down to 0.22 em."""
_MOST_KEPT = 20_000
"""Decoded strings kept per font: a typesetter repeats its syllables, a hostile file must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded string: its text, its advance in em without spacing, how many codes and how many of them are spaces."""

    text: str
    advance: float
    codes: int
    spaces: int


class Face:
    """One font resource. `font` None, or one that cannot be read, decodes to replacement characters."""

    def __init__(self, font: Any) -> None:
        font = resolved(font) if font is not None else None
        mapping = font if isinstance(font, Mapping) else None
        self.bold = is_bold(mapping)
        self._widths = FontWidths(mapping)
        self._kept: dict[bytes, Shown] = {}
        decoder = _decoder(mapping)
        self._encoding: Any = decoder.encoding if decoder else dict.fromkeys(range(256), _UNDECODABLE)
        self._characters: Mapping[Any, Any] = decoder.character_map if decoder else {}
        space = (decoder.space_width if decoder else _SPACE_WIDTH) / 1000
        self.word_gap = min(_OF_SPACE * space, _WIDEST_WORD_GAP)
        """Em between two strings from which they are words of their own."""

    @property
    def code_bytes(self) -> int:
        """Bytes per code."""
        return self._widths.code_bytes

    def shown(self, codes: bytes) -> Shown:
        """A string of the content stream, read."""
        kept = self._kept.get(codes)
        if kept is None:
            single = self._widths.code_bytes == 1
            count, spaces = (len(codes), codes.count(b" ")) if single else (len(codes) // 2, 0)
            kept = Shown(self._text(codes), self._widths.advance(codes), count, spaces)
            if len(self._kept) < _MOST_KEPT:
                self._kept[codes] = kept
        return kept

    def _text(self, codes: bytes) -> str:
        """Each code, or pair of codes, by the font's encoding and then by its map to Unicode."""
        if isinstance(self._encoding, str):
            try:
                text = codes.decode(self._encoding, "surrogatepass")
            except UnicodeDecodeError:
                text = codes.decode(self._encoding, "replace")
        else:
            text = "".join([str(self._encoding.get(code, chr(code))) for code in codes])
        read = "".join(glyphs := [str(self._characters.get(character, character)) for character in text])
        # What runs from right to left stands as on paper, unless a code means several letters: those are in order.
        return turned(read) if len(read) == len(glyphs) else read


def _decoder(font: Mapping[str, Any] | None) -> Font | None:
    if font is None:
        return None
    try:
        return Font.from_font_resource(font)  # type: ignore[arg-type]
    except (LimitReachedError, MemoryError, RecursionError):
        raise
    except Exception:
        # Broken font dictionaries raise anything; the rest of the page is worth more than this font.
        _LOG.warning("A font cannot be read; its letters are replaced by U+FFFD.")
        return None


class FontShelf:
    """Fonts of one document, each read once: pypdf reads all of a page's fonts again for every page."""

    def __init__(self) -> None:
        self._by_reference: dict[tuple[int, int], Face] = {}

    def faces(self, resources: Any) -> "PageFaces":
        """Fonts that a resource dictionary names."""
        resources = resolved(resources)
        fonts = resolved(resources.get("/Font")) if isinstance(resources, Mapping) else None
        return PageFaces(self, fonts if isinstance(fonts, Mapping) else {})

    def face(self, fonts: Mapping[str, Any], name: str) -> Face:
        """The font of that name, from the shelf where it has a reference."""
        raw = fonts.raw_get(name) if hasattr(fonts, "raw_get") and name in fonts else None
        reference = getattr(raw, "idnum", None)
        if reference is None:
            return Face(raw)
        key = (int(reference), int(getattr(raw, "generation", 0)))
        if key not in self._by_reference:
            self._by_reference[key] = Face(raw)
        return self._by_reference[key]


class PageFaces:
    """Fonts by the names one page or form gives them, read when first used."""

    def __init__(self, shelf: FontShelf, fonts: Mapping[str, Any]) -> None:
        self._shelf = shelf
        self._fonts = fonts
        self._read: dict[str, Face] = {}

    def get(self, name: str) -> Face:
        """The font of that name; one that decodes nothing where there is none."""
        face = self._read.get(name)
        if face is None:
            face = self._read[name] = self._shelf.face(self._fonts, name)
        return face


def unspaced(items: list[Any], spacing: float) -> list[Any]:
    """A TJ array with the character spacing (em) written out as offsets.

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
