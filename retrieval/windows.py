"""Where the middle of a reference picture lies in a query that may be a cropped copy of it, or it of the query.

Compared is only the middle of the reference, x in [0.1, 0.9] of its width: whatever a crop of up to 10 % a side took
away, the middle is still there, and nothing has to be invented beyond an edge. If the query is the reference without its
left share l and right share r, the middle lies in the query at

    [(0.1 - l) / (1 - l - r), (0.9 - l) / (1 - l - r)]

and if the reference is the query without l and r, at [l + 0.1 (1 - l - r), l + 0.9 (1 - l - r)]; the same downwards.
"""

from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

MARGIN: Final = 0.1  # of a side: how much may have been cropped
CELLS: Final = 16  # a side of a window as it is compared
_SAMPLES: Final = 2  # per cell and axis: what lies between them is not missed

Span = tuple[float, float]  # from, to; shares of the query's side
Windows = NDArray[np.float32]  # [w, 4]: left, right, top, bottom, shares of the sides


def spans(left: float, right: float) -> tuple[Span, Span]:
    """The middle of the reference in the query: if the query was cropped by these shares, and if the reference was."""
    kept = 1 - left - right
    return ((MARGIN - left) / kept, (1 - MARGIN - left) / kept), (left + MARGIN * kept, left + (1 - MARGIN) * kept)


def likely_windows() -> Windows:
    """Each side whole or cropped by 10 %, each side whole or by 5 %, for either picture: 61 windows.

    5 % apart is near enough for `retrieval.registration` to slide into place.
    """
    found: dict[tuple[Span, Span], None] = {}
    for share in (MARGIN, MARGIN / 2):
        for left, right, top, bottom in product((0.0, share), repeat=4):
            found.update(dict.fromkeys(zip(spans(left, right), spans(top, bottom), strict=True)))
    return np.array([(*across, *down) for across, down in found], dtype=np.float32)


def sampling(span: Span, side: int) -> NDArray[np.float32]:
    """[CELLS, side]: what each cell of a window takes from a row of `side` cells, by linear interpolation; rows add to 1."""
    start, end = span
    places = start + (end - start) * (np.arange(CELLS * _SAMPLES) + 0.5) / (CELLS * _SAMPLES)
    at = np.clip(places * side - 0.5, 0, side - 1)
    lower = np.minimum(at.astype(np.int64), side - 2)
    weights = np.zeros((len(at), side))
    weights[np.arange(len(at)), lower] = 1 - (at - lower)
    weights[np.arange(len(at)), lower + 1] = at - lower
    rows: NDArray[np.float32] = weights.reshape(CELLS, _SAMPLES, side).mean(axis=1).astype(np.float32)
    return rows


def window_sampling(windows: Windows, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """([w, CELLS, side] downwards, [w, side, CELLS] across): `down @ plane @ across` is each window of a plane."""
    down = np.stack([sampling((top, bottom), side) for _, _, top, bottom in windows.tolist()])
    across = np.stack([sampling((left, right), side).T for left, right, _, _ in windows.tolist()])
    return down, across
