"""Text recognition (OCR) from the parent's side: which pages, within which limits, and what became of each.

The engine runs in a child process of its own, which is started when the first page of a document needs it and ends with
the document: its libraries fill half a gigabyte, and reading one page costs more than starting them again.
"""

import base64
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from knowledge.pdf.channel import Child, ChildDied, ChildTimedOut
from knowledge.pdf.limits import PdfLimits
from knowledge.pdf.recognised import Line

OCR_PIXELS = 4_000_000
"""Pixels of a page that is recognised: 200 dpi for A4. At 150 dpi twice as many raised digits were missed."""
FLOOR = 0.9
"""Confidence below which a line is left out."""
_SECONDS_TO_LOAD = 60.0


class NotRead(StrEnum):
    """Why a page has no recognised text: the machine-readable part of the page's `reason`."""

    MISSING = "ocr_missing"
    NOTHING = "ocr_nothing_found"
    UNSURE = "ocr_unsure"
    TIMED_OUT = "ocr_timed_out"
    TOO_MANY = "ocr_page_limit"
    DIED = "ocr_died"
    NOT_DRAWN = "ocr_page_not_drawn"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Picture:
    """A page drawn as PNG: `scale` pixels per point; `blank` if all of it has one colour."""

    png: bytes
    scale: float
    blank: bool


@dataclass(frozen=True, slots=True)
class Recognised:
    """What recognition made of one page: lines that are sure enough, how many were not, or why there are none."""

    lines: tuple[Line, ...] = ()
    left_out: int = 0
    why_not: NotRead | None = None


class Recogniser:
    """Reads pages of one document. Use it as a context manager; not thread-safe."""

    def __init__(self, limits: PdfLimits) -> None:
        self._limits = limits
        self._until = time.monotonic() + limits.ocr_seconds
        self._child: Child | None = None
        self._missing = False
        self._deaths = 0
        self._pages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_child()

    def read(self, draw: Callable[[float], Picture | None]) -> Recognised:
        """One page, drawn by `draw(seconds)`, which returns None for a page that cannot be drawn. Never raises."""
        if self._missing:
            return Recognised(why_not=NotRead.MISSING)
        if self._deaths > self._limits.restarts:
            return Recognised(why_not=NotRead.DIED)
        left = self._until - time.monotonic()
        if left <= 0:
            return Recognised(why_not=NotRead.TIMED_OUT)
        if self._pages >= self._limits.ocr_pages:
            return Recognised(why_not=NotRead.TOO_MANY)
        picture = draw(min(left, self._limits.seconds_per_page))
        if picture is None:
            late = time.monotonic() >= self._until
            return Recognised(why_not=NotRead.TIMED_OUT if late else NotRead.NOT_DRAWN)
        if picture.blank:
            return Recognised(why_not=NotRead.BLANK)
        self._pages += 1
        return self._recognise(picture)

    def _recognise(self, picture: Picture) -> Recognised:
        try:
            child = self._loaded()
            if child is None:
                return Recognised(why_not=NotRead.MISSING)
            child.send({"op": "read", "png": base64.b64encode(picture.png).decode("ascii")})
            message = child.receive(self._deadline(self._limits.ocr_seconds_per_page))
        except ChildTimedOut:
            self._end_child()
            return Recognised(why_not=NotRead.TIMED_OUT)
        except ChildDied:
            self._end_child()
            self._deaths += 1
            return Recognised(why_not=NotRead.DIED)
        found = [
            Line(text, confidence, *(edge / picture.scale for edge in edges))
            for text, confidence, *edges in message["lines"]
        ]
        return _sure(line for line in found if line.text)

    def _loaded(self) -> Child | None:
        """The child with its engine loaded; None without the extra. Raises ChildTimedOut, ChildDied."""
        if self._child is None:
            self._child = Child(self._limits.ocr_memory_bytes, "knowledge.pdf.ocr_worker")
            self._child.send({"op": "load"})
            if self._child.receive(self._deadline(_SECONDS_TO_LOAD))["kind"] == "missing":
                self._missing = True
                self._end_child()
        return self._child

    def _deadline(self, seconds: float) -> float:
        return min(self._until, time.monotonic() + seconds)

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


def _sure(found: Iterable[Line]) -> Recognised:
    lines = tuple(found)
    sure = tuple(line for line in lines if line.confidence >= FLOOR)
    why_not = None if sure else NotRead.UNSURE if lines else NotRead.NOTHING
    return Recognised(sure, len(lines) - len(sure), why_not)
