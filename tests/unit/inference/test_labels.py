"""Names of diseases."""

import pytest

from inference.labels import LABELS_FILE, group_of, mentions, names_of

INFLAMMATORY = "1. Inflammatory & Autoimmune Diseases"


def test_a_label_is_known_by_its_aliases_longest_first() -> None:
    names = names_of("psoriasis")
    assert set(names) == {"psoriasis", "plaque psoriasis", "psoriasis vulgaris", "psoriatic"}
    assert [len(name) for name in names] == sorted((len(name) for name in names), reverse=True)


def test_an_alias_stands_for_its_label() -> None:
    assert names_of("BCC") == names_of("Basal Cell Carcinoma")


def test_an_unknown_label_is_known_by_its_own_name_only() -> None:
    assert names_of("Morbus X") == ("morbus x",)
    assert group_of("Morbus X") is None


@pytest.mark.parametrize("label", ["psoriasis", "Psoriasis Vulgaris"])
def test_a_known_label_has_a_group(label: str) -> None:
    assert group_of(label) == INFLAMMATORY


@pytest.mark.parametrize(
    ("text", "label", "named"),
    [
        ("Plaque psoriasis of the scalp.", "psoriasis", True),
        ("PSORIASIS", "psoriasis", True),
        ("psoriasis\nvulgaris", "psoriasis", True),
        ("Plaque\npsoriasis", "plaque psoriasis", True),
        ("pseudopsoriasis", "psoriasis", False),
        ("psoriasis-like", "psoriasis", True),
        ("Excise BCCs with a margin.", "basal cell carcinoma", True),
        ("an abcc gene", "basal cell carcinoma", False),
        ("Moles that change", "melanocytic nevi", True),
        ("molecular", "melanocytic nevi", False),
        ("Bowen’s disease", "squamous cell carcinoma in situ", True),
        ("", "psoriasis", False),
        ("a (rare) kind", "rare) kind", True),
    ],
)
def test_whether_a_sentence_names_a_label(text: str, label: str, named: bool) -> None:
    assert mentions(text, label) is named


def test_no_alias_stands_for_two_labels() -> None:
    headings = [line.strip('[]"\n') for line in LABELS_FILE.read_text("utf-8").splitlines() if line.startswith("[")]
    names = [name for heading in headings for name in names_of(heading)]
    assert len(names) == len(set(names))
    assert all(name == name.casefold() for name in names)
