"""Seeded noise that is a function of place, so that two views of one lesion show the same irregularities."""

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]

_CELLS = 128  # the pattern repeats after this many cells, more than any picture shows


class Noise:
    """Gradient noise; equal seed and place give an equal value. Gradients, because plain value noise shows its grid."""

    def __init__(self, seed: int) -> None:
        angles = np.random.default_rng(seed).random((_CELLS, _CELLS)) * 2 * np.pi
        self._slope_x, self._slope_y = np.cos(angles), np.sin(angles)

    def at(self, x: Field, y: Field, frequency: float) -> Field:
        """Values in [-1, 1] with about `frequency` bumps per unit of length."""
        gx, gy = x * frequency + 37.3, y * frequency + 71.7
        column, row = np.floor(gx).astype(np.int64), np.floor(gy).astype(np.int64)
        tx, ty = gx - column, gy - row
        corners = [self._corner(column + i, row + j, tx - i, ty - j) for j in (0, 1) for i in (0, 1)]
        wx, wy = _ease(tx), _ease(ty)
        upper = corners[0] * (1 - wx) + corners[1] * wx
        lower = corners[2] * (1 - wx) + corners[3] * wx
        mixed: Field = np.clip((upper * (1 - wy) + lower * wy) * 1.6, -1, 1)
        return mixed

    def _corner(self, column: NDArray[np.int64], row: NDArray[np.int64], dx: Field, dy: Field) -> Field:
        cell = row % _CELLS, column % _CELLS
        share: Field = self._slope_x[cell] * dx + self._slope_y[cell] * dy
        return share

    def fractal(self, x: Field, y: Field, frequency: float, octaves: int = 3) -> Field:
        """Sum of octaves, each twice as fine and half as strong, scaled back to [-1, 1]."""
        total, weight = np.zeros_like(x), 0.0
        for octave in range(octaves):
            # A shift per octave keeps the lattice lines of the octaves from coinciding.
            total += self.at(x + octave * 3.1, y - octave * 1.7, frequency * 2**octave) * 0.5**octave
            weight += 0.5**octave
        scaled: Field = total / weight
        return scaled


def _ease(t: Field) -> Field:
    eased: Field = t * t * t * (t * (t * 6 - 15) + 10)
    return eased
