"""From voices to an answer, at the very thresholds."""

from collections.abc import Sequence

import pytest

from inference.abstention import Thresholds
from inference.judging import candidates_of, conflict, disagreements, model_reason
from inference.labelsets import load_label_set
from inference.types import Candidate, LabelShare, ModelOpinion, Opinions

LABELS = load_label_set("hikari-10")
THRESHOLDS = Thresholds(probability=0.35, label_mass=0.05, conflict_vote=0.8, conflict_model=0.05)


def said(
    stated: str | None = "psoriasis", method: str = "constrained", mass: float | None = 0.9,
    shares: Sequence[tuple[str, float]] = (("psoriasis", 0.9), ("acne vulgaris", 0.1)),
) -> ModelOpinion:  # fmt: skip
    return ModelOpinion("model", stated, method, tuple(LabelShare(*one) for one in shares), mass, calibrated=False)


def voted(label: str = "psoriasis", probability: float | None = 0.9) -> tuple[Candidate, ...]:
    return (Candidate(label, probability, None, ()),)


def named(label: str) -> str:
    known = LABELS.known_as(label)
    return label if known is None else known.name


def reason(opinion: ModelOpinion, first: float | None = 0.9) -> str | None:
    found = model_reason(opinion, voted("psoriasis", first), THRESHOLDS)
    return None if found is None else found.name


# --- candidates


def test_candidates_carry_group_and_display() -> None:
    shares = [("squamous cell carcinoma in situ", 0.7), ("psoriasis", 0.3)]
    first, second = candidates_of(said(), LABELS, shares)
    assert (first.group, first.display) == ("3. Malignant Skin Tumors", "squamous cell carcinoma (incl. in situ)")
    assert (second.label, second.probability, second.display) == ("psoriasis", 0.3, None)


def test_without_scores_the_stated_label_is_the_only_candidate() -> None:
    assert [(one.label, one.probability) for one in candidates_of(said(), LABELS, [])] == [("psoriasis", None)]
    assert candidates_of(said(stated=None, method="hedged"), LABELS, []) == ()


# --- whether a model's answer carries a diagnosis


@pytest.mark.parametrize(("mass", "name"), [(0.05, None), (0.0499, "outside_labels"), (None, None), (1.0, None)])
def test_the_mass_of_all_labels_must_reach_its_floor(mass: float | None, name: str | None) -> None:
    assert reason(said(mass=mass)) == name


@pytest.mark.parametrize(("first", "name"), [(0.35, None), (0.3499, "undecided"), (None, None)])
def test_the_first_label_must_reach_its_floor(first: float | None, name: str | None) -> None:
    assert reason(said(), first) == name


@pytest.mark.parametrize("method", ["hedged", "negated", "cut_off", "outside_set", "empty"])
def test_a_text_that_names_no_label_is_unparsed_and_says_why(method: str) -> None:
    found = model_reason(said(None, method), voted(), THRESHOLDS)
    assert found is not None
    assert found.name == "unparsed"
    assert f"({method})" in found.explanation
    assert found.helps


def test_pictures_that_disagree_are_decided_by_their_mean() -> None:
    assert reason(said(None, "pictures_disagree")) is None


def test_pictures_that_disagree_without_scores_decide_nothing() -> None:
    found = model_reason(said(None, "pictures_disagree", None, ()), (), THRESHOLDS)
    assert found is not None
    assert found.name == "unparsed"


def test_unparsed_is_told_before_how_sure_anybody_is() -> None:
    assert reason(said(None, "hedged", mass=0.001), 0.1) == "unparsed"
    assert reason(said(mass=0.001), 0.1) == "outside_labels"


# --- conflict


@pytest.mark.parametrize(
    ("vote", "model", "conflicting"),
    [(0.8, 0.0499, True), (0.7999, 0.0499, False), (0.8, 0.05, False), (1.0, 0.0, True)],
)
def test_a_conflict_needs_a_sure_vote_and_a_model_that_excludes_it(
    vote: float, model: float, conflicting: bool
) -> None:
    candidates = (Candidate("acne vulgaris", 0.9, None, ()), Candidate("psoriasis", model, None, ()))
    found = conflict(voted("psoriasis", vote), candidates, named, THRESHOLDS)
    assert (found is not None) is conflicting
    assert found is None or found.name == "conflict"


def test_a_label_the_model_does_not_have_is_one_it_excludes() -> None:
    assert conflict(voted("rosacea"), voted("psoriasis"), named, THRESHOLDS) is not None


def test_another_name_of_the_same_disease_is_no_conflict() -> None:
    assert conflict(voted("Plaque_Psoriasis"), voted("psoriasis"), named, THRESHOLDS) is None


def test_a_model_that_says_no_probability_excludes_only_what_it_did_not_say() -> None:
    assert conflict(voted("psoriasis"), voted("psoriasis", None), named, THRESHOLDS) is None
    assert conflict(voted("psoriasis"), voted("acne vulgaris", None), named, THRESHOLDS) is not None


def test_without_a_vote_there_is_no_conflict() -> None:
    assert conflict((), voted(), named, THRESHOLDS) is None
    assert conflict(voted(), (), named, THRESHOLDS) is None


# --- disagreements


def test_voices_that_agree_have_nothing_to_tell() -> None:
    group = said("1. Inflammatory & Autoimmune Diseases", shares=[("1. Inflammatory & Autoimmune Diseases", 0.8)])
    first = (Candidate("psoriasis", 0.9, "1. Inflammatory & Autoimmune Diseases", ()),)
    assert disagreements(Opinions(voted("plaque psoriasis"), said(), group), first, named) == ()


def test_every_disagreement_is_a_sentence_of_its_own() -> None:
    group = said("4. Acne & Follicular Disorders", shares=[("4. Acne & Follicular Disorders", 0.8)])
    first = (Candidate("psoriasis", 0.9, "1. Inflammatory & Autoimmune Diseases", ()),)
    stated, cases, groups = disagreements(Opinions(voted("rosacea"), said("lichen planus"), group), first, named)
    assert "stated lichen planus" in stated
    assert "psoriasis" in stated
    assert cases == "the reference cases vote for rosacea (90%), the model for psoriasis"
    assert groups == (
        "stage 1 finds the group 4. Acne & Follicular Disorders likelier (80%) than 1. Inflammatory & Autoimmune Diseases"
    )


def test_pictures_that_disagree_are_told() -> None:
    (sentence,) = disagreements(Opinions(disease=said(None, "pictures_disagree")), voted(), named)
    assert "different diseases for the pictures" in sentence


def test_without_a_model_the_vote_has_nobody_to_disagree_with() -> None:
    assert disagreements(Opinions(voted("rosacea")), voted("rosacea"), named) == ()
