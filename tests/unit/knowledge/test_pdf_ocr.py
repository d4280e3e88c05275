"""Pages that are pictures, or whose fonts lie: drawn here, read by the real engine in its own process."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import reportlab
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, NameObject
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

import knowledge
from knowledge.errors import DocumentRefused
from knowledge.pdf import PdfExtractor, PdfLimits, channel
from knowledge.types import ExtractedText, PageState

VERA = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
PIXELS_PER_POINT = 200 / 72
DOSES = (
    "Apply clobetasol 0.05 % cream twice a day for 2-5 days.",
    "Calcipotriol 50 µg/g, at most 100 g per week",
    "Methotrexate 7.5 mg once weekly; folic acid 5 mg",
    "Excise with a margin of 2 mm (1 cm if > 1 mm)",
    "Gefäßverödung, übermäßiges Schwitzen: täglich 2 x 20 mg",
    "Traitement de l'eczéma sévère, à l'âge de 3 ans",
    "lesión pequeña en el muñón, 37,5 °C",
)
Text = tuple[float, float, str, float]
"""Left and top in points, words, and font size in points."""


def scanned(*texts: Text, turn: int = 0) -> Image.Image:
    """An A4 page as a scanner sees it, grey on off-white."""
    page = Image.new("L", tuple(round(side * PIXELS_PER_POINT) for side in A4), 245)
    draw = ImageDraw.Draw(page)
    for left, top, words, size in texts:
        font = ImageFont.truetype(str(VERA), round(size * PIXELS_PER_POINT))
        draw.text((left * PIXELS_PER_POINT, top * PIXELS_PER_POINT), words, font=font, fill=30)
    return page.rotate(turn, expand=True)


def lines(words: Sequence[str], left: float = 60, top: float = 60, size: float = 11, leading: float = 16) -> list[Text]:
    return [(left, top + leading * number, line, size) for number, line in enumerate(words)]


def pdf(path: Path, *pages: Image.Image | str | None) -> Path:
    """One page per picture or text; None is blank."""
    canvas = Canvas(str(path), pagesize=A4)
    for page in pages:
        if isinstance(page, Image.Image):
            canvas.setPageSize(tuple(side / PIXELS_PER_POINT for side in page.size))
            canvas.drawImage(ImageReader(page), 0, 0, *(side / PIXELS_PER_POINT for side in page.size))
        elif page:
            canvas.drawString(60, 700, page)
        canvas.showPage()
    canvas.save()
    return path


def extract(path: Path, **limits: float) -> ExtractedText:
    with PdfExtractor(PdfLimits(**limits)) as extractor:  # type: ignore[arg-type]
        return extractor.extract(path)


def page_text(found: ExtractedText, number: int) -> str:
    page = found.pages[number - 1]
    return found.text[page.start : page.end]


def micro(text: str) -> str:
    """The engine writes the Greek letter for the sign."""
    return text.replace("μ", "µ")


# What is read


def test_doses_units_and_accents_are_read_as_printed(tmp_path: Path) -> None:
    found = extract(pdf(tmp_path / "scan.pdf", scanned(*lines(DOSES, leading=40))))
    assert micro(found.text).split("\n\n") == list(DOSES)
    (page,) = found.pages
    assert (page.state, page.reason) == (PageState.OCR, None)
    assert page.confidence is not None
    assert 0.95 < page.confidence <= 1
    assert found.warnings == (
        "1 of 1 pages were read by text recognition (OCR), which errs: 1. Compare numbers and units with the page.",
    )


def test_columns_a_heading_and_a_table_keep_their_order(tmp_path: Path) -> None:
    left = ["The left column speaks of creams", "that are applied twice a day and", "of ointments that are greasy."]
    right = ["On the right it says how long the", "treatment lasts, which is usually", "four weeks, seldom eight."]
    table = [("Drug", "Strength", "How often"), ("Urea", "10 %", "daily"), ("Clobetasol", "0.05 %", "twice a day")]
    cells = [(60 + 170 * x, 250 + 20 * y, cell, 11.0) for y, row in enumerate(table) for x, cell in enumerate(row)]
    title: Text = (60, 50, "Care of the skin with eczema", 22)
    page = scanned(title, *lines(left, 60, 120), *lines(right, 320, 120), *cells)
    found = extract(pdf(tmp_path / "columns.pdf", page))
    assert [found.text[h.start : h.end] for h in found.headings] == [title[2]]
    assert found.text.split("\n\n") == [
        "\n".join([title[2], " ".join(left)]), " ".join(right), "\n".join("\t".join(row) for row in table)
    ]  # fmt: skip


@pytest.mark.parametrize("turn", [180, 90], ids=["upside down", "sideways"])
def test_a_page_that_was_scanned_the_wrong_way_round_is_turned(tmp_path: Path, turn: int) -> None:
    page = scanned(*lines(DOSES[:4], leading=40), turn=turn)
    assert micro(extract(pdf(tmp_path / "turned.pdf", page)).text).split("\n\n") == list(DOSES[:4])


def test_only_the_picture_page_of_a_mixed_document_is_marked(tmp_path: Path) -> None:
    path = pdf(tmp_path / "mixed.pdf", "A page with a text layer on it.", scanned(*lines(DOSES[:1])), None)
    found = extract(path)
    states = [(page.state, page.confidence is None) for page in found.pages]
    assert states == [(PageState.TEXT, True), (PageState.OCR, False), (PageState.EMPTY, True)]
    assert page_text(found, 1) == "A page with a text layer on it."
    assert page_text(found, 2) == DOSES[0]


def test_a_scan_with_a_stamped_page_number_is_read(tmp_path: Path) -> None:
    stamped = io.BytesIO()
    canvas = Canvas(stamped, pagesize=A4)
    canvas.drawImage(ImageReader(scanned(*lines(DOSES[:3], leading=40))), 0, 0, *A4)
    canvas.drawString(300, 20, "p. 7")
    canvas.save()
    path = tmp_path / "stamped.pdf"
    path.write_bytes(stamped.getvalue())
    found = extract(path)
    assert found.pages[0].state is PageState.OCR
    assert micro(page_text(found, 1)).split("\n\n")[:3] == list(DOSES[:3])


# What is not


def test_pictures_without_text_say_so(tmp_path: Path) -> None:
    with pytest.raises(DocumentRefused, match="No page has text: 1 of 1 pages hold only a picture") as caught:
        extract(pdf(tmp_path / "plain.pdf", Image.new("L", (800, 800), 200)))
    assert caught.value.reason == "image_only"
    mixed = extract(pdf(tmp_path / "mixed.pdf", "A page with a text layer on it.", Image.new("L", (800, 800), 200)))
    assert (mixed.pages[1].state, mixed.pages[1].reason) == (PageState.IMAGE_ONLY, "blank")


def test_lines_that_are_unsure_are_left_out_and_counted(tmp_path: Path) -> None:
    page = scanned(*lines(DOSES[:1]), *lines(DOSES[3:4], top=200))
    box = (0, round(180 * PIXELS_PER_POINT), page.width, round(240 * PIXELS_PER_POINT))
    strip = page.crop(box)
    # As a scan at 22 dpi: it can be seen that there is text, and hardly what it says.
    page.paste(strip.reduce(9).resize(strip.size, Image.Resampling.BICUBIC), box)
    found = extract(pdf(tmp_path / "unsure.pdf", page))
    assert found.text == DOSES[0]
    assert any("1 lines on 1 pages were left out" in warning for warning in found.warnings)


@pytest.mark.parametrize("first", [0xE020, 0xFFFD, 0x0003], ids=["private use", "replacement", "moved letters"])
def test_text_of_a_broken_font_is_replaced_by_what_is_printed(tmp_path: Path, first: int) -> None:
    printed = ["The patient applies the cream twice a day", "and returns to the clinic after four weeks,"] * 4
    writer = PdfWriter(clone_from=PdfReader(text_pdf(printed)))
    font = writer.pages[0]["/Resources"]["/Font"]["/F1"].get_object()  # type: ignore[index]
    entries = "".join(
        f"<{code:02X}> <{first if first == 0xFFFD else first + code - 32:04X}>\n" for code in range(32, 127)
    )
    cmap = DecodedStreamObject()
    cmap.set_data(f"1 begincodespacerange <00> <FF> endcodespacerange\n95 beginbfchar\n{entries}endbfchar".encode())
    font[NameObject("/ToUnicode")] = writer._add_object(cmap)
    path = tmp_path / "broken.pdf"
    writer.write(path)
    found = extract(path)
    assert found.pages[0].state is PageState.OCR
    assert " ".join(found.text.split()) == " ".join(printed)
    with pytest.raises(DocumentRefused, match="not what is printed") as caught:
        extract(path, ocr_seconds=1e-9)
    assert caught.value.reason == "garbage_text"


def text_pdf(printed: Sequence[str]) -> io.BytesIO:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for number, line in enumerate(printed):
        canvas.drawString(60, 700 - 16 * number, line)
    canvas.save()
    out.seek(0)
    return out


# What goes wrong around the engine


def test_without_the_extra_pages_say_which_command_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rapidocr.py").write_text("raise ModuleNotFoundError(\"No module named 'rapidocr'\", name='rapidocr')")
    monkeypatch.setattr(channel, "_SEARCHED", (*channel._SEARCHED, str(tmp_path)))
    scan = scanned(*lines(DOSES[:1]))
    found = extract(pdf(tmp_path / "mixed.pdf", "A page with a text layer on it.", scan))
    assert (found.pages[1].state, found.pages[1].reason) == (PageState.IMAGE_ONLY, "ocr_missing")
    assert any('pip install --constraint constraints.txt --editable ".[ocr]"' in text for text in found.warnings)
    with pytest.raises(DocumentRefused, match=r"pip install .*\[ocr\]") as caught:
        extract(pdf(tmp_path / "scan.pdf", scan))
    assert (caught.value.reason, caught.value.page) == ("image_only", 1)


def recognisers() -> list[int]:
    """Process ids of this process's recognising children."""
    tasks = Path("/proc/self/task").glob("*/children")
    children = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in children if b"ocr_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def once_started(act: Callable[[int], object]) -> threading.Thread:
    """Does something with the first recognising child as soon as there is one."""

    def wait() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if found := recognisers():
                act(found[0])
                return
            time.sleep(0.01)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_killed_engine_costs_one_page(tmp_path: Path) -> None:
    path = pdf(tmp_path / "scan.pdf", *[scanned(*lines(DOSES[:1]))] * 2)
    killer = once_started(lambda pid: os.kill(pid, signal.SIGKILL))
    found = extract(path)
    killer.join()
    assert [(p.state, p.reason) for p in found.pages] == [(PageState.IMAGE_ONLY, "ocr_died"), (PageState.OCR, None)]
    assert found.text.strip() == DOSES[0]
    assert not recognisers()


