"""Digits survive, whatever surrounds them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from retrieval.lexical import tokenize

NUMBERS = st.one_of(
    st.integers(0, 10_000).map(str),
    st.decimals(0, 1_000, places=2).map(str),
    st.tuples(st.integers(0, 99), st.integers(0, 99)).map(lambda pair: f"{pair[0]},{pair[1]}"),
    st.tuples(st.integers(1, 9), st.integers(1, 10_000)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
)
WORDS = st.sampled_from(
    ["psoriasis", "the", "no", "mg", "≥", "–", "(", ")", ",", "twice daily", "α", "…", "\n", "5-FU"]
)
PROSE = st.lists(st.one_of(NUMBERS, WORDS), max_size=15).map(" ".join)


@given(PROSE, NUMBERS, PROSE)
def test_every_number_is_a_term(before: str, number: str, after: str) -> None:
    assert number in tokenize(f"{before} {number} {after}")


@given(st.integers(0, 999).map(str), st.sampled_from(["", " ", "\u00a0"]))
def test_a_percentage_is_a_term_with_and_without_its_sign(number: str, space: str) -> None:
    assert tokenize(f"about {number}{space}% of them")[1:3] == [f"{number}%", number]


@given(st.text())
def test_no_digit_of_any_text_is_lost(text: str) -> None:
    kept = "".join(tokenize(text))
    assert all(digit in kept for digit in re.findall("[0-9]", text))


@given(st.text())
def test_terms_are_lower_case_and_never_empty(text: str) -> None:
    assert all(term and term == term.casefold() and not term.isspace() for term in tokenize(text))


@given(PROSE, PROSE)
def test_a_text_has_the_terms_of_its_parts_in_order(one: str, other: str) -> None:
    assert tokenize(f"{one}\n.\n{other}") == tokenize(one) + tokenize(other)


@given(PROSE)
def test_capitals_and_white_space_do_not_matter(text: str) -> None:
    assert tokenize(text.upper().replace(" ", "   ")) == tokenize(text)


@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_numbers_stay_as_they_are_however_often_they_are_read(numbers: list[str]) -> None:
    once = tokenize(" ".join(numbers))
    assert tokenize(" ".join(once)) == once == numbers
