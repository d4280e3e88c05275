"""The part of the body that a picture shows: a flat piece of skin, a limb before a drape, or the middle of a face."""

from enum import Enum

import numpy as np

from drawing.canvas import Canvas
from drawing.shapes import ellipse, ring, soft

# Drape, bench and paper colours behind limbs; muted so that the skin stays the brightest part.
BACKDROPS = ((0.30, 0.42, 0.50), (0.16, 0.17, 0.20), (0.62, 0.64, 0.64), (0.28, 0.40, 0.33), (0.45, 0.40, 0.36))


class Body(Enum):
    """How the skin lies in the frame."""

    FLAT = "flat"
    LIMB = "limb"
    FACE = "face"


def prepare(canvas: Canvas, body: Body, hairs: int, rng: np.random.Generator) -> None:
    """Shape healthy skin before the lesion is painted; `hairs` thin body hairs are kept under the lesion's scale."""
    canvas.backdrop = BACKDROPS[int(rng.integers(len(BACKDROPS)))]
    if body is Body.LIMB:
        _limb(canvas, float(rng.uniform(0.72, 0.95)))
    elif body is Body.FACE:
        _face(canvas)
    _hairs(canvas, hairs, rng)


def _limb(canvas: Canvas, half_width: float) -> None:
    """A cylinder along y, slightly bent so that no edge is a ruled line."""
    across = canvas.x + canvas.noise.at(canvas.x * 0, canvas.y, 0.7) * 0.12
    inside = np.clip(1 - (across / half_width) ** 2, 0, 1)
    canvas.height += np.sqrt(inside) * half_width * 0.45
    canvas.body = soft(half_width - np.abs(across), 0.03)


def _face(canvas: Canvas) -> None:
    """Nose, cheeks, closed lids and upper lip, only as far as they place a rash."""
    x, y = canvas.x, canvas.y
    bridge = np.exp(-((x / 0.17) ** 2)) * np.clip((y + 1.0) / 1.1, 0, 1) * soft(0.36 - y, 0.22)
    tip = np.exp(-(((x / 0.2) ** 2) + ((y - 0.2) / 0.17) ** 2))
    wings = sum(np.exp(-(((x - s * 0.2) / 0.09) ** 2 + ((y - 0.27) / 0.1) ** 2)) for s in (-1, 1))
    cheeks = sum(np.exp(-(((x - s * 0.72) / 0.45) ** 2 + ((y - 0.1) / 0.5) ** 2)) for s in (-1, 1))
    canvas.height += 0.16 * bridge + 0.08 * tip + 0.05 * wings + 0.16 * cheeks
    for side in (-1, 1):
        canvas.absorb(soft(ellipse(x, y, (side * 0.11, 0.37), (0.06, 0.03)), 0.04), (0.6, 0.65, 0.65))
        lid = ring(y + 0.62 - 0.25 * (np.abs(x) - 0.5) ** 2, 0, 0.016) * soft(0.24 - np.abs(np.abs(x) - 0.5), 0.06)
        canvas.absorb(lid * (np.sign(x) == side), (0.7, 0.75, 0.75))
        fold = ring(np.abs(x) - 0.27 - 0.3 * (y - 0.3), 0, 0.018) * soft(y - 0.25, 0.2)
        canvas.absorb(fold * (np.sign(x) == side), (0.12, 0.16, 0.16))
    lip = soft(y - 0.76 - 0.45 * x**2 + 0.05 * np.exp(-((x / 0.1) ** 2)), 0.06) * soft(0.5 - np.abs(x), 0.2)
    canvas.redden(lip, 0.4, violet=0.2)


def _hairs(canvas: Canvas, count: int, rng: np.random.Generator) -> None:
    lines = []
    for _ in range(count):
        x, y = float(rng.uniform(-1.1, 1.1)), float(rng.uniform(-1.1, 1.1))
        lean, bow, length = float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-0.12, 0.12)), float(rng.uniform(0.2, 0.4))
        steps = [i / 8 for i in range(9)]
        lines.append([(x + lean * length * t + bow * t * t, y + length * t) for t in steps])
    if lines:
        canvas.absorb(canvas.stroke(lines, 0.9) * 0.6, (0.65, 0.7, 0.72))
