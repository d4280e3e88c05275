"""What an arm's control does to one consultation: to its evidence as an intervention, or to its picture."""

import hashlib
from dataclasses import replace
from typing import Final

import numpy as np

from evaluation.datasets import Item
from evaluation.plans import Arm, Control, Note
from inference.interventions import (
    NOTHING,
    Intervention,
    OracleExemplars,
    RandomExemplars,
    Reversed,
    ShuffledLabels,
)
from inference.prompts import mask_label
from inference.retrieved import CaseSearch, Neighbours
from inference.types import Consultation
from knowledge.pictures import Picture

_GREY: Final = 128.0
_SPREAD: Final = 50.0  # grey levels


class Heard(Intervention):
    """Changes nothing and keeps the cases that were found: an answer shows only some of those that voted."""

    def __init__(self) -> None:
        self.found = Neighbours()

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:  # noqa: ARG002
        """See Intervention."""
        self.found = found
        return found


def intervention_of(control: Control, item: Item, seed: int) -> Intervention:
    """What is done to the evidence of one case."""
    if control is Control.ORACLE:
        return OracleExemplars(item.label)
    if control is Control.RANDOM:
        return RandomExemplars(seed)
    if control is Control.SHUFFLED:
        return ShuffledLabels(seed, "replaced")
    return Reversed() if control is Control.REVERSED else NOTHING


def consultation_of(item: Item, picture: Picture, arm: Arm, seed: int = 0) -> Consultation:
    """One case as it asks. Its lesion, subject and source are what the leak guard keeps from it."""
    seen = noise(picture, seed) if arm.control is Control.NOISE else picture
    return Consultation(
        (seen,), _note(item, arm.note), item.age, item.sex, item.body_site, lesion=item.lesion, subject=item.subject,
        source=item.source,
    )  # fmt: skip


def noise(picture: Picture, seed: int) -> Picture:
    """Grey noise in the place of the pixels; the same for one picture and seed.

    The hashes stay those of the picture: the leak guard goes on keeping the case from itself.
    """
    drawn = np.random.default_rng([seed, int(hashlib.sha256(picture.sha256.encode()).hexdigest()[:16], 16)])
    rgb = np.clip(drawn.normal(_GREY, _SPREAD, picture.rgb.shape), 0, 255).astype(np.uint8)
    rgb.setflags(write=False)
    return replace(picture, rgb=rgb)


def _note(item: Item, note: Note) -> str:
    if note is Note.NONE:
        return ""
    return item.note if note is Note.GIVEN else mask_label(item.caption, item.label)
