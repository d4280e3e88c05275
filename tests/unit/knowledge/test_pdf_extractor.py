"""Good, bad and hostile PDFs, all made here; the child process is the real one."""

import io
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, NumberObject
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, Table

import knowledge
from knowledge.errors import DocumentRefused
from knowledge.pdf import PdfExtractor, PdfLimits
from knowledge.types import PageState

SLOW = b"BT /F1 10 Tf 50 700 Td " + b"(slow) Tj 1 0 Td " * 150_000 + b"ET"
"""Content that takes the parser many seconds and stays within its own limits."""


def shown(text: str) -> bytes:
    return f"BT /F1 10 Tf 50 700 Td ({text}) Tj ET".encode()


def raw_pdf(*contents: bytes, password: str | None = None) -> bytes:
    """A PDF with one page per content stream; /F1 is Helvetica."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): font})
    for content in contents:
        page = writer.add_blank_page(595, 842)
        stream = DecodedStreamObject()
        stream.set_data(content)
        page[NameObject("/Contents")] = writer._add_object(stream)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    if password is not None:
        writer.encrypt(password, owner_password="owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def canvas_pdf(*pages: Callable[[Canvas], None]) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def picture_only(canvas: Canvas) -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    canvas.drawImage(ImageReader(Image.new("RGB", (40, 40), "red")), 100, 400, 200, 200)


@pytest.fixture(scope="module")
def extractor() -> Iterator[PdfExtractor]:
    with PdfExtractor() as shared:
        yield shared


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        path = tmp_path / "secret-patient-name.pdf"
        path.write_bytes(data)
        return path

    return write


def refusal(extractor: PdfExtractor, path: Path) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        extractor.extract(path)
    assert "secret" not in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    return caught.value


def outcome(extractor: PdfExtractor, path: Path) -> str:
    """`read`, or the reason of the refusal; any other exception is a failure of the test."""
    try:
        extractor.extract(path)
    except DocumentRefused as refused:
        return refused.reason
    return "read"


def children() -> set[int]:
    """Process ids of this process's children."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


