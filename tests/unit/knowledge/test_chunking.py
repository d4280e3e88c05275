"""Passages follow the structure of the text; counts here are words, so that expectations can be read off."""

import time

import pytest

from knowledge.chunking import CHUNKER, cut_passages
from knowledge.types import Cut, ExtractedText, Heading, Page, PageState


def words(text: str) -> int:
    """One token per word."""
    return len(text.split())


def document(*pages: str, headings: dict[str, int] | None = None) -> ExtractedText:
    """Pages joined as the extractor joins them; `headings` maps a line to its level."""
    text = "\n\n".join(pages)
    spans, start = [], 0
    for number, page in enumerate(pages, start=1):
        state = PageState.TEXT if page else PageState.EMPTY
        spans.append(Page(number, start, start + len(page), state))
        start += len(page) + 2
    found = tuple(Heading(text.index(h), text.index(h) + len(h), level) for h, level in (headings or {}).items())
    return ExtractedText(text, tuple(spans), found)


def cut(extracted: ExtractedText, most: int = 10, least: int = 0) -> tuple[Cut, ...]:
    """Passages, after checking what must always hold."""
    cuts = cut_passages(extracted, words, max_tokens=most, min_tokens=least)
    for passage in cuts:
        assert passage.text == extracted.text[passage.start : passage.end] == passage.text.strip()
        assert passage.tokens == words(passage.text) <= most
    return cuts


def texts(cuts: tuple[Cut, ...]) -> list[str]:
    return [c.text for c in cuts]


def test_the_version_of_the_rules_is_stated() -> None:
    assert CHUNKER == "structure-2"


def test_short_paragraphs_are_packed_and_long_ones_start_anew() -> None:
    found = cut(document("one two three\n\nfour five\n\na b c d e f\n\ng h"))
    assert texts(found) == ["one two three\n\nfour five", "a b c d e f\n\ng h"]


def test_a_heading_starts_a_passage_and_is_in_none() -> None:
    text = "Eczema\nred itchy skin\n\nDoses\n5 mg twice a day"
    found = cut(document(text, headings={"Eczema": 1, "Doses": 2}))
    assert [(c.section, c.text) for c in found] == [
        (("Eczema",), "red itchy skin"),
        (("Eczema", "Doses"), "5 mg twice a day"),
    ]


def test_a_heading_closes_its_own_and_deeper_levels() -> None:
    text = "Top\n\nA\na\n\nA1\nb\n\nB\nc"
    extracted = ExtractedText(text, (), (Heading(0, 3, 1), Heading(5, 6, 2), Heading(10, 12, 3), Heading(16, 17, 2)))
    assert [c.section for c in cut(extracted)] == [("Top", "A"), ("Top", "A", "A1"), ("Top", "B")]


def test_headings_alone_are_not_lost() -> None:
    found = cut(document("Slide one\n\nSlide two", headings={"Slide one": 1, "Slide two": 1}))
    assert texts(found) == ["Slide one\n\nSlide two"]


def test_a_long_table_is_cut_between_rows() -> None:
    rows = [f"drug{i}\t{i} mg\tdaily" for i in range(6)]
    assert texts(cut(document("\n".join(rows)), most=9)) == ["\n".join(rows[i : i + 2]) for i in (0, 2, 4)]


def test_a_long_paragraph_is_cut_at_sentences() -> None:
    found = cut(document("One two three four. Five six seven eight. Nine ten."), most=8)
    assert texts(found) == ["One two three four. Five six seven eight.", "Nine ten."]


def test_small_tails_join_or_take_their_share() -> None:
    assert texts(cut(document("a b c d\n\ne f g h\n\ni"), most=8, least=3)) == ["a b c d", "e f g h\n\ni"]
    assert len(cut(document("a b c d e f g h\n\ni"), most=8, least=3)) == 2


def test_a_passage_may_cross_a_page_break() -> None:
    found = cut(document("one two", "", "three four", "five " * 9 + "end"))
    assert [(c.first_page, c.last_page) for c in found] == [(1, 3), (4, 4)]


def test_nothing_is_cut_from_nothing() -> None:
    assert cut(document("")) == ()
    assert cut(document(" \n\n ")) == ()
    assert cut(ExtractedText("", ())) == ()


@pytest.mark.parametrize(("most", "least"), [(0, 0), (5, 6), (5, -1)])
def test_impossible_bounds_are_refused(most: int, least: int) -> None:
    with pytest.raises(ValueError, match="max_tokens"):
        cut_passages(document("a"), words, max_tokens=most, min_tokens=least)


def test_one_unbreakable_character_is_the_only_exception_to_the_limit() -> None:
    found = cut_passages(document("ab"), lambda text: 3 * len(text), max_tokens=2, min_tokens=0)
    assert [(c.text, c.tokens) for c in found] == [("a", 3), ("b", 3)]


def test_marks_that_the_tokenizer_adds_are_counted_once() -> None:
    found = cut_passages(document("a b\n\nc d\n\ne f"), lambda t: words(t) + 2, max_tokens=8, min_tokens=0)
    assert texts(found) == ["a b\n\nc d\n\ne f"]
    assert found[0].tokens == 8


def test_a_thousand_pages_without_structure_need_few_counts() -> None:
    calls = 0

    def count(text: str) -> int:
        nonlocal calls
        calls += 1
        return words(text)

    pages = ["\n\n".join(f"{i}.{j} some words of a paragraph about skin" for j in range(20)) for i in range(1000)]
    began = time.perf_counter()
    found = cut_passages(document(*pages), count, max_tokens=200)
    assert calls < 4 * 20_000
    assert time.perf_counter() - began < 10
    assert found[-1].last_page == 1000


def test_a_megabyte_on_one_line_is_cut_in_time() -> None:
    began = time.perf_counter()
    found = cut_passages(document("x" * 1_000_000), len, max_tokens=200)
    assert sum(len(c.text) for c in found) == 1_000_000
    assert time.perf_counter() - began < 10
