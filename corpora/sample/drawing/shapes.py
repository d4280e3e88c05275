"""Outlines as fields of depth: positive inside, zero on the border, negative outside, in frame units.

A frame unit is half the side of the picture at zoom 1.
"""

import math
from collections.abc import Sequence

import numpy as np

from drawing.noise import Field

Point = tuple[float, float]


def ellipse(x: Field, y: Field, centre: Point, radii: Point, turn: float = 0.0) -> Field:
    """Depth inside an ellipse; `turn` in radians. Exact on the axes, close elsewhere."""
    dx, dy = x - centre[0], y - centre[1]
    along = dx * math.cos(turn) + dy * math.sin(turn)
    across = dy * math.cos(turn) - dx * math.sin(turn)
    depth: Field = (1 - np.hypot(along / radii[0], across / radii[1])) * min(radii)
    return depth


def polygon(x: Field, y: Field, centre: Point, reaches: Sequence[float], turn: float = 0.0) -> Field:
    """Depth inside the convex polygon whose sides lie `reaches[i]` away from the centre, evenly turned."""
    dx, dy = x - centre[0], y - centre[1]
    depth = np.full_like(x, np.inf)
    for side, reach in enumerate(reaches):
        angle = turn + 2 * math.pi * side / len(reaches)
        depth = np.minimum(depth, reach - dx * math.cos(angle) - dy * math.sin(angle))
    return depth


def ring(depth: Field, at: float, width: float) -> Field:
    """A soft band, in [0, 1], around the line where `depth` equals `at`; `width` is its standard deviation."""
    band: Field = np.exp(-(((depth - at) / width) ** 2) / 2)
    return band


def soft(depth: Field, blur: float) -> Field:
    """Mask in [0, 1] that climbs from 0 to 1 over `blur` frame units around the border."""
    t = np.clip(depth / blur + 0.5, 0, 1)
    mask: Field = t * t * (3 - 2 * t)
    return mask


def dome(depth: Field, radius: float) -> Field:
    """Height profile in [0, 1] of a half-sphere-like papule of that radius."""
    away = 1 - np.clip(depth / radius, 0, 1)
    profile: Field = np.sqrt(np.clip(1 - away * away, 0, 1))
    return profile


def spread(rng: np.random.Generator, count: int, reach: Point, gap: float) -> list[Point]:
    """`count` places inside the ellipse of half-axes `reach`, at least `gap` apart.

    An ellipse, so that a turned view keeps every place in the frame. Raises ValueError when they do not fit:
    captions state the count, so a picture with fewer lesions would make its caption untrue.
    """
    for _ in range(60):
        places = _scatter(rng, count, reach, gap)
        if len(places) == count:
            return places
    raise ValueError(f"{count} places do not fit within {reach} at a gap of {gap}")


def _scatter(rng: np.random.Generator, count: int, reach: Point, gap: float) -> list[Point]:
    """One try at `spread`; an unlucky first place can leave too little room, so a try may end short."""
    places: list[Point] = []
    for _ in range(count * 40):
        x, y = float(rng.uniform(-1, 1)), float(rng.uniform(-1, 1))
        place = (x * reach[0], y * reach[1])
        if math.hypot(x, y) <= 1 and all(math.dist(place, other) >= gap for other in places):
            places.append(place)
        if len(places) == count:
            break
    return places
