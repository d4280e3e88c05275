"""A data set's label meets a model's own, whatever its spelling."""

import pytest

from inference.labelsets import label_sets, load_label_set
from inference.profiles import AnswerForm


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("psoriasis", "psoriasis"),
        ("Psoriasis Vulgaris", "psoriasis"),
        ("  plaque_psoriasis ", "psoriasis"),
        ("basal-cell-carcinoma", "basal cell carcinoma"),
        ("BCC", "basal cell carcinoma"),
        ("nevus", "melanocytic nevi"),
        ("squamous cell carcinoma (incl. in situ)", "squamous cell carcinoma in situ"),
        ("psoriatic", None),  # related to it, and not it
        ("psoriasis-like", None),
        ("melanoma", None),
        ("", None),
    ],
)
def test_a_label_is_known_by_its_names_in_any_spelling(name: str, known: str | None) -> None:
    found = load_label_set("hikari-10").known_as(name)
    assert (None if found is None else found.name) == known


@pytest.mark.parametrize("name", label_sets())
def test_every_label_is_known_by_each_of_its_names_and_answers(name: str) -> None:
    labels = load_label_set(name)
    for label in labels.labels:
        for one in (label.name, label.answer, label.display, *label.aliases):
            assert labels.known_as(one) == label


def test_the_form_of_an_answer_holds_the_label_as_it_is() -> None:
    assert AnswerForm("This image shows {label}.").of("nevi {label}") == "This image shows nevi {label}."
    assert AnswerForm().of("psoriasis") == "psoriasis"
