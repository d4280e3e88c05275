"""Photodermatoses: erythema and papules on sun-exposed skin that stop sharply at the edge of clothing."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, pick
from drawing.noise import Field
from drawing.shapes import dome, ellipse, soft, spread


class Edge(Enum):
    """What kept the light away, as it reads in a caption."""

    SLEEVE = "the edge of a sleeve"
    COLLAR = "the edge of a V-neck collar"
    STRAP = "the edge of a strap"


@dataclass(frozen=True, kw_only=True)
class Photodermatosis(Form):
    """`edge` shapes the border; `papules` is a count of small papules; `strength` of the erythema in [0, 1]."""

    label: ClassVar[str] = "photodermatoses"

    edge: Edge
    papules: int
    strength: float
    offset: float = 0.0

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        exposed = soft(self._depth(canvas), 0.035)
        patchy = 0.82 + 0.45 * canvas.noise.fractal(canvas.x, canvas.y, 3, 3)
        canvas.redden(exposed * patchy, 0.45 + 0.4 * self.strength)
        tan = 0.12 + 0.15 * canvas.darkness
        canvas.absorb(exposed * tan, (0.5, 0.7, 0.9))
        for place in spread(rng, self.papules, (1.3, 1.3), 0.09):
            radius = float(rng.uniform(0.018, 0.04))
            bump = ellipse(canvas.x, canvas.y, place, (radius, radius))
            inside = soft(bump, 0.02) * exposed
            canvas.redden(inside, 0.5)
            canvas.height += dome(bump, radius) * exposed * radius * 0.5

    def _depth(self, canvas: Canvas) -> Field:
        x, y = canvas.x, canvas.y + canvas.noise.at(canvas.x, canvas.y, 2.5) * 0.015
        if self.edge is Edge.SLEEVE:
            depth: Field = y + 0.1 * x * x - self.offset
        elif self.edge is Edge.COLLAR:
            depth = (0.55 + self.offset - y - 1.1 * np.abs(x)) * 0.67
        else:
            depth = np.abs(y - self.offset - 0.15 * x) - 0.2
        return depth

    def caption(self, wording: int) -> str:
        papules = f" with {'many' if self.papules > 40 else 'scattered'} small papules" if self.papules else ""
        level = "intense" if self.strength > 0.6 else "moderate"
        return pick(
            (
                f"{level.capitalize()} {self.redness()} erythema{papules} of the sun-exposed {self.site}, ending in a "
                f"sharp line at {self.edge.value}. Covered skin is normal. Impression: photodermatosis.",
                f"On the {self.site}, {self.redness()} confluent erythema{papules} is confined to light-exposed "
                f"{self.skin()}; the cut-off follows {self.edge.value}. "
                "The distribution points to one of the photodermatoses.",
                f"Sharply limited {self.redness()} erythema{papules} on the {self.site}. The rash respects "
                f"{self.edge.value} and spares protected skin, as in photodermatoses.",
            ),
            wording,
        )
