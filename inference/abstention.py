"""When not to answer, and what to say instead."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.exemplars import Calibration
from inference.types import Candidate
from knowledge.pictures import Picture

NOTICE = (
    "Research use: decision support for clinicians, not a diagnosis. Probabilities are relative to the labels of the "
    "knowledge base; a disease that is not in it cannot be found."
)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Below these there is no answer. Units as in knowledge.pictures.Picture; probabilities 0..1.

    `label_mass` is how probable a served model must find its own labels together. `conflict_vote` and `conflict_model`:
    neighbours at least so sure of a label to which the model gives less are a conflict.
    """

    sharpness: float = 1.0  # flat or blurred beyond use: sharp skin pictures here start at about 5
    contrast: float = 0.015
    darkest: float = 0.04
    brightest: float = 0.97
    probability: float = 0.35
    label_mass: float = 0.05  # a model trained on its labels puts nearly all it has on them
    conflict_vote: float = 0.8
    conflict_model: float = 0.05


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable name, one sentence on what was found, one on what would help."""

    name: str
    explanation: str
    helps: str


def unusable_picture(pictures: Sequence[Picture], thresholds: Thresholds) -> Reason | None:
    """The first fault that keeps a picture from showing anything; None when every picture is usable."""
    for number, picture in enumerate(pictures, start=1):
        fault = _fault(picture, thresholds)
        if fault is not None:
            return Reason(
                "picture_unusable",
                f"Picture {number} is {fault}.",
                "Send a sharp, evenly lit photograph in which the lesion fills about a third of the frame.",
            )
    return None


def weak_evidence(
    candidates: Sequence[Candidate], similarity: float | None, calibration: Calibration, thresholds: Thresholds
) -> Reason | None:
    """Why the neighbours do not carry an answer; None when they do. `similarity` is the best picture cosine."""
    if similarity is None or not candidates:
        return Reason(
            "no_reference_cases",
            "There is no reference case that may be compared with this picture.",
            "Ingest reference cases (dermacite ingest cases FOLDER), switch case retrieval on, or loosen the filters.",
        )
    strange = out_of_domain(similarity, calibration)
    if strange is not None:
        return strange
    first = candidates[0].probability or 0.0
    if first < thresholds.probability:
        return Reason(
            "undecided",
            f"The neighbours disagree: the likeliest label has {first:.0%}, {thresholds.probability:.0%} are needed.",
            "A second picture, a closer view or a note on course and symptoms may decide it.",
        )
    return None


def out_of_domain(similarity: float | None, calibration: Calibration) -> Reason | None:
    """Why the picture is unlike everything the knowledge base has; None when it is not, or nothing was compared."""
    if similarity is None or similarity >= calibration.similarity_floor:
        return None
    return Reason(
        "out_of_domain",
        f"No reference case is similar enough: {similarity:.3f}, at least {calibration.similarity_floor:.3f} needed.",
        "Check that the picture shows skin as the reference cases do, or add reference cases of this kind.",
    )


def _fault(picture: Picture, thresholds: Thresholds) -> str | None:
    if picture.exposure < thresholds.darkest:
        return "too dark"
    if picture.exposure > thresholds.brightest:
        return "overexposed"
    if picture.contrast < thresholds.contrast:
        return "without contrast"
    return "blurred" if picture.sharpness < thresholds.sharpness else None
