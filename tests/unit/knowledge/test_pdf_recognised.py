"""Reading order and sizes of recognised lines, and which text is rubbish. Nothing here needs the engine."""

import pytest

from knowledge.pdf.composition import compose
from knowledge.pdf.garbage import is_garbage
from knowledge.pdf.recognised import Line, body_height, confidence_of, rows_of_lines

ENGLISH = (
    "Topical corticosteroids are the first line of treatment for atopic eczema in adults and in children. Apply them "
    "once or twice a day to all inflamed skin, and go on for two days after the skin looks normal again."
)


def line(text: str, left: float, top: float, height: float = 12, confidence: float = 1.0) -> Line:
    return Line(text, confidence, left, top, left + len(text) * height / 2, top + height)


def texts(lines: list[Line]) -> list[str]:
    return [row.text for row in rows_of_lines(lines, body_height([lines]))]


def prose(name: str, rows: int) -> list[str]:
    return [f"{name} column, row {number}, and more" for number in range(rows)]


def test_columns_are_read_one_after_the_other_between_what_spans_them() -> None:
    left, right = prose("left", 5), prose("right", 4)
    lines = [
        *(line(text, 50, 100 + 15 * row) for row, text in enumerate(left)),
        *(line(text, 300, 101 + 15 * row) for row, text in enumerate(right)),
        line("a title that reaches across both of the columns below it", 60, 50),
        line("a foot that reaches across both of the columns above it", 60, 300),
    ]
    expected = [lines[-2].text, *left, *right, lines[-1].text]
    assert texts(lines) == expected
    assert texts(lines[::-1]) == expected


def test_three_columns() -> None:
    columns = [prose(name, 4) for name in ("first", "second", "third")]
    lines = [line(text, 50 + 220 * x, 100 + 15 * y) for x, rows in enumerate(columns) for y, text in enumerate(rows)]
    assert texts(lines[::-1]) == [text for rows in columns for text in rows]


def test_cells_are_rows_also_when_they_are_not_quite_level() -> None:
    cells = [("Urea", "10 %", "daily"), ("Clobetasol", "0.05 %", "twice"), ("Zinc", "20 %", "often")]
    lines = [line(cell, 50 + 120 * x, 100 + 20 * y + x) for y, row in enumerate(cells) for x, cell in enumerate(row)]
    assert texts(lines[::-1]) == ["\t".join(row) for row in cells]


def test_words_of_one_row_that_touch_are_not_glued_together() -> None:
    assert texts([line("Apply", 50, 100), Line("0.05 %", 1.0, 79, 100, 115, 112)]) == ["Apply 0.05 %"]


def test_lines_of_one_face_are_one_paragraph_although_their_boxes_differ() -> None:
    printed = [
        ("The cream is applied twice", 12.0),
        ("as soon as on a sea sun or", 10.2),
        ("until all skin has healed.", 13.8),
    ]
    lines = [Line(text, 1.0, 50, 100 + 16 * y, 210, 100 + 16 * y + height) for y, (text, height) in enumerate(printed)]
    rows = rows_of_lines(lines, body_height([lines]))
    assert len({row.size for row in rows}) == 1
    composed = compose([rows])
    assert composed.text == " ".join(text for text, _ in printed)
    assert composed.headings == ()


def test_a_line_in_larger_print_is_a_heading() -> None:
    lines = [
        line("Care of the skin", 50, 60, 20),
        *(line(text, 50, 100 + 16 * y) for y, text in enumerate(prose("a", 4))),
    ]
    composed = compose([rows_of_lines(lines, body_height([lines]))])
    assert [composed.text[h.start : h.end] for h in composed.headings] == ["Care of the skin"]


def test_confidence_is_the_mean_over_characters() -> None:
    assert confidence_of([line("abcd", 0, 0, confidence=0.9), line("ab", 0, 20, confidence=0.6)]) == pytest.approx(
        (4 * 0.9 + 2 * 0.6) / 6
    )
    assert confidence_of([]) is None
    assert body_height([]) == 0.0
    assert rows_of_lines([], 0.0) == []


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        "Bei schwerer Ausprägung wird die Behandlung mit Ciclosporin oder Dupilumab empfohlen; die Dosis beträgt 300 mg "
        "alle zwei Wochen, nach einer Anfangsdosis von 600 mg.",
        "Příznaky zahrnují svědění, zarudnutí a suchou kůži; léčba spočívá v pravidelném promazávání a v krátkodobém "
        "podávání lokálních kortikosteroidů podle závažnosti.",
        "Местное лечение включает кортикостероиды и ингибиторы кальциневрина; увлажняющие средства применяют каждый день.",
        "يشمل العلاج الموضعي الكورتيكوستيرويدات ومثبطات الكالسينورين وتستخدم المرطبات كل يوم على الجلد",
        "特应性皮炎的治疗包括外用糖皮质激素和钙调磷酸酶抑制剂,每天使用保湿剂,并避免刺激因素和过敏原,必要时使用系统治疗以控制症状。",
        "0.05 % 12.5 1.0 (0.8-1.2) 45 67 89 2.3 4.5 6.7 8.9 12 13 14 15 16 17 18 19 20 0.001 0.05",
        "\uf0b7 " + ENGLISH + " \uf0fc \uf0fc",
        "CDKN2A BRAF NRAS KIT TERT TP53 PTEN NF1 RAC1 MAP2K1 PPP6C ARID2 CDK4 MITF MC1R BAP1 POT1 GNAQ GNA11 SF3B1 EIF1AX",
        " ".join(f"c{number}" for number in range(400)),
        "42",
        "\uf0b7 Emollients",
        ". . . . -",
        "",
    ],
    ids=[
        "en",
        "de",
        "cs",
        "ru",
        "ar",
        "zh",
        "numbers",
        "bullets",
        "genes",
        "codes",
        "short",
        "bullet",
        "marks",
        "none",
    ],
)
def test_real_text_is_no_garbage(text: str) -> None:
    assert not is_garbage([text])


@pytest.mark.parametrize(
    "text",
    [
        "".join(chr(0xE000 + ord(c)) for c in ENGLISH),
        "\N{REPLACEMENT CHARACTER}" * 60,
        "\N{REPLACEMENT CHARACTER}",
        "\N{REPLACEMENT CHARACTER}" * 12 + " 7",
        "\uf0b7\uf0a7\uf0b7 7",
        "/g3/g14/g15",
        "".join(chr(ord(c) - 29) for c in ENGLISH if c != " "),
        "".join("!\"#$%&'()*+,-./:;<=>?"[ord(c) % 21] for c in ENGLISH if c != " "),
        "".join(f"/g{ord(c)}" for c in ENGLISH),
        "".join(f"(cid:{ord(c)})" for c in ENGLISH),
    ],
    ids=[
        "private use",
        "replacement",
        "one",
        "few",
        "bullets alone",
        "few glyph names",
        "moved by 29",
        "marks",
        "glyph names",
        "cid",
    ],
)
def test_what_a_broken_font_makes_of_text_is_garbage(text: str) -> None:
    assert is_garbage(text[at : at + 30] for at in range(0, len(text), 30))
