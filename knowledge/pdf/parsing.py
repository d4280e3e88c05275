"""Reading and rendering one PDF with pypdf and PDFium. Runs only in the child process."""

import gc
import io
import itertools
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pypdf
import pypdfium2
from pypdf.errors import FileNotDecryptedError, LimitReachedError, PyPdfError

from knowledge.pdf.contents import gather
from knowledge.pdf.fonts import number, resolved
from knowledge.pdf.glyphs import FontShelf
from knowledge.pdf.layout import rows_of
from knowledge.pdf.wire import row_values

# Below pypdf's defaults, because files come from outside; each is several times what real guidelines need.
_LOWERED: dict[str, Any] = {
    "zlib_maximum_output_length": 32_000_000,
    "lzw_maximum_output_length": 32_000_000,
    "run_length_maximum_output_length": 32_000_000,
    "brotli_maximum_output_length": 32_000_000,
    "array_based_stream_maximum_output_length": 32_000_000,
    "stream_decoding_work_maximum_length": 100_000_000,
    "stream_parsing_work_maximum_count": 1_000_000,
    "xform_maximum_invocations_per_extraction": 2_000,
    "jbig2dec_binary": None,
}
_MAX_SCALE = 4.0
"""Pixels per point at most (288 dpi): beyond, a page shows nothing more."""
_LITTLE_TEXT = 20
_MOST_ROWS = 20_000
"""Rows of a page: a dense newspaper page has a thousand."""
_ROW_COSTS = 20
"""Characters that a row counts for at least: even an empty one has to be carried, placed and compared."""
_PICTURES_TRIED, _DEPTH_OF_PICTURES = 20, 3
"""Pictures of a page of one colour that are looked at, and in how many forms one in another."""
_OUTLINE_ENTRIES, _OUTLINE_DEPTH, _OUTLINE_TITLE = 5_000, 8, 300
"""What is read of an outline at most: a textbook's has hundreds of entries."""


