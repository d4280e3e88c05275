"""Nothing is lost, nothing is doubled, nothing is longer than allowed."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.chunking import cut_passages
from knowledge.types import ExtractedText, Heading, Page, PageState, Role, Stretch

roles = st.sampled_from([Role.CAPTION, Role.FOOTNOTE, Role.REFERENCES])
lines = st.text(st.sampled_from("abc 0.5%,;()-\u2013•\t≥"), max_size=40)
separators = st.sampled_from(["\n", "\n\n", "\n \n", "\n\n\n"])


def subwords(text: str) -> int:
    """Like a real tokenizer: pieces of three letters, single signs, and two marks around it all."""
    return 2 + len(re.findall(r"\w{1,3}|[^\w\s]", text))


@st.composite
def documents(draw: st.DrawFn) -> ExtractedText:
    text, page_start = "", 0
    headings: list[Heading] = []
    stretches: list[Stretch] = []
    pages: list[Page] = []
    for line in draw(st.lists(lines, max_size=20)):
        start = len(text)
        text += line
        if line.strip() and draw(st.integers(0, 4)) == 0:
            headings.append(Heading(start, len(text), draw(st.integers(1, 4))))
        elif line.strip() and draw(st.integers(0, 2)) == 0:
            text, header = draw(with_table_rows(text, start))
            stretches.append(Stretch(start, len(text), Role.TABLE if header else draw(roles), header))
        if draw(st.integers(0, 5)) == 0:
            pages.append(Page(len(pages) + 1, page_start, len(text), PageState.TEXT))
            text += "\n\n"
            page_start = len(text)
        else:
            text += draw(separators)
    pages.append(Page(len(pages) + 1, page_start, len(text), PageState.TEXT))
    return ExtractedText(text, tuple(pages), tuple(headings), stretches=tuple(stretches))


@st.composite
def with_table_rows(draw: st.DrawFn, text: str, start: int) -> tuple[str, str | None]:
    """The text with rows under its last line, which is their header; or a header that stands elsewhere; or none."""
    kind = draw(st.sampled_from(["printed", "elsewhere", None]))
    header = {"printed": text[start:], "elsewhere": "a\tb 5", None: None}[kind]
    rows = draw(st.lists(lines, max_size=4)) if header else []
    return text + "".join(f"\n{row}" for row in rows), header


def printed_headers(extracted: ExtractedText) -> set[int]:
    """Characters of headers that stand at the start of their table, with something under them."""
    found: set[int] = set()
    for stretch in extracted.stretches:
        header, text = stretch.header, extracted.text[stretch.start : stretch.end]
        if header and text.startswith(header) and text[len(header) :].strip():
            found |= set(range(stretch.start, stretch.start + len(header)))
    return found


@given(documents(), st.integers(3, 40), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_every_character_is_in_exactly_one_passage(extracted: ExtractedText, most: int, least: int) -> None:
    cuts = cut_passages(extracted, subwords, max_tokens=most, min_tokens=least)
    covered = [0] * len(extracted.text)
    for cut in cuts:
        assert cut.text == extracted.text[cut.start : cut.end] == cut.text.strip() != ""
        counted = cut.text if cut.header is None else f"{cut.header}\n{cut.text}"
        assert cut.tokens == subwords(counted) <= most
        for index in range(cut.start, cut.end):
            covered[index] += 1
    in_heading = {i for h in extracted.headings for i in range(h.start, h.end)}
    in_header = printed_headers(extracted)
    body = [i for i, c in enumerate(extracted.text) if not c.isspace() and i not in in_heading]
    assert all(covered[i] == 1 for i in body if i not in in_header)
    assert all(covered[i] <= 1 for i in in_header)
    if body:
        assert all(covered[i] == 0 for i in in_heading)
    assert list(cuts) == sorted(cuts, key=lambda c: c.start)


@given(documents(), st.integers(3, 40))
@settings(max_examples=100, deadline=None)
def test_pages_and_sections_are_those_of_the_span(extracted: ExtractedText, most: int) -> None:
    for cut in cut_passages(extracted, subwords, max_tokens=most, min_tokens=0):
        touched = [p.number for p in extracted.pages if p.start < cut.end and cut.start < p.end]
        assert (cut.first_page, cut.last_page) == (touched[0], touched[-1])
        above = [h for h in extracted.headings if h.end <= cut.start]
        if above and cut.section:
            assert cut.section[-1] == " ".join(extracted.text[above[-1].start : above[-1].end].split())


@given(documents(), st.integers(3, 60), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_a_passage_is_of_one_role_and_has_its_header_beside_it(extracted: ExtractedText, most: int, least: int) -> None:
    cuts = cut_passages(extracted, subwords, max_tokens=most, min_tokens=least)
    in_header = printed_headers(extracted)
    roles_by_character = {i: s for s in extracted.stretches for i in range(s.start, s.end)}
    if all(i in roles_by_character or c.isspace() for i, c in enumerate(extracted.text)) and not cuts:
        return
    headings_only = all(
        c.isspace() or any(h.start <= i < h.end for h in extracted.headings) for i, c in enumerate(extracted.text)
    )
    for cut in cuts if not headings_only else ():
        found = {roles_by_character.get(i) for i in range(cut.start, cut.end) if not extracted.text[i].isspace()}
        (stretch,) = found
        assert cut.role is (stretch.role if stretch else Role.BODY)
        if cut.header is not None:
            assert stretch is not None
            assert cut.header == stretch.header
            assert not in_header & set(range(cut.start, cut.end))


@given(documents(), st.integers(3, 40))
@settings(max_examples=50, deadline=None)
def test_the_same_text_is_always_cut_the_same(extracted: ExtractedText, most: int) -> None:
    first = cut_passages(extracted, subwords, max_tokens=most, min_tokens=0)
    assert first == cut_passages(extracted, subwords, max_tokens=most, min_tokens=0)
