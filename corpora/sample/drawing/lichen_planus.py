"""Lichen planus: violaceous, flat-topped, polygonal, shiny papules with fine white lines."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, counted, pick
from drawing.noise import Field
from drawing.shapes import polygon, soft, spread


@dataclass(frozen=True, kw_only=True)
class LichenPlanus(Form):
    """`count` papules of about `size` frame units radius; `clustered` ones crowd together in the middle."""

    label: ClassVar[str] = "lichen planus"

    count: int
    size: float
    clustered: bool

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        reach = self.within(0.55 if self.clustered else 1.0)
        gap = self.size * (1.55 if self.clustered else 2.4)
        for place in spread(rng, self.count, reach, gap):
            size = self.size * float(rng.uniform(0.65, 1.15))
            sides = [size * float(rng.uniform(0.75, 1.1)) for _ in range(int(rng.integers(5, 8)))]
            self._papule(canvas, polygon(canvas.x, canvas.y, place, sides, float(rng.uniform(0, 6.2))), size)

    def _papule(self, canvas: Canvas, depth: Field, size: float) -> None:
        depth = depth + canvas.noise.at(canvas.x, canvas.y, 9) * 0.012
        top = soft(depth, 0.03)
        dark = canvas.darkness
        canvas.absorb(top * 0.9, (0.28 + 0.1 * dark, 0.52 - 0.1 * dark, 0.28))
        canvas.colour += top[..., None] * np.array([0.03, 0.0, 0.05]) * (0.4 + 0.6 * dark)
        # A steep edge and a level top: the plateau is what a dome-shaped papule has not.
        canvas.height += soft(depth - 0.01, 0.05) * 0.02
        canvas.smooth(top, 0.8)
        canvas.gloss += top * 0.22
        lines = np.abs(canvas.noise.at(canvas.x, canvas.y, 2.2 / size * 0.6))
        lace = soft(0.075 - lines, 0.09) * soft(depth - 0.015, 0.03)
        canvas.paint(lace * 0.6, np.array([0.9, 0.84, 0.9]) - 0.18 * dark)

    def caption(self, wording: int) -> str:
        where = "grouped on" if self.clustered else "scattered over"
        hue = "violaceous" if self.tone < 5 else "dark violet-brown"
        many = counted(self.count)
        return pick(
            (
                f"{many.capitalize()} {hue}, flat-topped polygonal papules {where} the {self.site}, with a shiny "
                "surface and fine whitish lines (Wickham striae). Impression: lichen planus.",
                f"On {self.skin()} of the {self.site}: {many} sharply bordered, angular {hue} papules with level, "
                "glistening tops and lacy white streaks. The morphology is that of lichen planus.",
                f"Polygonal {hue} plane papules, {many} in number, {where} the {self.site}. White reticulate lines "
                "cross the shiny surface. Findings favour lichen planus.",
            ),
            wording,
        )
