"""Reading PDFs from the parent's side: a warm child parses and composes, this module sees to limits."""

import base64
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

from knowledge.errors import DocumentRefused
from knowledge.pdf.channel import Child, ChildDied, ChildTimedOut
from knowledge.pdf.composition import Composed
from knowledge.pdf.limits import PdfLimits
from knowledge.pdf.ocr import OCR_PIXELS, Picture, Recogniser
from knowledge.pdf.outline import OutlineEntry
from knowledge.pdf.reading import Reading, check_text, extracted
from knowledge.pdf.refusals import refused
from knowledge.pdf.second_look import look_again
from knowledge.pdf.wire import compose_request, composed_of, frame_of, row_of
from knowledge.types import ExtractedText, PageState

_HEADER_WITHIN = 1024
"""Bytes in which `%PDF-` must occur; readers tolerate that much before it."""


class PdfExtractor:
    """Extracts and renders PDFs in one child process, which is started when first needed and kept warm.

    Thread-safe: calls wait for each other. Use it as a context manager, or call `close`. Every failure of a file is a
    `DocumentRefused`; using it after `close` is a ValueError.
    """

    def __init__(self, limits: PdfLimits | None = None) -> None:
        self.limits = limits or PdfLimits()
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._files = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child. Waits for a call that is running."""
        with self._lock:
            self._closed = True
            self._drop_child()

    def extract(self, path: Path, progress: Callable[[int, int], None] | None = None) -> ExtractedText:
        """Text, pages and headings of a PDF; `progress` is told (pages read, of). Raises DocumentRefused.

        A page that cannot be read is reported as failed and the others survive, also when it costs the child its life;
        a document of which no page has text is refused.
        """
        self._check_file(path)
        with self._conversation():
            # The clock starts here: waiting for another file is not this one's time.
            reading = Reading(time.monotonic() + self.limits.seconds, progress)
            self._read(path, reading)
            left = reading.deadline - time.monotonic()
            self._look_again(path, reading)
            check_text(reading, self.limits.seconds_per_page)
            # Recognition has seconds of its own.
            composed = self._compose(reading, time.monotonic() + left)
        return extracted(reading, composed)

    def render(self, path: Path, page: int, *, max_pixels: int = 2_000_000) -> bytes:
        """A page (1-based) as PNG of at most `max_pixels` pixels. Raises DocumentRefused."""
        if max_pixels < 1:
            raise ValueError("max_pixels must be positive")
        self._check_file(path)
        with self._conversation():
            deadline = time.monotonic() + self.limits.seconds_per_page
            request = {"op": "render", "path": str(path.resolve()), "page": page, "max_pixels": max_pixels}
            try:
                message = self._ask(request, deadline)
            except ChildTimedOut:
                raise refused("timed_out", page, seconds=self.limits.seconds_per_page) from None
            except ChildDied:
                raise refused("parser_died", page) from None
        return base64.b64decode(message["png"])

    @contextmanager
    def _conversation(self) -> Iterator[None]:
        """One request and its answers, undisturbed. Whatever breaks off in between costs the child.

        Answers that nobody waits for any more (an interrupt, say) would otherwise reach the next caller.
        """
        with self._lock:
            if self._closed:
                raise ValueError("this PdfExtractor is closed")
            try:
                yield
            except DocumentRefused:
                raise
            except BaseException:
                self._drop_child()
                raise

    def _check_file(self, path: Path) -> None:
        """Refuse what needs no parser to refuse."""
        try:
            about = path.stat()
            if not stat.S_ISREG(about.st_mode):
                raise refused("unreadable")
            with path.open("rb") as file:
                head = file.read(_HEADER_WITHIN)
        except (OSError, ValueError):  # ValueError: a NUL in the path
            raise refused("unreadable") from None
        if about.st_size > self.limits.bytes:
            raise refused("too_large", bytes=self.limits.bytes, characters=self.limits.characters)
        if not head:
            raise refused("empty_file")
        if b"%PDF-" not in head:
            raise refused("not_a_pdf")

    def _read(self, path: Path, reading: Reading) -> None:
        """Read all pages, with a new child from the next page on whenever a page costs one."""
        for _ in range(self.limits.restarts + 1):
            try:
                self._read_on(path, reading)
                return
            except (ChildTimedOut, ChildDied) as failure:
                reason = "timed_out" if isinstance(failure, ChildTimedOut) else "parser_died"
                page = None if reading.pages is None else reading.next_page
                if reading.pages is None or time.monotonic() >= reading.deadline:
                    raise refused(reason, page, seconds=self.limits.seconds) from None
                if reading.next_page > reading.pages:
                    return
                reading.lose_page(reason)
        raise refused(reason, page, seconds=self.limits.seconds)

    def _read_on(self, path: Path, reading: Reading) -> None:
        bounds = {"pages": self.limits.pages, "characters": self.limits.characters}
        request = {"op": "extract", "path": str(path.resolve()), "first": reading.next_page, "limits": bounds}
        # Opening may take long (a large cross-reference table); pages have their own, shorter limit.
        message = self._ask(request, reading.deadline)
        reading.pages, reading.title = int(message["pages"]), message["title"]
        while True:
            message = self._receive(min(reading.deadline, time.monotonic() + self.limits.seconds_per_page))
            if message["kind"] == "done":
                reading.warnings, reading.other_pages = message["warnings"], message["other_pages"]
                if reading.other_pages == reading.pages:
                    reading.outline = [OutlineEntry(*entry) for entry in message["outline"]]
                return
            reading.rows.append([row_of(row) for row in message["rows"]])
            reading.frames.append(frame_of(message["frame"]))
            reading.states.append((PageState(message["state"]), message["reason"]))
            if message["little"]:
                reading.little.append(message["page"])
            if reading.progress is not None:
                reading.progress(len(reading.states), reading.pages)

    def _look_again(self, path: Path, reading: Reading) -> None:
        """Let pages that have no text, or not the one that is printed, be recognised. Never costs another page."""
        with Recogniser(self.limits) as recogniser:
            reading.second = look_again(
                reading.rows,
                reading.states,
                reading.little,
                lambda page: recogniser.read(partial(self._draw, path, page)),
            )

    def _compose(self, reading: Reading, deadline: float) -> Composed:
        """The text of what was read, put together in the child: there, and only there, it can be ended at any moment."""
        try:
            return composed_of(self._ask(compose_request(reading.rows, reading.frames, reading.outline), deadline))
        except ChildTimedOut:
            raise refused("timed_out", seconds=self.limits.seconds) from None
        except ChildDied:
            raise refused("parser_died") from None

    def _draw(self, path: Path, page: int, seconds: float) -> Picture | None:
        """A page to recognise; None if it cannot be drawn whole or in time."""
        request = {"op": "render", "path": str(path.resolve()), "page": page, "max_pixels": OCR_PIXELS}
        try:
            message = self._ask(request, time.monotonic() + seconds)
        except (ChildTimedOut, ChildDied, DocumentRefused):
            return None
        if not message["whole"]:
            return None
        return Picture(base64.b64decode(message["png"]), message["scale"], message["blank"])

    def _ask(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        """The first message in answer to `request`.

        A child that was kept warm may have died between two files (the system's memory killer, say), which is not this
        file's fault: a new one gets the request once more.
        """
        if self._files >= self.limits.files_per_worker and request["op"] != "compose":
            self._drop_child()
        warm = self._child is not None
        try:
            return self._ask_once(request, deadline)
        except ChildDied:
            self._drop_child()
            if not warm:
                raise
            return self._ask_once(request, deadline)

    def _ask_once(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        if self._child is None:
            self._child = Child(self.limits.memory_bytes)
        self._files += request["op"] != "compose"
        self._child.send(request)
        return self._receive(deadline)

    def _receive(self, deadline: float) -> dict[str, Any]:
        """The child's next message; the child is gone after any failure. A refusal is raised as such."""
        if self._child is None:
            raise ChildDied
        try:
            message = self._child.receive(deadline)
        except (ChildTimedOut, ChildDied):
            self._drop_child()
            raise
        if message["kind"] == "refused":
            raise refused(message["reason"], message["page"], **{"bytes": self.limits.bytes, **message["detail"]})
        return message

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._files = 0
