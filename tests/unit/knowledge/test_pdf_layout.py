"""Rows, paragraphs, lists, tables and headings from positioned text; no PDF is involved."""

import pytest

from knowledge.pdf.composition import compose
from knowledge.pdf.layout import Fragment, Row, rows_of
from knowledge.pdf.repairs import join_lines, repair


def fragment(text: str, x: float = 50, y: float = 700, size: float = 10, **more: object) -> Fragment:
    """A fragment as wide as half an em per character."""
    return Fragment(text, x, y, size, len(text) * size / 2, **more)  # type: ignore[arg-type]


def page(*lines: str | tuple[str, float] | tuple[str, float, bool], top: float = 700, x: float = 50) -> list[Row]:
    """Rows one below the other at 12 points; a line may carry its size and weight, an empty line is a gap."""
    rows: list[Row] = []
    y = top
    for line in lines:
        text, size, bold = (line, 10.0, False) if isinstance(line, str) else (*line, False)[:3]
        if text:
            rows.append(Row(text, x, x + len(text) * size / 2, y, size, bold))
        y -= 1.2 * size
    return rows


LONG = "The quick treatment of common skin problems in primary care is described here at length"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("e\ufb03cacy of \ufb02uconazole, \ufb01ve", "efficacy of fluconazole, five"),
        ("\ufb00 \ufb04 \ufb05 \ufb06", "ff ffl st st"),
        ("hydro\u00adcortisone", "hydrocortisone"),
        ("2\u00ad5 mg and T4\u00adcell", "2-5 mg and T4-cell"),
        ("a\x00b\x01c\u200bd", "abcd"),
        ("10² ½ µg ≥ 0.05 % 1:1000 ≤5 ±2 ℃ №", "10² ½ µg ≥ 0.05 % 1:1000 ≤5 ±2 ℃ №"),
        ("0.05\u00a0% of\u20095\u202fmg", "0.05 % of 5 mg"),
        ("bad \ud800 surrogate", "bad \ufffd surrogate"),
        ("pair \ud83d\ude00", "pair \U0001f600"),
    ],
)
def test_repairs_change_only_what_no_reader_sees(before: str, after: str) -> None:
    assert repair(before) == after


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        ("seborr-", "hoeic eczema", "seborrhoeic eczema"),
        ("every 2-", "5 days", "every 2-5 days"),
        ("every 2\u2013", "5 days", "every 2\u20135 days"),
        ("IL-", "17A", "IL-17A"),
        ("COVID-", "Associated", "COVID-Associated"),
        ("a dash -", "and more", "a dash - and more"),
        ("hydro\u00ad", "cortisone", "hydrocortisone"),
        ("2\u00ad", "5 mg", "2-5 mg"),
        ("one line", "and the next", "one line and the next"),
        ("mg/", "kg", "mg/kg"),
    ],
)
def test_lines_join_without_losing_a_range(left: str, right: str, joined: str) -> None:
    assert join_lines(left, right) == joined


def test_compounds_that_the_document_knows_keep_their_hyphen() -> None:
    words = frozenset({"patient", "friendly", "diagnosis", "follow-up"})
    assert join_lines("patient-", "friendly", words) == "patient-friendly"
    assert join_lines("follow-", "up", words) == "follow-up"
    assert join_lines("diag-", "nosis", words) == "diagnosis"


def test_a_wide_gap_makes_cells_and_a_small_one_a_word() -> None:
    line = [fragment("Drug"), fragment("Strength", x=150), fragment("How often", x=260)]
    assert rows_of(line)[0].text == "Drug\tStrength\tHow often"
    assert rows_of([fragment("apply"), fragment("thinly", x=50 + 25 + 3)])[0].text == "apply thinly"
    assert rows_of([fragment("app"), fragment("ly", x=50 + 15.2)])[0].text == "apply"


def test_dot_leaders_are_a_gap() -> None:
    assert rows_of([fragment("1.4 Eczema . . . . . . . . 11")])[0].text == "1.4 Eczema\t11"


def test_raised_digits_do_not_become_ordinary_ones() -> None:
    power = [fragment("10"), fragment("2", x=60, y=704, size=6), fragment(" cells", x=63)]
    assert rows_of(power)[0].text == "10² cells"
    marks = [fragment("melanoma"), fragment("12,13", x=90, y=704, size=6), fragment(" of 5 mm", x=105)]
    assert rows_of(marks)[0].text == "melanoma¹²,¹³ of 5 mm"
    lowered = [fragment("H"), fragment("2", x=55, y=697, size=6), fragment("O", x=58)]
    assert rows_of(lowered)[0].text == "H2O"


def test_text_printed_twice_for_bold_is_read_once() -> None:
    assert [r.text for r in rows_of([fragment("5 mg"), fragment("5 mg", x=50.3)])] == ["5 mg"]
    assert [r.text for r in rows_of([fragment("5 "), fragment("5", x=60)])] == ["5 5"]


