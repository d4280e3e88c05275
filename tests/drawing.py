"""Pictures for the leak guard's tests, drawn from a number: skin with a lesion, and skin with nothing."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def plain_skin(number: int, person: int = 0, size: tuple[int, int] = (450, 600)) -> Pixels:
    """Evenly lit skin of one person: a slope of light, and noise of three sizes. The number decides both."""
    source = np.random.default_rng(1_000 + number)
    base = np.random.default_rng(person).uniform([150, 105, 85], [235, 190, 170])
    height, width = size
    down, across = np.mgrid[0:height, 0:width] / np.array(size)[:, None, None]
    slope = source.normal(0, 8, 2)
    light = slope[0] * across + slope[1] * down
    for cell, depth in ((2, 3.0), (8, 2.0), (40, 1.5)):
        light = light + depth * _noise(source, height, width, cell)
    return np.asarray(np.clip(base + light[..., None], 0, 255), dtype=np.uint8)


def scene(number: int, size: tuple[int, int] = (180, 240)) -> Pixels:
    """Skin of person `number` % 4 with one blotchy lesion and some dots: no symmetry of its own."""
    source = np.random.default_rng(number)
    picture = plain_skin(number, number % 4, size).astype(np.float64)
    height, width = size
    down, across = np.mgrid[0:height, 0:width] / np.array(size)[:, None, None]
    for radius, depth in ((0.25, 0.5), (0.1, 0.4), *[(0.03, 0.7)] * 6):
        y, x = source.uniform(0.3, 0.7, 2)
        wobble = 1 + 0.3 * _noise(source, height, width, 30)
        inside = (((down - y) ** 2 + (across - x) ** 2) / (radius * wobble) ** 2 < 1)[..., None]
        colour = source.uniform([60, 20, 20], [160, 100, 90])
        picture = np.where(inside, (1 - depth) * picture + depth * colour, picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _noise(source: np.random.Generator, height: int, width: int, cell: int) -> NDArray[np.float32]:
    coarse = source.normal(0, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
