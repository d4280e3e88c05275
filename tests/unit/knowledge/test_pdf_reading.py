"""Guidelines as they are typeset, drawn here and read by the real child: order, furniture, tables, roles, places."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import RectangleObject
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, Spacer

from knowledge.chunking import cut_passages
from knowledge.pdf import PdfExtractor
from knowledge.types import ExtractedText, Line, Role
from tests.typesetting import BODY, BOLD, HEIGHT, REGULAR, Draw, built, lines, pdf, table, write

LEFT = (
    "Atopic eczema is treated with an emollient",
    "twice daily and a steroid once daily. The dose",
    "is 0.5 to 1 mg/kg and never above 60 mg, for",
    "2-5 days. Use 0.05 % cream on the face and a",
    "dilution of 1:1000 for soaks of at most 15 min-",
    "utes. Stop when fewer than 10 % of the skin is",
    "affected, and review the person after 4 weeks.",
)
RIGHT = (
    "Refer when the body surface is affected by more",
    "than 30 %, or when the person is less than 2 years",
    "old. The tablets are given for 12 weeks at most,",
    "since the risk rises with the dose: 300 mg a day",
    "is the limit, and 1.5 mg/kg is usual. Take blood",
    "in week 2, week 6 and week 10 of the treatment,",
    "and stop at once where the count is below 1.5.",
)
PROSE = "Offer an emollient to everyone with eczema, and tell them how much to use each week. "


@pytest.fixture(scope="module")
def extractor() -> Iterator[PdfExtractor]:
    with PdfExtractor() as shared:
        yield shared


@pytest.fixture
def read(extractor: PdfExtractor, tmp_path: Path) -> Callable[[bytes], ExtractedText]:
    def reading(data: bytes) -> ExtractedText:
        path = tmp_path / "drawn.pdf"
        path.write_bytes(data)
        return extractor.extract(path)

    return reading


Read = Callable[[bytes], ExtractedText]


def parts(found: ExtractedText, role: Role) -> list[str]:
    return [found.text[s.start : s.end] for s in found.stretches if s.role is role]


def words(text: str) -> int:
    return len(text.split())


# Order


def test_columns_written_across_are_read_one_after_the_other(read: Read) -> None:
    def across(canvas: Canvas) -> None:
        write(canvas, 50, 780, "Care of eczema in primary care and when to refer it to a specialist", 14, BOLD)
        for number, pair in enumerate(zip(LEFT, RIGHT, strict=True)):
            for x, text in zip((50, 310), pair, strict=True):
                write(canvas, x, 740 - 13 * number, text)

    text = read(pdf(across)).text
    assert " ".join(LEFT).replace("min- utes", "minutes") + " " + " ".join(RIGHT) in text.replace("\n\n", " ")


def test_columns_of_different_height_written_across(read: Read) -> None:
    def across(canvas: Canvas) -> None:
        for number, pair in enumerate(zip(LEFT, RIGHT, strict=True)):
            write(canvas, 50, 740 - 13 * number, pair[0])
            write(canvas, 310, 735 - 13 * number, pair[1])

    text = read(pdf(across)).text
    assert text.index(LEFT[-1]) < text.index(RIGHT[0])


def test_columns_written_one_after_the_other_stay_as_they_are(read: Read) -> None:
    def down(canvas: Canvas) -> None:
        lines(canvas, 50, 740, LEFT)
        lines(canvas, 310, 740, RIGHT)

    assert "at most 15 minutes. Stop when fewer" in read(pdf(down)).text
    assert read(pdf(down)).stretches == ()


# Furniture


def guideline_page(number: int, content: str) -> Draw:
    def draw(canvas: Canvas) -> None:
        write(canvas, 50, 815, "National Guideline on Eczema, edition 2024", 8)
        write(canvas, 290, 25, f"Page {number} of 5", 8)
        lines(canvas, 50, 760, [content, *LEFT])

    return draw


def test_running_headers_and_page_numbers_are_gone_and_doses_stay(read: Read) -> None:
    doses = ["Start with 5 mg daily.", "Go on with 10 mg daily.", "Then give 20 mg daily.", "At most 40 mg daily."]
    found = read(pdf(*[guideline_page(n, dose) for n, dose in enumerate(doses, start=1)]))
    assert "Guideline on Eczema" not in found.text
    assert "Page" not in found.text
    for page, dose in zip(found.pages, doses, strict=True):
        assert found.text[page.start : page.end].startswith(dose)
    assert all("Page" not in found.text[line.start : line.end] for line in found.lines)


def test_a_dose_is_no_running_header_however_often_it_stands_there(read: Read) -> None:
    def page(number: int) -> Draw:
        text = f"Usual dose: 5 mg a day. Drug number {'ABCDE'[number]} follows."
        return lambda canvas: lines(canvas, 50, 800, ["Usual dose: 5 mg a day.", "", text, *LEFT])

    assert read(pdf(*map(page, range(5)))).text.count("Usual dose: 5 mg a day.") == 10


def test_page_numbers_beside_changing_section_titles_are_gone(read: Read) -> None:
    def page(number: int) -> Draw:
        def draw(canvas: Canvas) -> None:
            write(canvas, 50, 815, str(number + 6), 8)
            write(canvas, 300, 815, ["Doses of steroids", "Soaks and baths", "When to refer"][number % 3], 8)
            lines(canvas, 50, 760, LEFT)

        return draw

    assert all(t not in read(pdf(*map(page, range(5)))).text for t in ("Soaks and baths", "When to refer"))


def test_what_could_be_content_stays_in_short_documents(read: Read) -> None:
    def noted(canvas: Canvas) -> None:
        lines(canvas, 50, 760, LEFT)
        write(canvas, 300, 25, "1")

    assert read(pdf(noted)).text.endswith("1")

    def leaflet(dose: str) -> Draw:
        return lambda canvas: lines(canvas, 50, 800, [dose, "", *LEFT])

    two = read(pdf(leaflet("Take 5 mg in the morning"), leaflet("Take 40 mg in the evening")))
    assert "Take 5 mg in the morning" in two.text
    assert "Take 40 mg in the evening" in two.text


def test_a_head_of_a_table_on_every_page_is_no_running_header(read: Read) -> None:
    rows = [["Drug", "Strength"], *[[f"Cream {n}", f"{n}.5 %"] for n in range(120)]]
    story = table(rows, [200, 100])
    story.repeatRows = 1
    found = read(built([story]))
    assert len(found.pages) > 2
    for page in found.pages:
        assert found.text[page.start : page.end].startswith("Drug\tStrength\nCream")
    assert {s.header for s in found.stretches} == {"Drug\tStrength"}


# Tables


ROWS = [
    ["Medicine", "Strength and dose", "Remarks for the prescriber"],
    *[
        [
            f"Medicine number {n} in its ointment form",
            f"{n}.05 % twice daily, at most {n}0 g a week in all",
            f"not longer than {n} weeks on the face, in the folds or under a dressing",
        ]
        for n in range(1, 27)
    ],
]


@pytest.mark.parametrize("ruled", [True, False])
def test_wrapped_rows_read_as_rows_and_the_header_goes_with_them(read: Read, ruled: bool) -> None:
    found = read(built([Paragraph(PROSE * 3, BODY), table(ROWS, [110, 120, 150], ruled=ruled), Paragraph(PROSE, BODY)]))
    tables = parts(found, Role.TABLE)
    assert len(tables) == len(found.pages) == 2
    assert "\n".join(tables).splitlines() == ["\t".join(row) for row in ROWS]
    cuts = cut_passages(found, words, max_tokens=120)
    rows = [cut for cut in cuts if cut.role is Role.TABLE]
    assert len(rows) > 4
    for cut in rows:
        assert cut.header == "\t".join(ROWS[0])
        assert cut.header not in cut.text
        assert words(f"{cut.header}\n{cut.text}") == cut.tokens <= 120
    assert "\n".join(cut.text for cut in rows).splitlines() == ["\t".join(row) for row in ROWS[1:]]
    assert all("Medicine number" not in cut.text for cut in cuts if cut.role is Role.BODY)


def test_lines_written_across_the_cells_are_put_together(read: Read) -> None:
    def across(canvas: Canvas) -> None:
        y = 740.0
        for row in (
            [("Drug", "Adults", "Children"), ("", "", "")],
            [("Clobetasol in a", "0.05 % once daily", "not under 12"), ("thick ointment", "", "years of age")],
            [("Urea", "10 % twice daily,", "5 % once daily"), ("", "after a bath", "")],
            [("Tacrolimus", "0.1 %", "0.03 % from 2"), ("", "", "years of age")],
        ):
            for line in row:
                for x, cell in zip((50, 180, 320), line, strict=True):
                    write(canvas, x, y, cell, font=BOLD if cell in ("Drug", "Adults", "Children") else "Vera")
                y -= 12
            y -= 8

    assert parts(read(pdf(across)), Role.TABLE) == [
        "Drug\tAdults\tChildren\n"
        "Clobetasol in a thick ointment\t0.05 % once daily\tnot under 12 years of age\n"
        "Urea\t10 % twice daily, after a bath\t5 % once daily\n"
        "Tacrolimus\t0.1 %\t0.03 % from 2 years of age"
    ]


def test_values_stay_under_their_heading_where_a_cell_is_empty(read: Read) -> None:
    rows = [["Drug", "Adults", "Children"], ["Urea", "10 %", "5 %"], ["Tar", "", "1 %"], ["Salt", "3 g", ""]]
    assert parts(read(built([table(rows, [100, 100, 100])])), Role.TABLE) == [
        "Drug\tAdults\tChildren\nUrea\t10 %\t5 %\nTar\t\t1 %\nSalt\t3 g"
    ]


# Roles


def test_notes_captions_and_references_are_told_from_advice(read: Read) -> None:
    def first(canvas: Canvas) -> None:
        y = lines(canvas, 50, 760, LEFT)
        y = lines(canvas, 50, y - 10, ["Figure 1. Share of people who were clear after 8 weeks, by dose."], 8)
        lines(canvas, 50, y - 10, RIGHT)
        lines(canvas, 50, 90, ["¹ Off-label use in children under 2 years; 3 reports only."], 7)

    def last(canvas: Canvas) -> None:
        y = lines(canvas, 50, 760, ["Follow-up"], 14, BOLD)
        y = lines(canvas, 50, y, RIGHT)
        y = lines(canvas, 50, y - 10, ["References"], 14, BOLD)
        for n in range(1, 4):
            y = lines(canvas, 50, y, [f"{n}. Author A, Author B. Title of the work. Journal 2019;{n}2:100-{n}10."], 8)
        y = lines(canvas, 50, y - 10, ["Annex"], 14, BOLD)
        lines(canvas, 50, y, LEFT)

    found = read(pdf(first, last))
    assert parts(found, Role.CAPTION) == ["Figure 1. Share of people who were clear after 8 weeks, by dose."]
    assert parts(found, Role.FOOTNOTE) == ["¹ Off-label use in children under 2 years; 3 reports only."]
    (references,) = parts(found, Role.REFERENCES)
    assert references.startswith("1. Author A")
    assert references.endswith("Journal 2019;32:100-310.")
    for cut in cut_passages(found, words, max_tokens=60):
        inside = {s.role for s in found.stretches if s.start < cut.end and cut.start < s.end}
        assert inside == (set() if cut.role is Role.BODY else {cut.role})


@pytest.mark.parametrize("name", ["Literatur", "Literaturverzeichnis", "Références", "Referencias", "7. Bibliografia"])
def test_lists_of_references_are_known_in_other_languages(read: Read, name: str) -> None:
    def page(canvas: Canvas) -> None:
        y = lines(canvas, 50, 760, LEFT)
        y = lines(canvas, 50, y - 20, [name])
        lines(canvas, 50, y - 20, ["1. Autor A. Titel. Zeitschrift 2019;12:100-110."])

    assert parts(read(pdf(page)), Role.REFERENCES) == ["1. Autor A. Titel. Zeitschrift 2019;12:100-110."]


def test_a_sentence_about_a_table_is_no_caption(read: Read) -> None:
    found = read(pdf(lambda c: lines(c, 50, 760, ["Table 2 shows the doses of all drugs of this kind.", *LEFT])))
    assert found.stretches == ()


# Headings


def test_the_outline_gives_headings_that_print_does_not_show(read: Read) -> None:
    def page(canvas: Canvas) -> None:
        y = 780.0
        for level, title in enumerate(["Treatment", "Topical treatment", "Steroids on the face"]):
            canvas.bookmarkPage(title)
            canvas.addOutlineEntry(title, title, level)
            y = lines(canvas, 50, y - 20, [title, *LEFT])

    found = read(pdf(page))
    assert [(found.text[h.start : h.end], h.level) for h in found.headings] == [
        ("Treatment", 1),
        ("Topical treatment", 2),
        ("Steroids on the face", 3),
    ]
    last = cut_passages(found, words, max_tokens=100)[-1]
    assert last.section == ("Treatment", "Topical treatment", "Steroids on the face")


def test_an_outline_of_other_titles_is_not_believed(read: Read) -> None:
    def page(canvas: Canvas) -> None:
        for title in ("Slide 1", "Slide 2", "Eczema"):
            canvas.bookmarkPage(title)
            canvas.addOutlineEntry(title, title, 0)
        lines(canvas, 50, lines(canvas, 50, 780, ["Eczema"]) - 20, LEFT)

    assert read(pdf(page)).headings == ()


# Signs


def test_ranges_units_and_signs_survive_line_ends_and_notes(read: Read) -> None:
    texts = [
        "The dose for an adult is small at first: give 2-",
        "5 mg/kg at ≥ 37.5 °C or apply at most 50 µg/",
        "g, which is 0.05 % or 1:1000, ± 3 × 10",
        "cells per field of view in the stain; the treat-",
        "ment ends at < 1.5 G/l.",
    ]

    def page(canvas: Canvas) -> None:
        lines(canvas, 50, 760, [*LEFT, *texts])
        x = 50 + pdfmetrics.stringWidth(texts[2], REGULAR, 10)
        write(canvas, x, 760 - 13 * 9 + 4, "9", 6)

    text = read(pdf(page)).text
    assert "give 2-5 mg/kg at ≥ 37.5 °C or apply at most 50 µg/g, which is 0.05 % or 1:1000, ± 3 × 10⁹" in text
    assert "cells per field of view in the stain; the treatment ends at < 1.5 G/l." in text


# Places


def dark(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")) < 128


def assert_covers(line: Line, picture: np.ndarray) -> None:
    """All ink of the picture is in the line's rectangle, and the rectangle is not much larger than the ink."""
    height, width = picture.shape
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    ink = columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height
    assert line.left <= ink[0] + 0.003
    assert line.top <= ink[1] + 0.003
    assert line.right >= ink[2] - 0.003
    assert line.bottom >= ink[3] - 0.003
    assert max(ink[0] - line.left, line.right - ink[2]) < 0.01
    assert max(ink[1] - line.top, line.bottom - ink[3]) < 0.02


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("angle", [0, 90])
@pytest.mark.parametrize("crop", [None, (100, 50, 560, 800)])
def test_lines_are_where_the_rendered_page_shows_them(
    extractor: PdfExtractor, tmp_path: Path, turn: int, angle: int, crop: tuple[float, ...] | None
) -> None:
    def page(canvas: Canvas) -> None:
        canvas.translate(200, 300)
        canvas.rotate(angle)
        write(canvas, 0, 0, "Apply 0.05 % cream", 16)

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(page))))
    writer.pages[0].rotate(turn)
    if crop:
        writer.pages[0].cropbox = RectangleObject(crop)
    path = tmp_path / "turned.pdf"
    writer.write(path)
    found = extractor.extract(path)
    (line,) = found.lines
    assert found.text[line.start : line.end] == "Apply 0.05 % cream"
    assert line.page == 1
    assert_covers(line, dark(extractor.render(path, 1, max_pixels=500_000)))


def test_every_character_that_shows_is_on_a_line_of_its_page(read: Read) -> None:
    story = [Paragraph(PROSE * 20, BODY), table(ROWS[:9], [110, 120, 150]), Spacer(1, 20), Paragraph(PROSE * 20, BODY)]
    found = read(built([*story, *story]))
    at = 0
    for line in found.lines:
        assert found.text[at : line.start].strip() == ""
        page = found.pages[line.page - 1]
        assert page.start <= line.start < line.end <= page.end
        assert 0 <= line.left < line.right <= 1
        assert 0 <= line.top < line.bottom <= 1
        at = line.end
    assert found.text[at:].strip() == ""
    cell = next(line for line in found.lines if "Medicine number 3" in found.text[line.start : line.end])
    assert found.text[cell.start : cell.end] == "Medicine number 3 in"
    assert HEIGHT * (cell.bottom - cell.top) < 12
