"""Psoriasis: sharply bordered raised plaques with silvery scale."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, counted, pick
from drawing.noise import Field
from drawing.shapes import ellipse, soft, spread


@dataclass(frozen=True, kw_only=True)
class Psoriasis(Form):
    """`count` plaques of about `size` frame units radius; `scale` in [0, 1] is how much of them scale covers."""

    label: ClassVar[str] = "psoriasis"

    count: int
    size: float
    scale: float

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        reach = self.within(0.8 if self.count > 2 else 0.5 if self.count == 2 else 0.2)
        rough = canvas.noise.fractal(canvas.x, canvas.y, 3.2, 3) * 0.22 * self.size
        depth = np.full_like(canvas.x, -9.0)
        for place in spread(rng, self.count, reach, self.size * 2.3):
            long = self.size * float(rng.uniform(0.95, 1.3))
            wide = self.size * float(rng.uniform(0.65, 0.95))
            depth = np.maximum(depth, ellipse(canvas.x, canvas.y, place, (long, wide), float(rng.uniform(0, 3.1))))
        depth = depth + rough
        inside = soft(depth, 0.025)
        canvas.redden(inside, 0.85, violet=0.1 + 0.25 * canvas.darkness)
        canvas.height += soft(depth - 0.02, 0.06) * 0.03
        self._flake(canvas, depth)

    def _flake(self, canvas: Canvas, depth: Field) -> None:
        coarse = canvas.noise.fractal(canvas.x + 5, canvas.y, 9, 4)
        fine = canvas.noise.at(canvas.x, canvas.y + 9, 34)
        # The rim stays bare: the red border around the scale is what makes a plaque read as psoriasis.
        wanted = 0.5 - 0.85 * self.scale
        flakes = soft(coarse + 0.35 * fine - wanted, 0.3) * soft(depth - 0.07, 0.05)
        silver = np.array([0.93, 0.91, 0.91]) - 0.2 * canvas.darkness
        canvas.paint(flakes * 0.85, silver)
        canvas.height += flakes * (0.012 + 0.008 * fine)
        canvas.gloss += flakes * 0.1

    def caption(self, wording: int) -> str:
        heavy = "thick silvery-white" if self.scale > 0.6 else "fine silvery" if self.scale < 0.4 else "silvery-white"
        plural = "" if self.count == 1 else "s"
        size = "small" if self.size < 0.25 else "large" if self.size > 0.5 else "medium-sized"
        return pick(
            (
                f"{counted(self.count).capitalize()} {size}, sharply demarcated {self.redness()} plaque{plural} with "
                f"{heavy} scale on the {self.site}. The border is raised and free of scale. "
                "The appearance is typical of psoriasis.",
                f"On {self.skin()} of the {self.site}: {counted(self.count)} well-defined, raised {self.redness()} "
                f"plaque{plural}, {size}, topped by {heavy} scale. Impression: psoriasis.",
                f"The {self.site} shows {self.redness()} erythematosquamous plaque{plural} ({counted(self.count)}, "
                f"{size}) with an abrupt edge and {heavy} scale, consistent with plaque psoriasis."
                if self.count < 6
                else f"Disseminated drop-like {self.redness()} papules and {size} plaques with {heavy} scale and sharp "
                f"edges on the {self.site}, consistent with guttate psoriasis.",
            ),
            wording,
        )
