"""Lays a query over candidates as well as it goes, and says how much then differs.

First the best of 8 orientations x 61 windows by correlation (`retrieval.windows`), then Gauss-Newton on the four edges of
the window: with v the query in the window, r the middle of the reference, g and o a gain and an offset, minimise

    sum (r - g v(left, right, top, bottom) - o)²

by solving (J'J + damping) step = J'(r - g v - o), J being g times the derivative of v by each edge. A few steps from at
most 2.5 % away. Source: Lucas and Kanade 1981; Baker and Matthews 2004 (forwards additive).
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.sketches import LUMA, Sketches, chroma_of, luma_of
from retrieval.windows import MARGIN, Windows, likely_windows, sampling, window_sampling

GRID: Final = 24  # cells a side of the window while sliding: finer than CELLS, coarser than a sketch
STEPS: Final = 4
FARTHEST_STEP: Final = 0.05  # of a side; a picture without structure must not slide away
SLACK: Final = 0.03  # how far a window may lie outside of the query
DAMPING: Final = 1e-3  # of the trace
HALF_BLUR: Final = 2  # cells; fine structure is what a mean over 5 x 5 cells takes away
_LEAST: Final = 1e-3  # grey levels; keeps a flat picture from a division by zero

Planes = NDArray[np.float32]  # [n, side, side]
Numbers = NDArray[np.float32]  # [n]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of the query from each candidate where they cover each other best, [n] each.

    `luma`, `chroma`: root mean square in grey levels, of chroma the worse plane. `contrast`: standard deviation of the
    reference's luma. `fine`: correlation of what is finer than 5 cells of 24, -1..1.
    """

    luma: Numbers
    chroma: Numbers
    contrast: Numbers
    fine: Numbers


def best_start(query: Sketches, candidates: Sketches) -> tuple[NDArray[np.int64], Numbers]:
    """For each candidate the number of the best orientation and window, and their correlation there, -1..1."""
    down, across = _samplings()
    windows = np.asarray(down @ luma_of(query)[0] @ across, dtype=np.float32)
    turned = np.concatenate([_turned(windows, number) for number in range(8)])
    middle = sampling((MARGIN, 1 - MARGIN), LUMA)
    middles = np.asarray(middle @ luma_of(candidates) @ middle.T, dtype=np.float32)
    references = _standardised(middles)[0]
    similarity = references @ _standardised(turned)[0].T
    best = similarity.argmax(axis=1)
    return best, similarity[np.arange(len(best)), best]


def difference(query: Sketches, candidates: Sketches, starts: NDArray[np.int64]) -> Difference:
    """What differs after sliding from `starts` (see `best_start`) into place."""
    orientations, numbers = np.divmod(starts, len(likely_windows()))
    luma = np.stack([_turned(luma_of(query)[0], one) for one in orientations])
    windows = np.stack([_turned_window(_windows()[n], one) for one, n in zip(orientations, numbers, strict=True)])
    reference = _middles(luma_of(candidates))
    placed = _slid(luma, reference, windows)
    found = _sampled(luma, placed)
    chroma = np.stack([_turned(chroma_of(query)[0], one) for one in orientations])
    chroma_differences = [
        _rms(_sampled(chroma[:, plane], placed) - _middles(chroma_of(candidates)[:, plane])) for plane in (0, 1)
    ]
    fine = (_standardised(_fine(found))[0] * _standardised(_fine(reference))[0]).sum(axis=1)
    return Difference(
        luma=_rms(found - reference),
        chroma=np.maximum(*chroma_differences),
        contrast=reference.std(axis=(1, 2)),
        fine=fine,
    )


def _slid(query: Planes, reference: Planes, windows: Windows) -> Windows:
    """The window of each query in which it correlates best with its reference."""
    wanted, spread = _standardised(reference)
    best, best_windows = np.full(len(query), -np.inf), windows.copy()
    for step in range(STEPS + 1):
        pixels, derivatives = _with_derivatives(query, windows)
        shown, deviation = _standardised(pixels)
        correlation = (shown * wanted).sum(axis=1)
        better = correlation > best
        best[better], best_windows[better] = correlation[better], windows[better]
        if step < STEPS:
            # The best gain is the correlation times the ratio of the spreads; the offset falls out of the means.
            gain = correlation * spread / deviation
            missing = wanted * spread[:, None] - shown * (gain * deviation)[:, None]
            windows = _stepped(windows, gain[:, None, None] * derivatives, missing)
    return best_windows


