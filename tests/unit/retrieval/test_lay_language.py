"""Which clinical words a lay query gets, and that others stay as they are."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from retrieval.expansion import WORDS_FILE as MORPHOLOGY
from retrieval.lay_language import ABBREVIATION, SHORT_FORM, WORDS_FILE, clinical_expansions, clinical_text, lexicon
from retrieval.lexical import tokenize


def added(text: str) -> dict[str, tuple[str, ...]]:
    return {one.phrase: one.terms for one in clinical_expansions(text)}


def test_lay_words_get_their_clinical_ones_in_order() -> None:
    found = clinical_expansions("Itchy bumps in my armpit")
    assert [(one.phrase, one.kind) for one in found] == [
        ("itchy", "sensation"), ("bump", "lesion"), ("armpit", "site"),
    ]  # fmt: skip
    assert found[2].terms[0] == "axilla"


def test_the_longest_phrase_wins_and_takes_its_words() -> None:
    assert list(added("blood blister on the toe")) == ["blood blister"]


@pytest.mark.parametrize("text", ["top of my foot", "the top of the foot", "Top of foot"])
def test_articles_and_owners_do_not_count(text: str) -> None:
    assert list(added(text)) == ["top of the foot"]


def test_any_form_of_a_word_is_the_word() -> None:
    assert list(added("moles")) == list(added("MOLE")) == ["mole"]


@pytest.mark.parametrize("text", ["not itchy", "no rash", "without blisters", "never a rash", "non itchy"])
def test_a_negated_word_adds_nothing(text: str) -> None:
    assert added(text) == {}


def test_only_the_negated_word_is_left_alone() -> None:
    assert list(added("not itchy, but a rash")) == ["rash"]


def test_what_the_query_says_already_is_not_added() -> None:
    assert added("mole or nevus or naevus, melanocytic nevi") == {}
    assert "nevus" not in added("mole (nevus)")["mole"]


def test_no_term_is_added_twice() -> None:
    terms = Counter(term for terms in added("zits, pimples and whiteheads with blackheads").values() for term in terms)
    assert set(terms.values()) == {1}


@pytest.mark.parametrize(
    "text",
    [
        "red blood cells in anaemia", "hydatidiform mole", "per mole of substrate", "congo red staining of amyloid",
        "naked mole rat", "erythematous papules with umbilication", "topical treatment of psoriasis", "",
        "the crystalline lens in vertebrates", "akin to a bccx",
    ],
)  # fmt: skip
def test_a_query_in_which_nothing_is_lay_stays_as_it_is(text: str) -> None:
    assert clinical_expansions(text) == ()
    assert clinical_text(text, ()) == text


def test_abbreviations_work_both_ways() -> None:
    assert added("SCC of the ear") == {"SCC": ("squamous cell carcinoma",)}
    assert added("bcc") == {"bcc": ("basal cell carcinoma",)}
    [full] = clinical_expansions("squamous cell carcinoma of the ear")
    assert (full.phrase, full.kind, full.terms) == ("squamous cell carcinoma", SHORT_FORM, ("SCC",))


def test_both_forms_together_need_nothing() -> None:
    assert added("squamous cell carcinoma (SCC)") == {}


@pytest.mark.parametrize("text", ["ak", "he said sk", "sle"])
def test_short_abbreviations_count_in_capitals_only(text: str) -> None:
    assert added(text) == {}


def test_an_encoder_reads_the_clinical_words_behind_the_query() -> None:
    assert clinical_text("a mole", clinical_expansions("a mole")) == "a mole nevus, naevus, melanocytic nevi"


def test_an_encoder_does_not_read_short_forms() -> None:
    text = "basal cell carcinoma"
    assert clinical_text(text, clinical_expansions(text)) == text


# --- the data ------------------------------------------------------------------------------------------------------


def test_there_are_hundreds_of_entries_of_every_kind_each_with_its_source() -> None:
    tables = tomllib.loads(Path(WORDS_FILE).read_text("utf-8"))
    assert len(lexicon()) >= 300
    assert set(tables) == {
        "unchanged", "colour", "lesion", "shape", "surface", "border", "distribution", "site", "sensation", "disease",
        "abbreviation",
    }  # fmt: skip
    assert all(table["source"] and table["words"] for table in tables.values())


def test_no_two_phrases_are_the_same_words() -> None:
    stems = Counter(" ".join(tokenize(one.phrase)) for one in lexicon() if one.kind not in (ABBREVIATION, "unchanged"))
    assert [phrase for phrase, number in stems.items() if number > 1 and phrase] == []


def test_only_protected_phrases_have_no_terms_and_no_phrase_is_its_own_term() -> None:
    for one in lexicon():
        assert bool(one.terms) == (one.kind != "unchanged"), one
        assert one.phrase not in one.terms


def test_every_entry_is_found_by_its_own_phrase() -> None:
    for one in lexicon():
        if one.terms:
            assert one.phrase in added(one.phrase), one


def test_words_of_descriptive_dermatology_are_not_lay() -> None:
    also_lay = {"red", "purple", "itchy", "blackhead", "whitehead"}  # everyday words that captions use too
    words = {line for line in MORPHOLOGY.read_text("utf-8").split() if line.isalpha()} - also_lay
    assert {word for word in words if clinical_expansions(word)} == set()
