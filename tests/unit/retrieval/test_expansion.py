"""Which words of the neighbours' captions are asked for."""

import pytest

from retrieval.expansion import WORDS_FILE, morphology_words
from retrieval.lexical import tokenize


def test_words_that_captions_share_come_first_then_by_alphabet() -> None:
    captions = ["scaly plaque", "red scaly plaque with crust", "plaque with a crust"]
    assert morphology_words(captions) == ("plaque", "crust", "scaly")


def test_a_word_of_one_caption_among_several_is_chance() -> None:
    assert morphology_words(["scaly plaque", "plaque", "ulcer"]) == ("plaque",)


def test_a_single_caption_speaks_for_itself() -> None:
    assert morphology_words(["a crusted nodule", "", ""]) == ("crust", "nodule")


def test_a_word_counts_once_in_each_caption() -> None:
    assert morphology_words(["plaque plaque plaque ulcer", "ulcer", "ulcer plaque"])[0] == "ulcer"


def test_plurals_and_capitals_are_the_same_word() -> None:
    assert morphology_words(["Papules", "papule"]) == ("papule",)


def test_words_that_describe_no_skin_are_left_out() -> None:
    assert morphology_words(["photograph of a patient", "photograph of a patient"]) == ()


@pytest.mark.parametrize("captions", [[], [""], ["", ""]], ids=str)
def test_no_captions_no_words(captions: list[str]) -> None:
    assert morphology_words(captions) == ()


def test_no_more_words_than_asked_for() -> None:
    caption = "macule patch papule plaque nodule vesicle bulla pustule ulcer crust"
    assert len(morphology_words([caption])) == 8
    assert morphology_words([caption], most=2) == ("bulla", "crust")


def test_every_listed_word_is_found_when_a_caption_says_it() -> None:
    words = [line.strip() for line in WORDS_FILE.read_text("utf-8").splitlines() if line and line[0] != "#"]
    stems = {tokenize(word)[0] for word in words}
    found = {tokenize(word)[0] for line in words for word in morphology_words([line])}
    assert found == stems