def _stepped(windows: Windows, jacobian: NDArray[np.float32], missing: NDArray[np.float32]) -> Windows:
    """`jacobian` [n, pixels, 4], `missing` [n, pixels]."""
    centred = jacobian - jacobian.mean(axis=1, keepdims=True)
    transposed = centred.transpose(0, 2, 1)
    normal = transposed @ centred
    damping = DAMPING * np.trace(normal, axis1=1, axis2=2) + _LEAST
    normal += damping[:, None, None] * np.eye(4, dtype=np.float32)
    step = np.linalg.solve(normal, transposed @ missing[..., None])[..., 0]
    moved = windows + np.clip(step, -FARTHEST_STEP, FARTHEST_STEP)
    return np.asarray(np.clip(moved, -SLACK, 1 + SLACK), dtype=np.float32)


def _with_derivatives(planes: Planes, windows: Windows) -> tuple[Planes, NDArray[np.float32]]:
    """The pixels in each window [n, GRID, GRID], and their derivatives by its four edges [n, GRID * GRID, 4]."""
    side = planes.shape[1]
    share: Numbers = ((np.arange(GRID) + 0.5) / GRID).astype(np.float32)
    columns, right = _between(windows[:, 0], windows[:, 1], share, side)
    rows, lower = _between(windows[:, 2], windows[:, 3], share, side)
    down, across = lower[:, :, None], right[:, None, :]
    one = np.arange(len(planes))[:, None, None]
    a, b, c, d = (
        planes[one, (rows + y)[:, :, None], (columns + x)[:, None, :]] for y, x in ((0, 0), (0, 1), (1, 0), (1, 1))
    )
    pixels = np.asarray(
        (a * (1 - across) + b * across) * (1 - down) + (c * (1 - across) + d * across) * down, dtype=np.float32
    )
    by_x = ((b - a) * (1 - down) + (d - c) * down) * side
    by_y = ((c - a) * (1 - across) + (d - b) * across) * side
    edges = (by_x * (1 - share), by_x * share, by_y * (1 - share)[:, None], by_y * share[:, None])
    return pixels, np.stack(edges, axis=-1).reshape(len(planes), -1, 4)


def _between(start: Numbers, end: Numbers, share: Numbers, side: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each cell [n, GRID] the grid line before it and how far beyond that it lies, 0..1."""
    at = np.clip((start[:, None] + (end - start)[:, None] * share) * side - 0.5, 0, side - 1)
    before = np.minimum(at.astype(np.int64), side - 2)
    return before, (at - before).astype(np.float32)


def _sampled(planes: Planes, windows: Windows) -> Planes:
    return _with_derivatives(planes, windows)[0]


def _middles(planes: Planes) -> Planes:
    middle = np.array([[MARGIN, 1 - MARGIN] * 2], dtype=np.float32)
    return _sampled(planes, np.repeat(middle, len(planes), axis=0))


def _turned(planes: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """One of the eight symmetries of the last two axes: bit 0 mirrors left-right, bit 1 top-bottom, bit 2 transposes last."""
    if orientation & 1:
        planes = planes[..., ::-1]
    if orientation & 2:
        planes = planes[..., ::-1, :]
    return np.swapaxes(planes, -1, -2) if orientation & 4 else planes


def _turned_window(window: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    left, right, top, bottom = window
    if orientation & 1:
        left, right = 1 - right, 1 - left
    if orientation & 2:
        top, bottom = 1 - bottom, 1 - top
    edges = (top, bottom, left, right) if orientation & 4 else (left, right, top, bottom)
    return np.array(edges, dtype=np.float32)


def _fine(planes: Planes) -> Planes:
    """What the mean over the neighbourhood (edges repeated) takes away."""
    width = 2 * HALF_BLUR + 1
    padded = np.pad(planes, ((0, 0), (HALF_BLUR, HALF_BLUR), (HALF_BLUR, HALF_BLUR)), mode="edge")
    rows: Planes = np.sum([padded[:, at : at + GRID] for at in range(width)], axis=0)
    summed: Planes = np.sum([rows[..., at : at + GRID] for at in range(width)], axis=0)
    return planes - summed / np.float32(width * width)


def _standardised(planes: Planes) -> tuple[NDArray[np.float32], Numbers]:
    """Each plane flat, without its mean, of length 1; and the length it had."""
    flat = planes.reshape(len(planes), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.maximum(np.linalg.norm(flat, axis=1), _LEAST)
    return flat / length[:, None], length


def _rms(planes: Planes) -> Numbers:
    mean: Numbers = np.sqrt(np.square(planes).mean(axis=(1, 2)))
    return mean


@cache
def _windows() -> Windows:
    return likely_windows()


@cache
def _samplings() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return window_sampling(_windows(), LUMA)
