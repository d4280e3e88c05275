"""What every disease gives: how one lesion is drawn and how a clinician would describe it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from drawing.bodies import Body
from drawing.canvas import Canvas
from drawing.shapes import Point

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Form(ABC):
    """Parameters of one lesion. `tone` is Fitzpatrick 1..6; `hairs` is a count of body hairs."""

    label: ClassVar[str]

    tone: int
    site: str
    body: Body = Body.FLAT
    hairs: int = 4

    @abstractmethod
    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """Paint the lesion; everything random comes from `rng` or the canvas's noise."""

    @abstractmethod
    def caption(self, wording: int) -> str:
        """One to three sentences true of the picture; `wording` (0, 1, ...) varies the words, not the facts."""

    def within(self, reach: float) -> Point:
        """Half-axes for placing lesions; a limb is narrower than the frame."""
        return (min(reach, 0.5), reach) if self.body is Body.LIMB else (reach, reach)

    def redness(self) -> str:
        """How erythema reads on this tone."""
        words = {1: "pink-red", 2: "bright red", 3: "red", 4: "dusky red", 5: "dark red", 6: "dark violaceous red"}
        return words[self.tone]

    def skin(self) -> str:
        """The tone in words."""
        words = {1: "very fair", 2: "fair", 3: "light olive", 4: "light brown", 5: "brown", 6: "dark brown"}
        return words[self.tone] + " skin"


def pick(options: Sequence[T], wording: int) -> T:
    """The option for this wording, going round."""
    return options[wording % len(options)]


def counted(number: int) -> str:
    """A count as clinicians write it: exact when few, a word when many."""
    words = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}
    return words.get(number, "many" if number > 15 else "multiple")
