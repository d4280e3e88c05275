"""Turns a guideline into an A4 PDF whose bytes depend on nothing but its text and the version of ReportLab."""

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, ListFlowable, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as GridTable

from writing.blocks import Block, Bullets, Guideline, Heading, Table, Text

PUBLISHER = "Dermacite project"
NOTICE = "SAMPLE, NOT FOR CARE"
_SUMMARY = "This text was written for tests and demonstrations of retrieval. It must not be used to treat anyone."

# Bitstream Vera comes with ReportLab and has the signs that the built-in Helvetica lacks (≥, ≤).
_REGULAR, _BOLD = "Vera", "VeraBd"
_INK, _RULE, _SHADE = HexColor("#1c2b33"), HexColor("#8a9aa3"), HexColor("#e8eef1")
_MARGIN = 20 * mm

_BODY = ParagraphStyle("body", fontName=_REGULAR, fontSize=9.5, leading=14, spaceAfter=6, textColor=_INK)
_STYLES = {
    "title": ParagraphStyle("title", parent=_BODY, fontName=_BOLD, fontSize=19, leading=24, spaceAfter=8),
    1: ParagraphStyle("h1", parent=_BODY, fontName=_BOLD, fontSize=14, leading=18, spaceBefore=12, spaceAfter=5),
    2: ParagraphStyle("h2", parent=_BODY, fontName=_BOLD, fontSize=11, leading=15, spaceBefore=8, spaceAfter=3),
    "table": ParagraphStyle("table", parent=_BODY, fontSize=8.5, leading=11.5, spaceAfter=0),
    "head": ParagraphStyle("head", parent=_BODY, fontName=_BOLD, fontSize=8.5, leading=11.5, spaceAfter=0),
    "caption": ParagraphStyle("caption", parent=_BODY, fontName=_BOLD, fontSize=9, spaceBefore=6, spaceAfter=4),
}


def write(guideline: Guideline, folder: Path) -> Path:
    """Writes `folder/guideline.file` and returns its path."""
    for name in (_REGULAR, _BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
    path = folder / guideline.file
    document = SimpleDocTemplate(
        str(path), pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=24 * mm, bottomMargin=22 * mm,
        title=guideline.title, author=PUBLISHER, subject=NOTICE, keywords="dermatology, sample", lang="en",
        invariant=1,
    )  # fmt: skip

    def furniture(canvas: Any, page: Any) -> None:
        _furniture(canvas, page.page, guideline.title)

    document.build(_story(guideline), onFirstPage=furniture, onLaterPages=furniture)
    return path


def _furniture(canvas: Any, number: int, title: str) -> None:
    """Header and footer of every page: the notice must survive when a single page is printed or quoted."""
    width, height = A4
    canvas.saveState()
    canvas.setFillColor(_INK)
    canvas.setFont(_BOLD, 8)
    canvas.drawString(_MARGIN, height - 14 * mm, NOTICE)
    canvas.setFont(_REGULAR, 8)
    canvas.drawRightString(width - _MARGIN, height - 14 * mm, title)
    canvas.drawString(_MARGIN, 12 * mm, f"{PUBLISHER}, Apache-2.0")
    canvas.drawRightString(width - _MARGIN, 12 * mm, f"Page {number}")
    canvas.restoreState()


def _story(guideline: Guideline) -> list[Flowable]:
    edition = f"Edition {guideline.edition}, effective {guideline.effective}. Jurisdiction: {guideline.jurisdiction}."
    story: list[Flowable] = [
        _paragraph(guideline.title, _STYLES["title"]),
        _paragraph(edition, _BODY),
        _paragraph(_SUMMARY, _BODY),
    ]
    numbers = [0, 0]
    for block in guideline.blocks:
        story += _flowables(block, numbers)
    sources = "The facts above were restated from these public documents; no sentence was copied."
    for block in (Heading("Sources"), Text(sources), Bullets(guideline.sources)):
        story += _flowables(block, numbers)
    return story


def _flowables(block: Block, numbers: list[int]) -> list[Flowable]:
    """`numbers` is the running section number and is advanced by headings."""
    if isinstance(block, Heading):
        if block.level == 1:
            numbers[:] = [numbers[0] + 1, 0]
            label = f"{numbers[0]}. {block.text}"
        else:
            numbers[1] += 1
            label = f"{numbers[0]}.{numbers[1]} {block.text}"
        # A list cannot be kept with its heading, so a heading near the foot of a page moves to the next one.
        return [CondPageBreak(32 * mm), _paragraph(label, _STYLES[block.level])]
    if isinstance(block, Text):
        return [_paragraph(block.text, _BODY)]
    if isinstance(block, Bullets):
        tight = ParagraphStyle("tight", parent=_BODY, spaceAfter=3)
        items = [_paragraph(item, tight) for item in block.items]
        return [
            ListFlowable(
                items, bulletType="bullet", start="•", bulletFontName=_REGULAR, bulletFontSize=9, leftIndent=12
            ),
            Spacer(1, 4),
        ]
    return [KeepTogether([_paragraph(block.caption, _STYLES["caption"]), _grid(block), Spacer(1, 8)])]


def _grid(table: Table) -> Flowable:
    width = A4[0] - 2 * _MARGIN
    cells = [[_paragraph(text, _STYLES["head"]) for text in table.header]]
    cells += [[_paragraph(text, _STYLES["table"]) for text in row] for row in table.rows]
    style = [
        ("GRID", (0, 0), (-1, -1), 0.4, _RULE),
        ("BACKGROUND", (0, 0), (-1, 0), _SHADE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
    return GridTable(cells, colWidths=[share * width for share in table.widths], repeatRows=1, style=style)


def _paragraph(text: str, style: ParagraphStyle) -> Flowable:
    return Paragraph(escape(text), style)
