"""Squamous cell carcinoma in situ: one irregular scaly, partly crusted red plaque on sun-damaged skin."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, pick
from drawing.noise import Field
from drawing.shapes import ellipse, soft


@dataclass(frozen=True, kw_only=True)
class SccInSitu(Form):
    """One plaque of `size` frame units radius; `crust` in [0, 1] is how much of it yellow-brown crust covers."""

    label: ClassVar[str] = "squamous cell carcinoma in situ"

    size: float
    crust: float

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        self._sun_damage(canvas)
        place = (float(rng.uniform(-0.25, 0.25)), float(rng.uniform(-0.25, 0.25)))
        radii = (self.size * float(rng.uniform(1.0, 1.25)), self.size * float(rng.uniform(0.6, 0.85)))
        outline = ellipse(canvas.x, canvas.y, place, radii, float(rng.uniform(0, 3.1)))
        # Strong slow noise makes bays and tongues: an irregular border is part of the picture.
        depth = outline + canvas.noise.fractal(canvas.x, canvas.y, 3.4, 4) * 0.55 * self.size
        self._plaque(canvas, depth)

    def _sun_damage(self, canvas: Canvas) -> None:
        spots = soft(canvas.noise.fractal(canvas.x + 11, canvas.y, 4.5, 2) - 0.42, 0.12)
        canvas.absorb(spots * 0.4, (0.25, 0.42, 0.5))
        veins = soft(0.05 - np.abs(canvas.noise.at(canvas.x, canvas.y + 3, 6)), 0.06)
        canvas.redden(veins, 0.16)

    def _plaque(self, canvas: Canvas, depth: Field) -> None:
        inside = soft(depth, 0.05)
        canvas.redden(inside, 0.72)
        canvas.absorb(inside * 0.35, (0.05, 0.1, 0.25))
        bumps = canvas.noise.fractal(canvas.x, canvas.y + 6, 9, 3)
        canvas.height += inside * (0.014 + 0.022 * bumps)
        rough = soft(bumps - 0.1, 0.25) * soft(depth - 0.03, 0.08)
        canvas.paint(rough * 0.5, np.array([0.9, 0.83, 0.7]) - 0.22 * canvas.darkness)
        crust = soft(canvas.noise.fractal(canvas.x + 2, canvas.y, 4.5, 3) - 0.45 + 0.75 * self.crust, 0.12)
        crust = crust * soft(depth - 0.06, 0.08)
        canvas.paint(crust * 0.85, np.array([0.7, 0.5, 0.25]) * (1 - 0.25 * canvas.darkness))
        canvas.height += crust * (0.03 + 0.025 * bumps)
        raw = soft(-bumps - 0.42, 0.1) * soft(depth - 0.08, 0.08) * (1 - crust)
        canvas.paint(raw * 0.7, (0.62, 0.13, 0.12))

    def caption(self, wording: int) -> str:
        cover = "thick yellow-brown crust" if self.crust > 0.5 else "patches of yellowish crust"
        size = "large" if self.size > 0.42 else "small"
        return pick(
            (
                f"A solitary {size} {self.redness()} plaque on the {self.site} with an irregular, well-defined border, "
                f"rough scale and {cover}. The skin around it is mottled by sun damage. "
                "Impression: squamous cell carcinoma in situ (Bowen disease).",
                f"Single {self.redness()} scaly plaque of uneven outline on {self.skin()} of the "
                f"{self.site}, carrying {cover} and small erosions. Suspicious for squamous cell carcinoma in situ.",
                f"The {self.site} shows one {size}, irregular, slightly raised {self.redness()} plaque with scale and "
                f"{cover}; there is no silvery sheen. Biopsy is advised for squamous cell carcinoma in situ.",
            ),
            wording,
        )