class Refused(Exception):
    """The document, or this page of it, cannot be read. `detail` holds numbers for the message, never text."""

    def __init__(self, reason: str, page: int | None = None, **detail: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.page = page
        self.detail = detail


class _WarningCount(logging.Handler):
    """Counts the library's warnings by their template: their arguments may hold text of the document."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.counted: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record."""
        self.counted[str(record.msg)[:80]] += 1


def extract(path: str, first: int, limits: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """Messages of an extraction from page `first` (1-based) on. Raises Refused if the document cannot be opened."""
    count = _WarningCount()
    for name in ("pypdf", "knowledge.pdf"):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [count], False
    with pypdf.apply_configuration(**_LOWERED):
        reader, pages = _open(path, limits["pages"])
        yield {"kind": "opened", "pages": pages, "title": _title(reader)}
        left, shelf = limits["characters"], FontShelf()
        for page in range(first, pages + 1):
            message = _page(reader, page, shelf)
            if message["state"] == "empty" and _overlooked(path, page, pages):
                message |= {"state": "failed", "reason": "text_not_read"}
            left -= sum(max(_ROW_COSTS, len(row[0])) for row in message["rows"])
            if left < 0:
                raise Refused("too_large", page, characters=limits["characters"])
            yield message
    yield {"kind": "done", "warnings": dict(count.counted.most_common(20)), **_second_opinion(path)}


def _open(path: str, most_pages: int) -> tuple[pypdf.PdfReader, int]:
    reader: pypdf.PdfReader | None = None
    try:
        reader = pypdf.PdfReader(path)
        pages = len(reader.pages)
    except FileNotDecryptedError:
        raise Refused("encrypted") from None
    except MemoryError:
        raise
    except LimitReachedError:
        # A few hundred bytes can claim a million pages. pypdf stops counting; what the file claims is clearer.
        claimed = _claimed_pages(reader)
        if claimed > most_pages:
            raise Refused("too_many_pages", pages=claimed, limit=most_pages) from None
        raise Refused("broken_pdf") from None
    except Exception:
        # pypdf's own documentation says that broken files can raise anything.
        raise Refused("broken_pdf") from None
    if pages > most_pages:
        raise Refused("too_many_pages", pages=pages, limit=most_pages)
    if not pages:
        raise Refused("broken_pdf")
    return reader, pages


def _claimed_pages(reader: pypdf.PdfReader | None) -> int:
    try:
        return 0 if reader is None else int(number(resolved(reader.root_object["/Pages"])["/Count"], 1e6))
    except MemoryError:
        raise
    except Exception:
        return 0


def _title(reader: pypdf.PdfReader) -> str | None:
    try:
        title = reader.metadata.title if reader.metadata else None
    except MemoryError:
        raise
    except Exception:
        return None
    return str(title)[:300] if title else None


def _page(reader: pypdf.PdfReader, number: int, shelf: FontShelf) -> dict[str, Any]:
    """One page's message: its rows, its size and rules, or the reason why it has no rows."""
    message: dict[str, Any] = {"kind": "page", "page": number, "rows": [], "little": False}
    message |= {"state": "failed", "reason": None, "frame": None}
    try:
        found = gather(reader.pages[number - 1], shelf)
        rows = rows_of(found.fragments)
        if len(rows) > _MOST_ROWS:
            return {**message, "reason": "limit_reached"}
    except MemoryError:
        gc.collect()
        return {**message, "reason": "out_of_memory"}
    except RecursionError:
        return {**message, "reason": "nested_too_deep"}
    except LimitReachedError:
        return {**message, "reason": "limit_reached"}
    except PyPdfError:
        return {**message, "reason": "broken_page"}
    except Exception as error:
        return {**message, "reason": f"broken_page ({type(error).__name__})"}
    state = "text" if rows else "image_only" if found.pictures else "empty"
    little = found.pictures and 0 < sum(len(row.text) for row in rows) < _LITTLE_TEXT
    frame = (found.sheet.width, found.sheet.height, found.rules if rows else [])
    return {**message, "rows": [row_values(row) for row in rows], "frame": frame, "state": state, "little": little}


def _second_opinion(path: str) -> dict[str, Any]:
    """How many pages PDFium finds, for pypdf loses some without a word, and the outline: (title, level, page index).

    PDFium reads outlines of any shape without being caught in a circle.
    """
    try:
        with pypdfium2.PdfDocument(path) as document:
            return {"other_pages": len(document), "outline": _outline(document)}
    except (pypdfium2.PdfiumError, OSError):
        return {"other_pages": None, "outline": []}


def _outline(document: pypdfium2.PdfDocument) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for entry in itertools.islice(document.get_toc(max_depth=_OUTLINE_DEPTH), _OUTLINE_ENTRIES):
        target = entry.get_dest()
        page = target.get_index() if target is not None else None
        title = entry.get_title()[:_OUTLINE_TITLE]
        if page is not None and page >= 0 and title.strip():
            found.append((title, entry.level + 1, page))
    return found


def _overlooked(path: str, number: int, pages: int) -> bool:
    """Whether PDFium reads words on a page on which pypdf found nothing at all, not even a picture."""
    try:
        with pypdfium2.PdfDocument(path) as document:
            if len(document) != pages:
                return False
            return any(map(str.isalnum, document[number - 1].get_textpage().get_text_range()))
    except (pypdfium2.PdfiumError, OSError):
        return False


def render(path: str, page: int, max_pixels: int) -> tuple[bytes, float, bool, bool]:
    """A page (1-based) as PNG of at most `max_pixels` pixels, its pixels per point, and whether it is of one colour.

    The last value is False for a page of one colour that is so because a picture was left out. Raises Refused.
    """
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise Refused("encrypted" if "password" in str(error).lower() else "broken_pdf") from None
    with document:
        if not 1 <= page <= len(document):
            raise Refused("no_such_page", page, pages=len(document))
        try:
            width, height = document[page - 1].get_size()
            if not (0 < width < math.inf and 0 < height < math.inf):
                raise Refused("broken_pdf", page)
            # A pixel less than fits: the bitmap's sides are rounded up.
            scale = min(_MAX_SCALE, math.sqrt(max_pixels / (width * height)))
            scale = min(scale, (max_pixels - 1) / max(width, height))
            while math.ceil(width * scale) * math.ceil(height * scale) > max_pixels:
                scale *= 0.99
            picture = document[page - 1].render(scale=scale).to_pil()
            blank = all(low == high for low, high in picture.convert("RGB").getextrema())
            whole = not (blank and _leaves_a_picture_out(document[page - 1]))
        except pypdfium2.PdfiumError:
            raise Refused("broken_pdf", page) from None
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue(), scale, blank, whole


def _leaves_a_picture_out(page: pypdfium2.PdfPage) -> bool:
    """Whether PDFium draws the page without one of its pictures, which it does in silence when it cannot unpack it."""
    pictures = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH_OF_PICTURES)
    for picture in itertools.islice(pictures, _PICTURES_TRIED):
        try:
            picture.get_bitmap().close()
        except pypdfium2.PdfiumError:
            return True
    return False
