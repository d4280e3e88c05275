"""Lupus erythematosus: discoid plaques with a pale atrophic centre, or the butterfly rash of the face."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, counted, pick
from drawing.noise import Field
from drawing.shapes import ellipse, ring, soft, spread


@dataclass(frozen=True, kw_only=True)
class DiscoidLupus(Form):
    """`count` discs of about `size` frame units radius; `plugs` tells whether dark follicular plugs are seen."""

    label: ClassVar[str] = "lupus erythematosus"

    count: int
    size: float
    plugs: bool

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        for place in spread(rng, self.count, self.within(0.15 if self.count == 1 else 0.6), self.size * 2.3):
            radii = (self.size * float(rng.uniform(0.95, 1.15)), self.size * float(rng.uniform(0.8, 1.0)))
            depth = ellipse(canvas.x, canvas.y, place, radii, float(rng.uniform(0, 3.1)))
            self._disc(canvas, depth + canvas.noise.fractal(canvas.x, canvas.y, 3, 2) * 0.14 * self.size)

    def _disc(self, canvas: Canvas, depth: Field) -> None:
        centre = soft(depth - 0.42 * self.size, 0.3 * self.size)
        canvas.redden(soft(depth, 0.07) * (1 - 0.6 * centre), 0.85, violet=0.15)
        # Pigment gathers at the edge, the more the darker the skin.
        canvas.absorb(ring(depth, 0.02, 0.07) * (0.15 + 0.5 * canvas.darkness), (0.5, 0.6, 0.62))
        pale = np.array([0.95, 0.84, 0.79]) - np.array([0.1, 0.22, 0.28]) * canvas.darkness
        canvas.paint(centre * 0.8, pale)
        canvas.smooth(centre, 0.9)
        canvas.height += soft(depth, 0.1) * 0.03 - centre * 0.05
        canvas.gloss += centre * 0.12
        flakes = soft(canvas.noise.fractal(canvas.x, canvas.y, 14, 2) - 0.25, 0.2) * ring(depth, 0.3 * self.size, 0.08)
        canvas.paint(flakes * 0.55, (0.9, 0.86, 0.8))
        if self.plugs:
            dots = soft(canvas.noise.at(canvas.x, canvas.y, 13) - 0.62, 0.12) * ring(depth, 0.3 * self.size, 0.1)
            canvas.absorb(dots * 0.8, (0.6, 0.7, 0.75))

    def caption(self, wording: int) -> str:
        plugs = " Dark follicular plugs are visible within it." if self.plugs else ""
        plural = "" if self.count == 1 else "s"
        return pick(
            (
                f"{counted(self.count).capitalize()} discoid {self.redness()} plaque{plural} on the {self.site} with a "
                f"pale, depressed atrophic centre and a darker active rim.{plugs} Impression: discoid lupus "
                "erythematosus.",
                f"Coin-shaped lesion{plural} ({counted(self.count)}) on {self.skin()} of the {self.site}: "
                f"{self.redness()} raised margin, scarred whitish centre and scant adherent scale.{plugs} Findings "
                "favour lupus erythematosus.",
                f"The {self.site} bears {counted(self.count)} round plaque{plural} with {self.redness()} border, "
                f"central atrophy and loss of pigment.{plugs} This fits chronic cutaneous lupus erythematosus.",
            ),
            wording,
        )


@dataclass(frozen=True, kw_only=True)
class ButterflyLupus(Form):
    """`strength` of the erythema and its `extent` over the cheeks, both in [0, 1]."""

    label: ClassVar[str] = "lupus erythematosus"

    strength: float
    extent: float

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:  # noqa: ARG002 - the face fixes every place
        x, y = np.abs(canvas.x), canvas.y
        wing = ellipse(x, y, (0.5, 0.02), (0.3 + 0.16 * self.extent, 0.22 + 0.1 * self.extent), -0.35)
        bridge = ellipse(x, y, (0.0, -0.12), (0.24, 0.2))
        depth = np.maximum(wing, bridge) + canvas.noise.fractal(canvas.x, y, 3.5, 3) * 0.07
        # The nasolabial folds stay free: the sign that tells it from rosacea or seborrhoeic dermatitis.
        spared = soft(y - 0.16 - 0.5 * (0.42 - x), 0.1) * soft(0.5 - x, 0.12)
        mask = soft(depth, 0.08) * (1 - spared)
        canvas.redden(mask, 0.55 + 0.4 * self.strength, violet=0.1)
        flakes = soft(canvas.noise.fractal(canvas.x, y, 15, 2) - 0.35, 0.2) * soft(depth - 0.05, 0.1)
        canvas.paint(flakes * 0.3 * (1 - spared), (0.9, 0.83, 0.8))
        canvas.height += mask * 0.015

    def caption(self, wording: int) -> str:
        how = "Intense" if self.strength > 0.6 else "Moderate"
        return pick(
            (
                f"{how} {self.redness()} butterfly erythema over both cheeks and the bridge of the nose; the "
                "nasolabial folds are spared. Impression: malar rash of lupus erythematosus.",
                f"Symmetrical {self.redness()} malar rash with slight scale on {self.skin()}, crossing the nasal "
                "bridge and leaving the nasolabial folds free. Suggestive of acute cutaneous lupus erythematosus.",
            ),
            wording,
        )
