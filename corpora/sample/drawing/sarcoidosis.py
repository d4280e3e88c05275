"""Sarcoidosis: smooth red-brown dome-shaped papules, single or joined to a ring."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, counted, pick
from drawing.noise import Field
from drawing.shapes import Point, dome, ellipse, ring, soft, spread


@dataclass(frozen=True, kw_only=True)
class Sarcoidosis(Form):
    """`count` papules of about `size` frame units radius; `annular` ones stand in a ring of radius 0.5."""

    label: ClassVar[str] = "sarcoidosis"

    count: int
    size: float
    annular: bool

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        if self.annular:
            centre = (float(rng.uniform(-0.1, 0.1)), float(rng.uniform(-0.1, 0.1)))
            self._floor(canvas, centre)
            turns = [2 * math.pi * (i + float(rng.uniform(-0.2, 0.2))) / self.count for i in range(self.count)]
            places = [(centre[0] + 0.55 * math.cos(t), centre[1] + 0.47 * math.sin(t)) for t in turns]
        else:
            places = spread(rng, self.count, self.within(0.7), self.size * 2.2)
        for place in places:
            size = self.size * float(rng.uniform(0.75, 1.2))
            outline = ellipse(canvas.x, canvas.y, place, (size, size * float(rng.uniform(0.8, 1.0))), _turn_of(place))
            self._papule(canvas, outline + canvas.noise.at(canvas.x, canvas.y, 4) * 0.14 * size, size)

    def _floor(self, canvas: Canvas, centre: Point) -> None:
        """The clearing centre of a ring keeps a trace of brown, and the ring itself is one infiltrated band."""
        depth = ellipse(canvas.x, canvas.y, centre, (0.55, 0.47))
        canvas.absorb(soft(depth, 0.2) * 0.2, (0.2, 0.4, 0.5))
        self._stain(canvas, ring(depth, 0, 0.07) * 0.8)

    def _papule(self, canvas: Canvas, depth: Field, size: float) -> None:
        self._stain(canvas, soft(depth, 0.08) * 0.9)
        canvas.height += dome(depth, size) * size * 0.3
        canvas.smooth(soft(depth, 0.05), 0.7)
        canvas.gloss += soft(depth, 0.05) * 0.1

    def _stain(self, canvas: Canvas, mask: Field) -> None:
        dark = canvas.darkness
        canvas.absorb(mask, (0.34 - 0.1 * dark, 0.62 - 0.1 * dark, 0.68 - 0.12 * dark))
        canvas.colour += mask[..., None] * np.array([0.08, 0.02, 0.0]) * dark

    def caption(self, wording: int) -> str:
        hue = "red-brown" if self.tone < 5 else "brick-brown"
        shape = "joined to an annular plaque with a flattened centre" if self.annular else "standing apart"
        many = counted(self.count)
        return pick(
            (
                f"{many.capitalize()} smooth, dome-shaped {hue} papules on the {self.site}, {shape}, without scale. "
                "Impression: cutaneous sarcoidosis.",
                f"Firm-looking {hue} papules ({many}) on {self.skin()} of the {self.site}, {shape}. The surface is "
                "smooth and the edge rounded. Granulomatous disease, in keeping with sarcoidosis.",
                f"The {self.site} shows {many} infiltrated {hue} papules, {shape}. There is neither scale nor ulcer; "
                "the picture suggests papular sarcoidosis."
                if not self.annular
                else f"An infiltrated {hue} ring made of {many} smooth papules lies on the {self.site}; its centre is "
                "clearing and there is no scale. The picture suggests annular sarcoidosis.",
            ),
            wording,
        )


def _turn_of(place: Point) -> float:
    """A turn in radians fixed by the place, so that papules of a ring do not all lie the same way."""
    return (place[0] * 7 + place[1] * 13) % math.pi
