"""Scleroderma (localised): a shiny ivory hardened patch with a lilac border, round or as a band."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drawing.canvas import Canvas
from drawing.form import Form, pick
from drawing.noise import Field
from drawing.shapes import ellipse, ring, soft, spread


@dataclass(frozen=True, kw_only=True)
class Scleroderma(Form):
    """`count` patches of half-length `length` and half-width `width`, frame units; `lilac` in [0, 1] tints the rim."""

    label: ClassVar[str] = "scleroderma"

    count: int
    length: float
    width: float
    lilac: float

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        gap = 0.0 if self.count == 1 else self.width * 2.6
        depth = np.full_like(canvas.x, -9.0)
        for place in spread(rng, self.count, self.within(0.15 if self.count == 1 else 0.6), gap):
            turn = float(rng.uniform(1.2, 1.9)) if self._linear else float(rng.uniform(0, 3.1))
            patch = ellipse(canvas.x, canvas.y, place, (self.length, self.width), turn)
            depth = np.maximum(depth, patch)
        self._harden(canvas, depth + canvas.noise.fractal(canvas.x, canvas.y, 2.2, 2) * 0.18 * self.width)

    def _harden(self, canvas: Canvas, depth: Field) -> None:
        patch = soft(depth - 0.02, 0.12)
        dark = canvas.darkness
        canvas.smooth(patch, 1.0)
        ivory = np.array([0.97, 0.92, 0.81]) - np.array([0.12, 0.2, 0.24]) * dark
        cloud = 0.72 + 0.2 * canvas.noise.fractal(canvas.x, canvas.y, 4, 2)
        canvas.paint(patch * cloud, ivory)
        rim = ring(depth, -0.03, 0.06) * self.lilac
        canvas.absorb(rim, (0.18 + 0.1 * dark, 0.36, 0.14))
        canvas.colour += rim[..., None] * np.array([0.05, 0.0, 0.06]) * (0.3 + 0.7 * dark)
        canvas.height -= soft(depth - 0.05, 0.3) * 0.03
        canvas.gloss += patch * 0.3

    @property
    def _linear(self) -> bool:
        return self.length > 2.2 * self.width

    def caption(self, wording: int) -> str:
        kind = "band" if self._linear else "plaque"
        number = f"A single {kind}" if self.count == 1 else f"Several {kind}s"
        rim = "a distinct lilac border" if self.lilac > 0.6 else "a faint lilac halo"
        name = "linear scleroderma" if self._linear else "localised scleroderma (morphea)"
        return pick(
            (
                f"{number} of ivory-white, shiny, hardened skin on the {self.site} with {rim}. Normal skin lines are "
                f"lost within the sclerotic area. Impression: {name}.",
                f"Smooth, waxy, pale sclerotic {kind if self.count == 1 else kind + 's'} on {self.skin()} of the "
                f"{self.site}, surrounded by {rim}. The surface reflects light and carries no furrows. "
                f"Findings are those of {name}.",
                f"The {self.site} shows indurated, porcelain-coloured skin in the form of "
                f"{'a ' + kind if self.count == 1 else kind + 's'}, slightly sunken, with {rim}; consistent with "
                f"{name}.",
            ),
            wording,
        )
