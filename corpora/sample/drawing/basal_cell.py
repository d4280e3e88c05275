"""Basal cell carcinoma: a pearly translucent nodule with branching vessels and sometimes a central ulcer."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, pick
from drawing.noise import Field
from drawing.shapes import Point, dome, ellipse, ring, soft


@dataclass(frozen=True, kw_only=True)
class BasalCell(Form):
    """One nodule of `size` frame units radius; `ulcer` and `specks` say whether it is ulcerated or pigmented."""

    label: ClassVar[str] = "basal cell carcinoma"

    size: float
    ulcer: bool
    specks: bool

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        place = (float(rng.uniform(-0.25, 0.25)), float(rng.uniform(-0.25, 0.25)))
        radii = (self.size, self.size * float(rng.uniform(0.78, 0.95)))
        outline = ellipse(canvas.x, canvas.y, place, radii, float(rng.uniform(0, 3.1)))
        depth = outline + canvas.noise.fractal(canvas.x, canvas.y, 3, 2) * 0.14 * self.size
        self._nodule(canvas, depth)
        self._vessels(canvas, place, depth, rng)
        if self.specks:
            specks = soft(canvas.noise.fractal(canvas.x + 4, canvas.y, 7, 3) - 0.3, 0.15) * soft(depth - 0.04, 0.05)
            canvas.paint(specks * 0.85, (0.17, 0.16, 0.24))
        if self.ulcer:
            self._ulcerate(canvas, depth)

    def _nodule(self, canvas: Canvas, depth: Field) -> None:
        inside = soft(depth, 0.05)
        pearl = np.array([0.92, 0.72, 0.67]) * (1 - 0.58 * canvas.darkness)
        canvas.paint(inside * 0.7, pearl)
        # Light leaves a translucent nodule near its edge: a pale rolled rim.
        canvas.paint(ring(depth, 0.22 * self.size, 0.12 * self.size) * 0.45, np.minimum(pearl * 1.18, 0.97))
        canvas.redden(ring(depth, -0.04, 0.06) * 0.35, 0.8)
        lumps = 1 + 0.25 * canvas.noise.at(canvas.x, canvas.y, 5)
        canvas.height += dome(depth, self.size) ** 0.8 * self.size * 0.38 * lumps
        canvas.smooth(inside, 1.0)
        canvas.gloss += inside * 0.38

    def _vessels(self, canvas: Canvas, place: Point, depth: Field, rng: np.random.Generator) -> None:
        lines: list[list[Point]] = []
        for _ in range(7):
            angle = float(rng.uniform(0, 2 * math.pi))
            start = (place[0] + math.cos(angle) * self.size, place[1] + math.sin(angle) * self.size)
            trunk = _branch(start, angle + math.pi, self.size * 0.9, rng)
            lines += [trunk, _branch(trunk[4], angle + math.pi + float(rng.uniform(0.5, 0.9)), self.size * 0.5, rng)]
        red = canvas.stroke(lines, 1.1) * soft(depth + 0.06, 0.08)
        canvas.paint(red * 0.75, np.array([0.72, 0.12, 0.16]) * (1 - 0.3 * canvas.darkness))

    def _ulcerate(self, canvas: Canvas, depth: Field) -> None:
        hole = soft(depth - 0.55 * self.size + canvas.noise.fractal(canvas.x, canvas.y, 7, 2) * 0.12 * self.size, 0.06)
        canvas.paint(hole * 0.95, (0.36, 0.09, 0.07))
        canvas.height -= hole * self.size * 0.4
        canvas.gloss -= hole * 0.25
        crust = hole * soft(canvas.noise.fractal(canvas.x, canvas.y, 12, 2) - 0.1, 0.2)
        canvas.paint(crust * 0.7, (0.22, 0.1, 0.06))

    def caption(self, wording: int) -> str:
        extra = " with a central crusted ulcer" if self.ulcer else ""
        specks = ", together with blue-grey specks of pigment" if self.specks else ""
        return pick(
            (
                f"A pearly, translucent nodule{extra} on the {self.site}, with a rolled border and branching "
                f"telangiectasia{specks}. Impression: basal cell carcinoma.",
                f"On {self.skin()} of the {self.site} lies a shiny, smooth-bordered nodule{extra}; fine arborising "
                f"vessels cross the surface{specks}. Typical of nodular basal cell carcinoma.",
                f"Solitary glistening skin-coloured to pink tumour{extra} on the {self.site}. Its raised pearly rim "
                f"carries dilated vessels{specks}. Findings favour basal cell carcinoma.",
            ),
            wording,
        )


def _branch(start: Point, angle: float, length: float, rng: np.random.Generator) -> list[Point]:
    """A wavering line of eight steps."""
    line = [start]
    for _ in range(8):
        angle += float(rng.uniform(-0.45, 0.45))
        x, y = line[-1]
        line.append((x + math.cos(angle) * length / 8, y + math.sin(angle) * length / 8))
    return line