def gone(pid: int, seconds: float = 10) -> bool:
    """Whether a process has ended (or waits to be reaped) within the time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


# What is read


def test_text_pages_and_spans(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    found = extractor.extract(file(raw_pdf(shown("Apply 0.05 % cream"), b"", shown("for 2-5 days"))))
    assert found.text == "Apply 0.05 % cream\n\n\n\nfor 2-5 days"
    assert [(p.number, found.text[p.start : p.end], p.state) for p in found.pages] == [
        (1, "Apply 0.05 % cream", PageState.TEXT),
        (2, "", PageState.EMPTY),
        (3, "for 2-5 days", PageState.TEXT),
    ]
    assert found.warnings == ()


def test_two_columns_and_a_table_read_in_order(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    styles = getSampleStyleSheet()
    titles = [("Care of atopic eczema", "Title"), ("Treatment", "Heading2")]
    story: list[object] = [Paragraph(text, styles[style]) for text, style in titles]
    sentences = [f"Sentence number {i} speaks of emollients and of steroids at length." for i in range(60)]
    story.append(Paragraph(" ".join(sentences), styles["BodyText"]))
    rows = [["Drug", "Strength", "How often"], ["Clobetasol", "0.05 %", "twice a day"], ["Urea", "10 %", "daily"]]
    story.append(Table(rows, style=[("GRID", (0, 0), (-1, -1), 1, colors.black)]))
    out = io.BytesIO()
    template = BaseDocTemplate(out, pagesize=A4)
    frames = [Frame(40, 40, 250, 700), Frame(310, 40, 250, 700)]
    template.addPageTemplates([PageTemplate("two", frames)])
    template.build(story)
    found = extractor.extract(file(out.getvalue()))
    assert " ".join(sentences) in found.text
    assert "Drug\tStrength\tHow often\nClobetasol\t0.05 %\ttwice a day\nUrea\t10 %\tdaily" in found.text
    assert [found.text[h.start : h.end] for h in found.headings] == ["Care of atopic eczema", "Treatment"]
    assert found.title == "Care of atopic eczema"


def test_cells_within_one_operator_and_raised_digits(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    content = b"""BT /F1 10 Tf 50 700 Td [(Urea) -4000 (10) -300 (%) -4000 (daily)] TJ
        0 -14 Td (10) Tj 6 0 0 6 61.12 690 Tm /F1 1 Tf (2) Tj ET"""
    assert extractor.extract(file(raw_pdf(content))).text == "Urea\t10 %\tdaily\n10²"


def test_spaces_made_of_character_spacing(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    content = b"""BT /F1 10 Tf 50 700 Td 3.6 Tc [(a) 360 (n) 360 (d) (o) 360 (n)] TJ
        0 -14 Td 2 Tc [(T) 0 (O) 0 (P)] TJ ET"""
    assert extractor.extract(file(raw_pdf(content))).text == "and on TOP"


def test_an_empty_user_password_opens(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    assert extractor.extract(file(raw_pdf(shown("open text"), password=""))).text == "open text"


def test_a_page_is_rendered_within_its_pixels(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    path = file(raw_pdf(shown("one"), shown("two")))
    for bound in (1_000, 200_000, 2_000_000):
        png = extractor.render(path, 2, max_pixels=bound)
        assert png.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", png[16:24])
        assert 0.9 * bound <= width * height <= bound
    with pytest.raises(DocumentRefused, match="the PDF has 2 pages") as caught:
        extractor.render(path, 3)
    assert caught.value.reason == "no_such_page"
    with pytest.raises(ValueError, match="max_pixels"):
        extractor.render(path, 1, max_pixels=0)


# What is refused


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "not_a_pdf"),
        (b"%PDF-1.7\nnothing follows", "broken_pdf"),
        (raw_pdf(shown("text"))[:300], "broken_pdf"),
        (raw_pdf(shown("text"), password="pw"), "encrypted"),
        (raw_pdf(b"", b""), "no_text"),
    ],
    ids=["empty", "html", "header only", "truncated", "password", "blank"],
)
def test_refusals(extractor: PdfExtractor, file: Callable[[bytes], Path], data: bytes, reason: str) -> None:
    assert refusal(extractor, file(data)).reason == reason


def test_unreadable_paths(extractor: PdfExtractor, tmp_path: Path) -> None:
    assert refusal(extractor, tmp_path / "secret.pdf").reason == "unreadable"
    assert refusal(extractor, tmp_path).reason == "unreadable"


def test_scans_are_named_as_such(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    found = refusal(extractor, file(canvas_pdf(picture_only, picture_only)))
    assert (found.reason, found.page) == ("image_only", 1)
    assert "2 of 2 pages" in str(found)
    assert "OCR" in str(found)
    with_text = canvas_pdf(picture_only, lambda c: c.drawString(50, 700, "A page with a text on it"))
    mixed = extractor.extract(file(with_text))
    assert [p.state for p in mixed.pages] == [PageState.IMAGE_ONLY, PageState.TEXT]
    assert mixed.warnings == ("1 of 2 pages have no text: 1. Text recognition (OCR) found none.",)


def test_bounds_on_size_and_pages_and_text(file: Callable[[bytes], Path]) -> None:
    path = file(raw_pdf(shown("one"), shown("two")))
    for limits, reason in [
        (PdfLimits(bytes=100), "too_large"),
        (PdfLimits(pages=1), "too_many_pages"),
        (PdfLimits(characters=4), "too_large"),
    ]:
        with PdfExtractor(limits) as small:
            assert refusal(small, path).reason == reason
    with pytest.raises(ValueError, match="seconds"):
        PdfLimits(seconds=0)


def test_a_cyclic_page_tree_is_refused(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(raw_pdf(shown("text")))))
    pages = writer.root_object["/Pages"].get_object()
    assert isinstance(pages, DictionaryObject)
    pages[NameObject("/Kids")] = ArrayObject([writer.root_object.raw_get("/Pages")])
    pages[NameObject("/Count")] = NumberObject(1)
    out = io.BytesIO()
    writer.write(out)
    assert refusal(extractor, file(out.getvalue())).reason == "broken_pdf"


def test_flipped_bytes_never_escape_as_anything_else(file: Callable[[bytes], Path]) -> None:
    good = canvas_pdf(*[lambda c: c.drawString(50, 700, "Apply 5 mg twice a day")] * 5)
    outcomes = set()
    with PdfExtractor(PdfLimits(ocr_pages=0)) as extractor:  # pages that lost their text need no picture taken
        for seed in range(40):
            data = bytearray(good)
            for step in range(1, 4 + seed):
                data[(seed * 7919 + step * 104729) % len(data)] ^= 1 << (seed + step) % 8
            outcomes.add(outcome(extractor, file(bytes(data))))
    assert outcomes <= {"read", "broken_pdf", "not_a_pdf", "no_text", "encrypted", "image_only"}
    assert "read" in outcomes


def test_lost_pages_are_reported(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    # pypdf leaves out a page whose object is missing; PDFium still counts it.
    data = raw_pdf(shown("one"), shown("two"), shown("three"))
    kids = data[data.index(b"/Kids [") :].split(b"]")[0]
    second = kids.split(b"[")[1].split(b"R")[1].strip() + b" R"
    found = extractor.extract(file(data.replace(kids, kids.replace(second, b"99 0 R"))))
    assert found.text == "one\n\nthree"
    assert any("2 were read, another reader finds 3" in warning for warning in found.warnings)


def test_streams_that_swell_cost_their_page_only(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(raw_pdf(shown("good page"), b"placeholder"))))
    bomb = DecodedStreamObject()
    bomb.set_data(zlib.compress(b" " * 200_000_000, 9))
    bomb[NameObject("/Filter")] = NameObject("/FlateDecode")
    writer.pages[1][NameObject("/Contents")] = writer._add_object(bomb)
    out = io.BytesIO()
    writer.write(out)
    found = extractor.extract(file(out.getvalue()))
    assert [p.state for p in found.pages] == [PageState.TEXT, PageState.FAILED]
    assert found.pages[1].reason == "limit_reached"
    assert "1 of 2 pages could not be read" in found.warnings[0]


def test_a_huge_declared_length_ends_well(extractor: PdfExtractor, file: Callable[[bytes], Path]) -> None:
    data = raw_pdf(shown("text")).replace(b"/Length ", b"/Length 99999999", 1)
    assert outcome(extractor, file(data)) in {"read", "broken_pdf", "no_text"}


# What goes wrong around the child


def test_a_slow_page_is_lost_and_the_others_survive(file: Callable[[bytes], Path]) -> None:
    path = file(raw_pdf(shown("first"), SLOW, shown("third")))
    with PdfExtractor(PdfLimits(seconds_per_page=1.5)) as impatient:
        found = impatient.extract(path)
        assert [(p.state, p.reason) for p in found.pages] == [
            (PageState.TEXT, None),
            (PageState.FAILED, "timed_out"),
            (PageState.TEXT, None),
        ]
        assert found.text == "first\n\n\n\nthird"


def test_the_time_of_a_document_is_kept_exactly(file: Callable[[bytes], Path]) -> None:
    path = file(raw_pdf(shown("first"), SLOW))
    with PdfExtractor(PdfLimits(seconds=2.5)) as impatient:
        began = time.monotonic()
        found = refusal(impatient, path)
        assert 2.4 < time.monotonic() - began < 10  # the page itself takes far longer
        assert (found.reason, found.page) == ("timed_out", 2)
        assert impatient.extract(file(raw_pdf(shown("next file")))).text == "next file"


def test_only_so_many_pages_may_cost_their_child(file: Callable[[bytes], Path]) -> None:
    path = file(raw_pdf(shown("first"), SLOW, SLOW, SLOW))
    with PdfExtractor(PdfLimits(seconds_per_page=0.6, restarts=1)) as impatient:
        assert refusal(impatient, path).reason == "timed_out"


def test_a_killed_child_costs_one_page(file: Callable[[bytes], Path]) -> None:
    before = children()
    path = file(raw_pdf(shown("first"), SLOW, shown("third")))
    with PdfExtractor() as extractor:
        extractor.extract(file(raw_pdf(shown("warm"))))
        path.write_bytes(raw_pdf(shown("first"), SLOW, shown("third")))
        (child,) = children() - before
        threading.Timer(1.5, os.kill, (child, signal.SIGKILL)).start()
        found = extractor.extract(path)
        assert found.pages[1].reason == "parser_died"
        assert found.text == "first\n\n\n\nthird"
    assert not children() - before


def test_a_child_that_died_between_files_is_replaced(file: Callable[[bytes], Path]) -> None:
    before = children()
    path = file(raw_pdf(shown("text")))
    with PdfExtractor() as extractor:
        assert extractor.extract(path).text == "text"
        (child,) = children() - before
        os.kill(child, signal.SIGKILL)
        assert gone(child)
        assert extractor.extract(path).text == "text"


def test_memory_is_bounded(file: Callable[[bytes], Path]) -> None:
    path = file(raw_pdf(shown("text")))
    with PdfExtractor(PdfLimits(memory_bytes=60_000_000)) as starved:
        assert refusal(starved, path).reason == "parser_died"


def test_the_child_is_replaced_after_its_files(file: Callable[[bytes], Path]) -> None:
    path = file(raw_pdf(shown("text")))
    before = children()
    seen = set()
    with PdfExtractor(PdfLimits(files_per_worker=2)) as extractor:
        for _ in range(4):
            extractor.extract(path)
            seen |= children() - before
    assert len(seen) == 2


def test_threads_take_turns(extractor: PdfExtractor, tmp_path: Path) -> None:
    found: dict[int, str] = {}

    def work(number: int) -> None:
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(raw_pdf(shown(f"text {number}")))
        found[number] = extractor.extract(path).text

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: f"text {n}" for n in range(8)}


def test_after_close_it_says_so(file: Callable[[bytes], Path]) -> None:
    extractor = PdfExtractor()
    extractor.close()
    extractor.close()
    with pytest.raises(ValueError, match="closed"):
        extractor.extract(file(raw_pdf(shown("text"))))


def test_the_child_does_not_outlive_its_parent(file: Callable[[bytes], Path], tmp_path: Path) -> None:
    path = file(raw_pdf(shown("first"), SLOW))
    program = (
        "import sys, threading; from pathlib import Path; from knowledge.pdf import PdfExtractor\n"
        "extractor = PdfExtractor()\n"
        "threading.Thread(target=extractor.extract, args=(Path(sys.argv[1]),), daemon=True).start()\n"
        "kids = lambda: ''.join(f.read_text() for f in Path('/proc/self/task').glob('*/children')).split()\n"
        "while not kids(): pass\n"
        "print(kids()[0], flush=True); input()\n"
    )
    root = str(Path(knowledge.__file__).resolve().parents[1])
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": root},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(1.5)
        parent.kill()
    assert gone(child)


def test_the_parent_never_imports_a_parser() -> None:
    program = "import sys, knowledge.pdf; print([m for m in ('pypdf', 'pypdfium2') if m in sys.modules])"
    root = str(Path(knowledge.__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": root}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