def test_an_engine_that_cannot_load_is_given_up(tmp_path: Path) -> None:
    path = pdf(tmp_path / "scan.pdf", "A page with a text layer on it.", *[scanned(*lines(DOSES[:1]))] * 3)
    found = extract(path, ocr_memory_bytes=150_000_000, restarts=1)
    assert [page.reason for page in found.pages] == [None, "ocr_died", "ocr_died", "ocr_died"]


def test_time_and_pages_are_bounded_and_what_was_not_read_says_so(tmp_path: Path) -> None:
    path = pdf(tmp_path / "scan.pdf", "A page with a text layer on it.", *[scanned(*lines(DOSES[:1]))] * 2)
    assert [p.reason for p in extract(path, ocr_seconds_per_page=0.001).pages] == [None, *["ocr_timed_out"] * 2]
    assert [p.reason for p in extract(path, ocr_seconds=0.001).pages] == [None, *["ocr_timed_out"] * 2]
    found = extract(path, ocr_pages=1)
    assert [(p.state.value, p.reason) for p in found.pages[1:]] == [("ocr", None), ("image_only", "ocr_page_limit")]
    assert any("1 of 3 pages have no text: 3." in warning for warning in found.warnings)


def test_the_engine_is_neither_imported_here_nor_started_for_nothing(tmp_path: Path) -> None:
    path = pdf(tmp_path / "text.pdf", "A page with a text layer on it.", None)
    program = (
        "import sys, subprocess; from pathlib import Path; from knowledge.pdf import PdfExtractor, ocr\n"
        "ocr.Child = None\n"
        "with PdfExtractor() as extractor: print(len(extractor.extract(Path(sys.argv[1])).pages))\n"
        "print([m for m in ('rapidocr', 'onnxruntime', 'cv2') if m in sys.modules])\n"
    )
    root = str(Path(knowledge.__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], env={"PYTHONPATH": root}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2", "[]"]