def test_a_second_column_at_the_same_height_starts_its_own_row() -> None:
    rows = rows_of([fragment("right", x=300), fragment("left", x=50)])
    assert [row.text for row in rows] == ["right", "left"]


def test_rotated_text_stays_apart() -> None:
    rows = rows_of([fragment("page text"), fragment("stamp", x=100, angle=90)])
    assert [row.angle for row in rows] == [0, 90]


def test_paragraphs_are_joined_by_spaces_and_parted_by_blank_lines() -> None:
    composed = compose([page(LONG, "apply hydro-", "cortisone 1 % cream.", "", "", LONG + ".")])
    assert composed.text == f"{LONG} apply hydrocortisone 1 % cream.\n\n{LONG}."


def test_a_sentence_goes_on_in_the_next_column_but_columns_do_not_mix() -> None:
    left, right = page(LONG, LONG, "and the text of the", x=50), page("second column goes on.", LONG + ".", x=320)
    text = compose([[*left, *right]]).text
    assert "and the text of the second column goes on." in text


def test_list_items_keep_their_lines_and_hanging_lines_join() -> None:
    rows = page("Use:", "• emollients", "• steroids that are", "potent", "1. first", "2. second")
    rows[3] = Row("potent", 62, 92, rows[3].y, 10)
    assert compose([rows]).text == "Use:\n• emollients\n• steroids that are potent\n1. first\n2. second"


def test_table_rows_keep_their_lines() -> None:
    text = compose([page(LONG + ".", "", "Drug\tStrength", "Clobetasol\t0.05 %", "", "", LONG)]).text
    assert "\n\nDrug\tStrength\nClobetasol\t0.05 %\n\n" in text


def test_a_justified_line_is_no_table_row() -> None:
    rows = [Row(LONG, 50, 400, 700, 10), Row("mauris.\tNam arcu", 50, 400, 688, 10), Row("end.", 50, 80, 676, 10)]
    assert "\t" not in compose([rows]).text


def test_the_gap_after_a_list_mark_makes_no_cells() -> None:
    rows = page("6.\tTreatment of seborr-", "hoeic eczema with 2 %", "7.\tShampoo")
    rows[1] = Row("hoeic eczema with 2 %", 65, 170, rows[1].y, 10)
    assert compose([rows]).text == "6. Treatment of seborrhoeic eczema with 2 %\n7. Shampoo"


def test_lines_broken_on_purpose_stay_lines() -> None:
    text = compose([page(LONG, LONG, "Index entry, 12", "Another entry, 14", "Third entry, 15")]).text
    assert "Index entry, 12\nAnother entry, 14\nThird entry, 15" in text


def test_headings_are_found_with_their_levels() -> None:
    composed = compose(
        [
            page(("Care of eczema", 20.0), ("Treatment", 14.0), LONG, ("Emollients", 10.0, True), LONG, LONG),
            page(("Follow-up", 14.0), LONG, LONG),
        ]
    )
    found = [(composed.text[h.start : h.end], h.level) for h in composed.headings]
    assert found == [("Care of eczema", 1), ("Treatment", 2), ("Emollients", 3), ("Follow-up", 2)]
    assert composed.title == "Care of eczema"


def test_numbers_give_the_depth_where_the_print_does_not() -> None:
    bold = [("1 Background", 10.0, True), ("1.1 Aims", 10.0, True), ("1.1.1 Scope", 10.0, True)]
    rows = page(*[line for title in bold for line in (title, LONG, LONG, "")])
    assert [h.level for h in compose([rows]).headings] == [1, 2, 3]


@pytest.mark.parametrize(
    "line",
    [
        ("Table 1. Doses of the drugs", 10.0, True),
        ("Apply it twice a day and stop when the skin is clear.", 10.0, True),
        ("Drug\tStrength", 10.0, True),
        ("12", 18.0, False),
        ("• Bold item", 10.0, True),
        ("1. Wash the skin", 10.0, False),
    ],
)
def test_captions_sentences_and_table_heads_are_no_headings(line: tuple[str, float, bool]) -> None:
    assert compose([page(LONG, LONG + ".", "", line, "", LONG, LONG)]).headings == ()


def test_running_headers_are_no_headings() -> None:
    pages = [page(("Guideline 2024", 14.0), "", LONG, LONG) for _ in range(4)]
    assert compose(pages).headings == ()


def test_pages_without_rows_have_empty_spans() -> None:
    composed = compose([[], page("One."), [], page("Two.")])
    assert composed.text == "\n\nOne.\n\n\n\nTwo."
    assert [composed.text[s:e] for s, e in composed.spans] == ["", "One.", "", "Two."]
    assert compose([]).text == ""
