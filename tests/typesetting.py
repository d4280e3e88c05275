"""PDFs as guidelines are typeset, drawn by the tests themselves: columns, tables, notes, outlines, turned pages."""

import io
from collections.abc import Callable, Sequence

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Table

REGULAR, BOLD = "Vera", "VeraBd"
for _name in (REGULAR, BOLD):
    pdfmetrics.registerFont(TTFont(_name, f"{_name}.ttf"))
WIDTH, HEIGHT = A4

CELL = ParagraphStyle("cell", fontName=REGULAR, fontSize=8, leading=10)
HEAD = ParagraphStyle("head", parent=CELL, fontName=BOLD)
BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=10, leading=13, spaceAfter=6)

Draw = Callable[[Canvas], object]


def pdf(*pages: Draw) -> bytes:
    """A PDF of these pages."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def write(canvas: Canvas, x: float, y: float, text: str, size: float = 10, font: str = REGULAR) -> None:
    """One line at a place in points."""
    canvas.setFont(font, size)
    canvas.drawString(x, y, text)


def lines(canvas: Canvas, x: float, top: float, texts: Sequence[str], size: float = 10, font: str = REGULAR) -> float:
    """Lines one below the other; the height of the next."""
    for text in texts:
        write(canvas, x, top, text, size, font)
        top -= 1.3 * size
    return top


def built(story: Sequence[Flowable]) -> bytes:
    """A PDF that ReportLab breaks into pages."""
    out = io.BytesIO()
    SimpleDocTemplate(out, pagesize=A4, topMargin=60, bottomMargin=60).build(list(story))
    return out.getvalue()


def table(rows: Sequence[Sequence[str]], widths: Sequence[float], *, head: bool = True, ruled: bool = False) -> Table:
    """A table whose cells wrap; the first row is bold with `head`, all cells have a frame with `ruled`."""
    cells = [
        [Paragraph(text, HEAD if head and number == 0 else CELL) for text in row] for number, row in enumerate(rows)
    ]
    style = [("GRID", (0, 0), (-1, -1), 0.5, (0, 0, 0))] if ruled else []
    return Table(cells, colWidths=list(widths), style=[*style, ("VALIGN", (0, 0), (-1, -1), "TOP")])
