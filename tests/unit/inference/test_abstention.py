"""Each reason to decline."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inference.abstention import Thresholds, unusable_picture, weak_evidence
from inference.exemplars import Calibration
from inference.types import Candidate
from knowledge.pictures import Picture
from tests.fakes import picture_of

LIMITS = Thresholds(sharpness=10, contrast=0.1, darkest=0.2, brightest=0.8, probability=0.35)
CALIBRATED = Calibration(similarity_floor=0.6)


def picture(**measured: Any) -> Picture:
    return replace(picture_of(np.zeros((32, 32, 3), dtype=np.uint8)), **measured)


def candidates(*probabilities: float) -> list[Candidate]:
    return [Candidate(f"label {number}", p, None, ()) for number, p in enumerate(probabilities)]


@pytest.mark.parametrize(
    ("measured", "fault"),
    [
        ({"exposure": 0.19}, "too dark"),
        ({"exposure": 0.81}, "overexposed"),
        ({"contrast": 0.09}, "without contrast"),
        ({"sharpness": 9.9}, "blurred"),
        ({"exposure": 0.1, "contrast": 0.01, "sharpness": 0}, "too dark"),
    ],
    ids=str,
)
def test_a_picture_that_shows_nothing_is_declined_with_its_fault(measured: dict[str, float], fault: str) -> None:
    reason = unusable_picture([picture(**measured)], LIMITS)
    assert reason is not None
    assert reason.name == "picture_unusable"
    assert reason.explanation == f"Picture 1 is {fault}."
    assert "sharp, evenly lit" in reason.helps


@pytest.mark.parametrize(
    "measured", [{"exposure": 0.2}, {"exposure": 0.8}, {"contrast": 0.1}, {"sharpness": 10}], ids=str
)
def test_a_picture_just_at_a_threshold_is_usable(measured: dict[str, float]) -> None:
    assert unusable_picture([picture(**measured)], LIMITS) is None


def test_the_first_unusable_of_several_pictures_is_named() -> None:
    reason = unusable_picture([picture(), picture(sharpness=0), picture(exposure=0)], LIMITS)
    assert reason is not None
    assert reason.explanation == "Picture 2 is blurred."


def test_neighbours_that_agree_and_are_near_carry_an_answer() -> None:
    assert weak_evidence(candidates(0.35, 0.3), 0.6, CALIBRATED, LIMITS) is None


@pytest.mark.parametrize(("similarity", "found"), [(None, [0.9]), (0.9, [])], ids=["no similarity", "no candidate"])
def test_without_reference_cases_there_is_no_answer(similarity: float | None, found: list[float]) -> None:
    reason = weak_evidence(candidates(*found), similarity, CALIBRATED, LIMITS)
    assert reason is not None
    assert reason.name == "no_reference_cases"
    assert "dermacite ingest cases" in reason.helps


def test_a_picture_unlike_every_case_is_out_of_domain_however_sure_the_vote() -> None:
    reason = weak_evidence(candidates(0.99), 0.59, CALIBRATED, LIMITS)
    assert reason is not None
    assert reason.name == "out_of_domain"
    assert "0.590" in reason.explanation
    assert "0.600" in reason.explanation


def test_neighbours_that_disagree_decide_nothing() -> None:
    reason = weak_evidence(candidates(0.34, 0.33, 0.33), 0.9, CALIBRATED, LIMITS)
    assert reason is not None
    assert reason.name == "undecided"
    assert "34%" in reason.explanation
    assert "35%" in reason.explanation


def test_without_a_calibration_no_similarity_is_too_low() -> None:
    assert weak_evidence(candidates(0.9), 0.0, Calibration(), replace(LIMITS, probability=0.1)) is None
