"""Melanocytic nevi: small, symmetrical, evenly pigmented, well-bordered macules or papules."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, pick
from drawing.noise import Field
from drawing.shapes import dome, ellipse, soft, spread


@dataclass(frozen=True, kw_only=True)
class Nevus(Form):
    """`count` moles of about `size` frame units radius; `rise` in [0, 1] from flat to dome; `black` in [0, 1]."""

    label: ClassVar[str] = "melanocytic nevi"

    count: int
    size: float
    rise: float
    black: float

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        reach = self.within(0.3 if self.count == 1 else 0.65)
        for place in spread(rng, self.count, reach, self.size * 3):
            size = self.size * float(rng.uniform(0.8, 1.15))
            depth = ellipse(canvas.x, canvas.y, place, (size, size * float(rng.uniform(0.84, 1))), rng.uniform(0, 3.1))
            self._mole(canvas, depth + canvas.noise.at(canvas.x, canvas.y, 5) * 0.05 * size, size)

    def _mole(self, canvas: Canvas, depth: Field, size: float) -> None:
        inside = soft(depth, 0.05)
        brown = np.array([0.42, 0.25, 0.15]) * (1 - 0.35 * canvas.darkness)
        ink = brown * (1 - 0.62 * self.black)
        canvas.paint(inside * 0.92, ink)
        # A slightly darker middle, concentric so that symmetry holds.
        canvas.absorb(soft(depth - 0.35 * size, 0.5 * size) * 0.3, (0.5, 0.55, 0.55))
        grains = soft(canvas.noise.at(canvas.x, canvas.y, 22) - 0.3, 0.3) * inside
        canvas.absorb(grains * 0.2, (0.5, 0.5, 0.5))
        canvas.height += dome(depth, size) * size * 0.6 * self.rise
        canvas.gloss += inside * 0.12 * self.rise

    def caption(self, wording: int) -> str:
        hue = "brown-black" if self.black > 0.6 else "dark brown" if self.black > 0.3 else "medium brown"
        kind = "dome-shaped papule" if self.rise > 0.6 else "slightly raised papule" if self.rise > 0.2 else "macule"
        if self.count > 1:
            kind += "s"
        one = "A small" if self.count == 1 else "Several small"
        name = "melanocytic nevus" if self.count == 1 else "melanocytic nevi"
        return pick(
            (
                f"{one}, symmetrical, evenly {hue} {kind} with a regular, sharp border on the {self.site}. "
                f"Impression: benign {name}.",
                f"On {self.skin()} of the {self.site}: {one.lower()} {hue} {kind}, round to oval, uniform in colour "
                f"and smooth. No ulcer and no scale. Consistent with {name}.",
                f"Regular {hue} {kind} on the {self.site}, symmetrical in two axes, one colour, clear-cut edge. "
                f"The features are those of benign {name}.",
            ),
            wording,
        )
