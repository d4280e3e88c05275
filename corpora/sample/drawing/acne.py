"""Acne vulgaris: comedones, inflamed papules and pustules side by side on oily skin."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, pick
from drawing.shapes import Point, dome, ellipse, soft, spread


@dataclass(frozen=True, kw_only=True)
class Acne(Form):
    """Counts of open and closed comedones, inflamed papules and pustules over the whole frame."""

    label: ClassVar[str] = "acne vulgaris"

    comedones: int
    papules: int
    pustules: int

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        canvas.gloss += 0.07
        canvas.redden(soft(canvas.noise.fractal(canvas.x, canvas.y, 2.2, 2), 0.9), 0.16)
        places = spread(rng, self.comedones + self.papules + self.pustules, (1.25, 1.25), 0.1)
        for number, place in enumerate(places):
            if number < self.pustules:
                self._papule(canvas, place, float(rng.uniform(0.05, 0.085)), capped=True)
            elif number < self.pustules + self.papules:
                self._papule(canvas, place, float(rng.uniform(0.045, 0.1)), capped=False)
            else:
                self._comedo(canvas, place, float(rng.uniform(0.014, 0.026)), is_open=number % 3 > 0)

    def _papule(self, canvas: Canvas, place: Point, radius: float, *, capped: bool) -> None:
        depth = ellipse(canvas.x, canvas.y, place, (radius, radius))
        depth = depth + canvas.noise.at(canvas.x, canvas.y, 9) * 0.15 * radius
        canvas.redden(soft(depth + 0.6 * radius, 1.6 * radius), 0.5)
        canvas.redden(soft(depth, 0.04), 0.5)
        canvas.height += dome(depth, radius) * radius * 0.38
        canvas.gloss += soft(depth, 0.03) * 0.12
        if capped:
            cap = soft(depth - 0.45 * radius, 0.3 * radius)
            canvas.paint(cap * 0.92, np.array([0.96, 0.91, 0.68]) - 0.14 * canvas.darkness)

    def _comedo(self, canvas: Canvas, place: Point, radius: float, *, is_open: bool) -> None:
        depth = ellipse(canvas.x, canvas.y, place, (radius, radius))
        if is_open:
            canvas.paint(soft(depth, 0.012) * 0.9, np.array([0.2, 0.14, 0.11]) * (1 - 0.5 * canvas.darkness))
            return
        wide = ellipse(canvas.x, canvas.y, place, (radius * 1.6, radius * 1.6))
        canvas.height += dome(wide, radius * 1.6) * radius * 0.9
        canvas.paint(soft(wide, 0.02) * 0.35, np.array([0.97, 0.9, 0.82]) - 0.3 * canvas.darkness)

    def caption(self, wording: int) -> str:
        grade = (
            "severe"
            if self.papules + self.pustules > 24
            else "mild"
            if self.papules + self.pustules < 11
            else "moderate"
        )
        lead = (
            "comedones predominate" if self.comedones > self.papules + self.pustules else "inflamed lesions predominate"
        )
        hue = self.redness()
        pus = "and yellow-white pustules" if self.pustules > 2 else "and an occasional pustule"
        return pick(
            (
                f"Oily skin of the {self.site} with open and closed comedones, {hue} follicular papules {pus}; {lead}. "
                f"Impression: {grade} acne vulgaris.",
                f"On {self.skin()} of the {self.site}: blackheads, whiteheads, {hue} dome-shaped papules {pus}. "
                f"Lesions of different ages stand side by side, as in {grade} acne vulgaris.",
                f"The {self.site} shows a mixed follicular eruption of comedones, {hue} papules {pus} ({lead}). "
                f"Findings are those of acne vulgaris, {grade}.",
            ),
            wording,
        )
