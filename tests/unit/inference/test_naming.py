"""Which texts name which labels: whole words, every known name, whatever the case and the separators."""

from inference.naming import all_names_of, counted_names, diseases_of_sets


def test_labels_are_counted_once_a_text_under_any_of_their_names() -> None:
    texts = [
        "Basal cell carcinoma, also called BCC, is excised.",
        "A basal-cell\ncarcinoma of the face.",
        "Nothing of the kind; basal cells are normal.",
    ]
    assert counted_names(["basal cell carcinoma", "melanoma"], texts) == {"basal cell carcinoma": 2, "melanoma": 0}


def test_a_name_inside_a_word_names_nothing() -> None:
    assert counted_names(["acne"], ["The acneiform eruption."]) == {"acne": 0}
    assert counted_names(["acne"], ["Acne_vulgaris"]) == {"acne": 1}


def test_a_label_that_nobody_knows_is_known_by_its_own_name() -> None:
    assert all_names_of("glass mountain disease") == ("glass mountain disease",)
    assert counted_names(["glass mountain disease"], ["Of Glass Mountain disease."]) == {"glass mountain disease": 1}


def test_names_with_apostrophes_are_found() -> None:
    assert counted_names(["squamous cell carcinoma in situ"], ["Treat Bowen’s disease with care."]) == {
        "squamous cell carcinoma in situ": 1
    }


def test_a_label_without_a_word_in_it_is_named_nowhere() -> None:
    assert counted_names(["--"], ["-- "]) == {"--": 0}


def test_the_label_sets_have_diseases_and_no_groups() -> None:
    assert "psoriasis" in diseases_of_sets()
    assert not any(name[0].isdigit() for name in diseases_of_sets())
