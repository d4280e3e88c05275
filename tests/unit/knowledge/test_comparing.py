"""What became of the passages of one version in another."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge.comparing import compared
from knowledge.types import Passage, Source

SOURCE = Source("A guideline")


def passages(*texts: str) -> list[Passage]:
    return [
        Passage(f"p-{at}", "d", "v", at * 100, at * 100 + 1, text, 1, 1, (), SOURCE) for at, text in enumerate(texts)
    ]


def test_the_same_words_are_the_same_passage_wherever_they_stand() -> None:
    found = compared(passages("one two", "three  four"), passages("three four", "one two"))
    assert (found.unchanged, found.changed, found.added, found.removed) == (2, (), (), ())


def test_another_dose_is_a_changed_passage() -> None:
    before = passages("Offer betamethasone 0.05 % once daily for 4 weeks.", "Review after a month.")
    after = passages("Review after a month.", "Offer betamethasone 0.1 % once daily for 4 weeks.")
    found = compared(before, after)
    [change] = found.changed
    assert (change.before.text, change.after.text) == (before[0].text, after[1].text)
    assert change.similarity == 2 * 8 / (9 + 9)
    assert (found.unchanged, found.added, found.removed) == (1, (), ())


def test_what_shares_too_little_is_gone_and_new() -> None:
    found = compared(passages("Offer an emollient."), passages("Refer within two weeks."))
    assert [one.text for one in found.removed] == ["Offer an emollient."]
    assert [one.text for one in found.added] == ["Refer within two weeks."]


def test_the_most_similar_pair_is_taken_first() -> None:
    found = compared(passages("a b c d e f"), passages("a b c d x y", "a b c d e y"))
    [change] = found.changed
    assert change.after.text == "a b c d e y"
    assert [one.text for one in found.added] == ["a b c d x y"]


def test_a_repeated_sentence_counts_as_often_as_it_stands_there() -> None:
    found = compared(passages("same", "same"), passages("same"))
    assert (found.unchanged, len(found.removed)) == (1, 1)


TEXTS = st.lists(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=6).map(" ".join), max_size=8)


@given(TEXTS, TEXTS)
def test_every_passage_is_accounted_for_once(before: list[str], after: list[str]) -> None:
    found = compared(passages(*before), passages(*after))
    assert found.unchanged + len(found.changed) + len(found.removed) == len(before)
    assert found.unchanged + len(found.changed) + len(found.added) == len(after)
    assert all(0.5 <= one.similarity < 1 or sorted(one.before.text.split()) == sorted(one.after.text.split())
               for one in found.changed)  # fmt: skip


@given(TEXTS)
def test_nothing_changes_in_the_same_version(texts: list[str]) -> None:
    found = compared(passages(*texts), passages(*texts))
    assert (found.unchanged, found.changed, found.added, found.removed) == (len(texts), (), (), ())
