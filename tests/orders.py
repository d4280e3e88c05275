"""The texts of tests/data/orders.toml, which try to give orders, and the PDFs in which they stand."""

import io
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reportlab.lib.pagesizes import A5
from reportlab.pdfgen.canvas import Canvas

from tests import hostile

FILE = Path(__file__).parent / "data" / "orders.toml"
PLAIN = "Psoriasis is a common disease of the skin. Plaques of the knee are treated with a topical corticosteroid."
WIDTH = 80  # signs of a line
RIGHT_TO_LEFT = re.compile("[\u0600-\u06ff]")  # such a line stands in the file as it does on paper: last sign first


@dataclass(frozen=True, slots=True)
class Order:
    """One text, and the way it stands in its file: see the head of the list."""

    name: str
    text: str
    way: str = "page"

    @property
    def lines(self) -> list[str]:
        """As printed."""
        return [part for line in self.text.split("\n") for part in _broken(line)]


def orders() -> tuple[Order, ...]:
    """All of them."""
    entries = tomllib.loads(FILE.read_text("utf-8"))["orders"]
    return tuple(Order(one["name"], one["text"] * one.get("repeat", 1), one.get("way", "page")) for one in entries)


def in_documents() -> list[Order]:
    """Those that stand in a PDF."""
    return [order for order in orders() if order.way != "caption"]


def in_captions() -> list[Order]:
    """Those that stand in the caption of a reference case."""
    return [order for order in orders() if order.way == "caption"]


def pdf_of(order: Order) -> bytes:
    """A PDF of one page; the same order gives the same bytes."""
    if order.way == "page" and not order.text.isascii():
        return _spelled(order)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A5, invariant=True)
    if order.way == "title":
        canvas.setTitle(order.text)
    if order.way == "around":
        _around(canvas, order.text)
    if order.way != "title":  # a printed heading is the title rather than what the file says of itself
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(30, 540, "Note on the skin")
    _write(canvas, order.lines if order.way == "page" else _broken(PLAIN), 510)
    if order.way == "hidden":
        canvas.setFillColorRGB(1, 1, 1)
        _write(canvas, order.lines, 400, size=1)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _around(canvas: Canvas, text: str) -> None:
    """Everywhere a PDF keeps words but on the page."""
    canvas.setSubject(text)
    canvas.setKeywords([text])
    canvas.setAuthor(text)
    canvas.bookmarkPage("here")
    canvas.addOutlineEntry(text, "here", 0)
    canvas.textAnnotation(text, (30, 30, 60, 60))
    canvas.linkURL(f"https://collect.invalid/?q={text.replace(' ', '+')}", (30, 30, 60, 60))


def _write(canvas: Canvas, lines: Sequence[str], top: int, size: int = 8) -> None:
    words = canvas.beginText(30, top)
    words.setFont("Helvetica", size)
    for line in lines:
        words.textLine(line)
    canvas.drawText(words)


def _spelled(order: Order) -> bytes:
    """The text in a font whose only meaning is its ToUnicode table, which may say any sign, also those that nobody sees."""
    signs = sorted(set("".join(order.lines)))
    codes = {sign: number for number, sign in enumerate(signs, start=1)}
    rows = b"".join(
        b"<%02X> <%s>\n" % (number, sign.encode("utf-16-be").hex().encode()) for sign, number in codes.items()
    )
    table = hostile.cmap(b"%d beginbfchar\n%sendbfchar" % (len(codes), rows))
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 11 0 R >>"
    printed = [line[::-1] if RIGHT_TO_LEFT.search(line) else line for line in order.lines]
    shown = b" ".join(
        b"1 0 0 1 30 %d Tm <%s> Tj" % (500 - 12 * row, bytes(codes[sign] for sign in line).hex().encode())
        for row, line in enumerate(printed)
    )
    return hostile.document(b"BT /F2 8 Tf " + shown + b" ET", fonts=b"/F2 10 0 R", more=[font, table])


def _broken(line: str) -> list[str]:
    """At spaces where there are any, as a word processor does."""
    lines = [""]
    for word in line.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
