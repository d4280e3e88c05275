"""What holds for every answer: words that are no names name nothing, and a denial never becomes an answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.answer_parsing import DIRECTNESS, parse_label
from inference.answer_text import words_of
from inference.disease_names import edit_distance
from inference.labelsets import load_label_set

TEN = load_label_set("hikari-10")
GROUPS = load_label_set("groups-4")
NAMES = sorted({name for label in TEN.labels for name in (label.name, *label.aliases)})
BEFORE = [
    "not {}", "No evidence of {}.", "This image does not show {}.", "This is not {}.", "It isn't {}.",
    "The lesion differs from {}.", "Something rather than {}.", "Unlike {}.", "I would exclude {}.",
    "Final diagnosis: not {}", "Diagnosis: no {}", "We can rule out {}.", "never {}", "without signs of {}",
    "This image shows a lesion that is not {}.", "{} is unlikely.", "{} is ruled out.", "{} was excluded.",
    "{} can be excluded.", "{} does not fit.", "{} is not likely.", "{}: no", "Instead of {}, something else.",
    "The picture argues against {}.", "Neither {} nor anything known.",
]  # fmt: skip
LETTERS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=200)


@settings(deadline=None)  # the first call reads the names from their files
@given(LETTERS)
def test_any_text_is_survived_and_a_label_has_a_score(raw: str) -> None:
    for labels in (TEN, GROUPS):
        parsed = parse_label(raw, labels)
        assert (parsed.label is None) == (parsed.score == 0) == (parsed.method not in DIRECTNESS)


@given(
    st.lists(
        st.sampled_from("red scaly plaque on the arm with sharp border this image shows diagnosis : . [ ]".split())
    )
)
def test_text_without_a_name_never_parses(words: list[str]) -> None:
    assert parse_label(" ".join(words), TEN).label is None


@settings(deadline=None)
@given(st.text("dfghklqtvwxz ", max_size=80))
def test_letters_that_make_no_name_never_parse(raw: str) -> None:
    assert parse_label(raw, TEN).label is None


@pytest.mark.parametrize("frame", BEFORE)
@pytest.mark.parametrize("name", NAMES)
def test_a_denied_label_is_never_the_answer(name: str, frame: str) -> None:
    assert parse_label(frame.format(name), TEN).label is None
    assert parse_label(f"</think>\n\n{frame.format(name.title())}", TEN).label is None


@pytest.mark.parametrize("frame", ["{}", "This image shows {}.", "</think>\n\nThis image shows {}.", "**{}**",
                                   "Diagnosis: {}", "Final diagnosis: {}."])  # fmt: skip
@pytest.mark.parametrize("label", TEN.labels, ids=lambda label: label.name)
def test_every_name_of_every_label_is_understood(label: object, frame: str) -> None:
    for one in TEN.labels:
        if one is label:
            for name in (one.name, one.answer, one.display, *one.aliases):
                assert parse_label(frame.format(name), TEN).label == one.name, name


@given(st.text("abcd", max_size=8), st.text("abcd", max_size=8))
def test_edit_distance_agrees_with_its_definition(first: str, second: str) -> None:
    def slow(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        best = min(slow(a[:-1], b) + 1, slow(a, b[:-1]) + 1, slow(a[:-1], b[:-1]) + (a[-1] != b[-1]))
        if len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]:
            best = min(best, slow(a[:-2], b[:-2]) + 1)
        return best

    first, second = first[:5], second[:5]
    assert edit_distance(first, second, 10) == slow(first, second)
    assert edit_distance(first, second, 1) == min(2, slow(first, second))


@given(LETTERS)
def test_sentences_are_counted_upwards_without_gaps(text: str) -> None:
    numbers = [word.sentence for word in words_of(text)]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(max(numbers) + 1)) if numbers else True
