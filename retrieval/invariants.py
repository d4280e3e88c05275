"""Numbers that stay the same when a picture is mirrored or turned by quarters: how likely copies are found among many.

The cosine coefficients C[u, v] of a square picture change under its eight symmetries in two ways only: mirroring gives
C[u, v] the sign (-1)^v or (-1)^u, transposing swaps C[u, v] and C[v, u]. So these do not change at all:

    C[u, u] for even u, |C[u, u]| for odd u
    C[u, v] + C[v, u] and |C[u, v] - C[v, u]|         for even u and v (divided by the root of 2)
    max and min of |C[u, v]| and |C[v, u]|            otherwise

The distance of two such vectors is never larger than that of the pictures' coefficients in the best orientation: a copy is
never pushed away. Coarse ones are enough (u + v <= 6 of luma, <= 3 of either chroma: 42 numbers), because whoever is near is
then laid over the query (`retrieval.registration`).

Source: Ahmed, Natarajan and Rao 1974 (cosine transform); its symmetries follow from cos(pi u (1 - x)) = (-1)^u cos(pi u x).
"""

from functools import cache
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.sketches import CHROMA, LUMA, Sketches, chroma_of, luma_of
from retrieval.windows import CELLS, MARGIN, likely_windows, sampling, window_sampling

LUMA_WAVES: Final = 6  # frequencies 0..5 along each axis
CHROMA_WAVES: Final = 3
NUMBERS: Final = 42
GREY: Final = np.float32(128)  # taken away first: distances of small numbers lose fewer digits
_MIDDLE: Final = (MARGIN, 1 - MARGIN)

Features = NDArray[np.float32]  # [n, 42]


def middle_features(sketches: Sketches) -> Features:
    """Of the middle of each reference picture, [n, 42]."""
    luma = _projected(luma_of(sketches), LUMA, LUMA_WAVES)
    chroma = [_projected(plane, CHROMA, CHROMA_WAVES) for plane in np.moveaxis(chroma_of(sketches), 1, 0)]
    return np.concatenate([invariants(one) for one in (luma, *chroma)], axis=1)


def window_features(sketch: Sketches) -> Features:
    """[61, 42] of one sketch [1, SKETCH_BYTES]: where the middle of a reference may lie in it."""
    blue, red = chroma_of(sketch)[0]
    planes = ((luma_of(sketch)[0], LUMA_WAVES), (blue, CHROMA_WAVES), (red, CHROMA_WAVES))
    return np.concatenate([invariants(_of_windows(plane, waves)) for plane, waves in planes], axis=1)


def invariants(coefficients: NDArray[np.float32]) -> Features:
    """[n, waves, waves] cosine coefficients to the numbers above, those with u + v <= waves."""
    waves = coefficients.shape[1]
    found: list[NDArray[np.float32]] = []
    for u, v in combinations_with_replacement(range(waves), 2):
        if u + v <= waves:
            found.extend(_invariant(u, v, coefficients[:, u, v], coefficients[:, v, u]))
    return np.stack(found, axis=1)


def _invariant(u: int, v: int, one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    if u == v:
        return (one if u % 2 == 0 else np.abs(one),)
    if u % 2 == 0 and v % 2 == 0:
        root = np.float32(np.sqrt(2))
        return (one + other) / root, np.abs(one - other) / root
    one, other = np.abs(one), np.abs(other)
    return np.maximum(one, other), np.minimum(one, other)


@cache
def cosines(waves: int) -> NDArray[np.float32]:
    """[waves, CELLS]: orthonormal rows, the first is constant (the cosine transform called DCT-II)."""
    places = (np.arange(CELLS) + 0.5) * np.pi / CELLS
    rows = np.cos(np.outer(np.arange(waves), places)) * np.sqrt(2 / CELLS)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, dtype=np.float32)


def _projected(planes: NDArray[np.float32], side: int, waves: int) -> NDArray[np.float32]:
    """[n, waves, waves] of the middle of [n, side, side]; one product for all, as a collection has tens of thousands."""
    rows = cosines(waves) @ sampling(_MIDDLE, side)
    flat = (planes - GREY).reshape(-1, side * side)
    return np.asarray(flat @ np.kron(rows, rows).T, dtype=np.float32).reshape(-1, waves, waves)


def _of_windows(plane: NDArray[np.float32], waves: int) -> NDArray[np.float32]:
    down, across = _window_sampling(plane.shape[0])
    rows = cosines(waves)
    return np.asarray(rows @ (down @ (plane - GREY) @ across) @ rows.T, dtype=np.float32)


@cache
def _window_sampling(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return window_sampling(likely_windows(), side)
