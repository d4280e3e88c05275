"""Whatever the layout, what carries a dose survives."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.pdf.composition import compose
from knowledge.pdf.layout import Fragment, PageFrame, rows_of
from knowledge.pdf.repairs import join_lines, repair
from knowledge.types import Role

KEPT = frozenset("0123456789%<>=+±≤≥µ°½²³‰")
PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺", "0123456789+")

FRAME = PageFrame(595, 842)

LETTERS = "0123456789%<>≤≥±=+µ°½ abcmgM-.,:/•()\t\u00ad\ufb01\u00a0\x00"
texts = st.text(st.sampled_from(LETTERS), min_size=1, max_size=12)


def kept(text: str) -> str:
    """The characters a dose is made of, raised digits taken as digits (² and ³ too)."""
    return "".join(c for c in text.translate(PLAIN) if c in KEPT)


@st.composite
def fragments(draw: st.DrawFn) -> list[Fragment]:
    found = []
    for index, text in enumerate(draw(st.lists(texts, min_size=1, max_size=25))):
        size = draw(st.sampled_from([6.0, 10.0, 10.0, 10.0, 14.0]))
        # Places differ by at least an em, so that nothing looks like a letter printed twice.
        x = 30 * index + draw(st.integers(0, 5)) if draw(st.booleans()) else 50 + 1.5 * index
        y = 700 - draw(st.sampled_from([0, 0, 4, 12, 30])) - 0.5 * index
        width = draw(st.floats(0, 200))
        found.append(Fragment(text, x, y, size, width, draw(st.booleans()), draw(st.sampled_from([0, 0, 0, 90]))))
    return found


@given(st.lists(fragments(), max_size=3))
@settings(max_examples=150, deadline=None)
def test_digits_units_and_signs_survive(pages: list[list[Fragment]]) -> None:
    # In any order: the cells of a table are put together, columns written across are read one after the other. The
    # pages have no size, for what is the same on two of them would be a running header.
    composed = compose([rows_of(page) for page in pages])
    assert Counter(kept(composed.text)) == Counter(kept("".join(f.text for page in pages for f in page)))


@given(st.lists(fragments(), max_size=3))
@settings(max_examples=150, deadline=None)
def test_lines_and_stretches_are_in_order_and_cover_the_text(pages: list[list[Fragment]]) -> None:
    composed = compose([rows_of(page) for page in pages], [FRAME] * len(pages))
    for spans in (composed.lines, composed.stretches):
        at = 0
        for span in spans:
            assert at <= span.start < span.end
            at = span.end
        assert at <= len(composed.text)
    on_lines = {i for line in composed.lines for i in range(line.start, line.end)}
    assert all(c.isspace() or i in on_lines for i, c in enumerate(composed.text))
    for line in composed.lines:
        start, end = composed.spans[line.page - 1]
        assert start <= line.start < line.end <= end
        assert 0 <= line.left <= line.right <= 1
        assert 0 <= line.top <= line.bottom <= 1
    for stretch in composed.stretches:
        assert stretch.header is None or stretch.role is Role.TABLE


@given(st.lists(fragments(), max_size=3))
@settings(max_examples=100, deadline=None)
def test_spans_tile_the_text_and_headings_lie_in_pages(pages: list[list[Fragment]]) -> None:
    composed = compose([rows_of(page) for page in pages])
    assert "\n\n".join(composed.text[s:e] for s, e in composed.spans) == composed.text
    ends = [0, *(h.end for h in composed.headings)]
    for before, heading in zip(ends, composed.headings, strict=False):
        assert before <= heading.start < heading.end
        assert any(s <= heading.start and heading.end <= e for s, e in composed.spans)
        assert 1 <= heading.level <= 6


@given(st.text(max_size=60))
def test_repair_is_total_and_idempotent(text: str) -> None:
    once = repair(text)
    assert repair(once) == once
    once.encode()
    assert kept(once) == kept(text)


@given(texts, texts)
def test_joining_lines_loses_no_number_and_makes_none(left: str, right: str) -> None:
    left, right = repair(left).strip(), repair(right).strip()
    joined = join_lines(left, right)
    assert kept(joined) == kept(left + right)
    if left and right and left[-1].isdigit() and right[0].isdigit():
        assert f"{left[-1]} {right[0]}" in joined
