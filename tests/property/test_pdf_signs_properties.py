"""From the drawn page to the passage: digits, units, ranges and signs arrive exactly, whatever stands around them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph

from knowledge.chunking import cut_passages
from knowledge.pdf import PdfExtractor
from tests.typesetting import BODY, Draw, built, pdf, table, write

number = st.one_of(
    st.integers(0, 5000).map(str),
    st.decimals(0, 100, places=2).map(str),
    st.tuples(st.integers(1, 9), st.integers(10, 99)).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    st.tuples(st.integers(1, 9), st.integers(10, 99)).map(lambda pair: f"{pair[0]}–{pair[1]}"),
    st.integers(1, 9).map(lambda n: f"1:{n}000"),
    st.integers(1, 9).map(lambda n: f"{n},5"),
    st.integers(1, 9).map(lambda n: f"{n}×10³"),
)
dose = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "≥ ", "≤ ", "< ", "> ", "± ", "~"]),
    number,
    st.sampled_from([" mg", " µg/g", " %", "%", " mg/kg", " °C", " cm²", " IU/ml", " mm", "/7 days", "½"]),
)
words = st.sampled_from(["apply", "cream", "daily", "children", "hydrocortisone", "at", "most", "for", "the", "face"])
phrases = st.lists(words, min_size=1, max_size=6).map(" ".join)


@pytest.fixture(scope="module")
def extractor() -> Iterator[PdfExtractor]:
    with PdfExtractor() as shared:
        yield shared


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawn") / "drawn.pdf"


def passages(extractor: PdfExtractor, path: Path, data: bytes) -> str:
    """All that can be found of a document: passages and the headers beside them, white space made equal."""
    path.write_bytes(data)
    found = extractor.extract(path)
    cuts = cut_passages(found, lambda text: len(text.split()), max_tokens=60)
    assert all(cut.text == found.text[cut.start : cut.end] for cut in cuts)
    headings = [found.text[h.start : h.end] for h in found.headings]
    return " ".join(" ".join([*headings, *(f"{cut.header or ''} {cut.text}" for cut in cuts)]).split())


@given(st.lists(st.tuples(phrases, dose), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_doses_in_paragraphs(extractor: PdfExtractor, path: Path, said: list[tuple[str, str]]) -> None:
    escaped = [(words, dose.replace("<", "&lt;").replace(">", "&gt;")) for words, dose in said]
    story = [Paragraph(". ".join(f"{words} {dose} again" for words, dose in escaped), BODY)]
    text = passages(extractor, path, built(story))
    at = 0
    for words_before, shown in said:
        at = text.index(f"{words_before} {shown} again", at) + 1


@given(st.lists(st.tuples(phrases, dose, dose), min_size=2, max_size=12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_doses_in_tables(extractor: PdfExtractor, path: Path, rows: list[tuple[str, str, str]], ruled: bool) -> None:
    escaped = [[cell.replace("<", "&lt;").replace(">", "&gt;") for cell in row] for row in rows]
    story = table([["Medicine", "Adults", "Children"], *escaped], [90, 120, 120], ruled=ruled)
    text = passages(extractor, path, built([story]))
    at = 0
    for row in rows:
        at = text.index(" ".join(" ".join(row).split()), at) + 1


@given(st.lists(st.lists(dose, min_size=1, max_size=12), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_lines_of_doses_anywhere_on_pages(extractor: PdfExtractor, path: Path, pages: list[list[str]]) -> None:
    def page(number: int) -> Draw:
        def draw(canvas: Canvas) -> None:
            for line, shown in enumerate(pages[number]):
                write(canvas, 60, 815 - 65 * line, f"Dose {chr(65 + number)}{chr(65 + line)}: {shown} ends.")

        return draw

    text = passages(extractor, path, pdf(*map(page, range(len(pages)))))
    for number, shown in enumerate(pages):
        for line, one in enumerate(shown):
            assert f"Dose {chr(65 + number)}{chr(65 + line)}: {one} ends." in text
