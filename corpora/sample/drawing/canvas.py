"""A patch of skin that lesions are painted on: colour, height and gloss, then light and a camera.

Colours are RGB in [0, 1]. Places are in frame units of the lesion (x right, y down, the picture spans about ±1),
so the same lesion can be seen from several views.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from drawing.noise import Field, Noise
from drawing.shapes import Point

Colour = Sequence[float] | Field  # three numbers

SIDE = 288  # pixels

# Fitzpatrick 1..6, typical sRGB of skin in even light.
TONES: dict[int, tuple[int, int, int]] = {
    1: (243, 212, 197),
    2: (231, 190, 166),
    3: (212, 165, 131),
    4: (178, 126, 92),
    5: (130, 86, 62),
    6: (84, 56, 44),
}


@dataclass(frozen=True, slots=True)
class View:
    """Camera and light. Angles in degrees; `shift` in frame units; `falloff` 0 (even light) to 1; `warmth` -1 to 1."""

    turn: float
    zoom: float
    shift: Point
    light: float
    falloff: float
    warmth: float


class Canvas:
    """Healthy skin to paint on. `body` is 1 where the body is and 0 where the background shows."""

    def __init__(self, tone: int, view: View, seed: int) -> None:
        self.tone, self.view = tone, view
        axis = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
        u, v = np.meshgrid(axis - view.shift[0], axis - view.shift[1])
        cos, sin = math.cos(math.radians(view.turn)), math.sin(math.radians(view.turn))
        self.x: Field = (u * cos + v * sin) / view.zoom
        self.y: Field = (v * cos - u * sin) / view.zoom
        self.noise, self._grain = Noise(seed), Noise(seed + 7919)
        self.body: Field = np.ones((SIDE, SIDE))
        self.gloss: Field = np.full((SIDE, SIDE), 0.03)
        self.backdrop = (0.35, 0.45, 0.5)
        self.texture = self._creases()
        self.height: Field = self.texture.copy()
        mottle = self._grain.fractal(self.x, self.y, 2.5, 3)[..., None] * np.array([0.03, 0.05, 0.05])
        self.colour: Field = np.array(TONES[tone]) / 255 * (1 + mottle - 0.035 * self._pores()[..., None])

    @property
    def darkness(self) -> float:
        """0 for tone 1, 1 for tone 6."""
        return (self.tone - 1) / 5

    def _creases(self) -> Field:
        """Relief of skin: two crossing families of fine furrows, bent by slow noise."""
        bend = self._grain.fractal(self.x, self.y, 1.8, 2) * 0.35
        one = np.abs(self._grain.at(self.x * 2.2 + bend, self.y * 0.7, 9))
        two = np.abs(self._grain.at(self.x * 0.6, self.y * 2.0 - bend, 9))
        relief: Field = (np.sqrt(one) + np.sqrt(two)) * 0.0042
        return relief

    def _pores(self) -> Field:
        dots: Field = np.clip(self._grain.at(self.x, self.y, 31) - 0.55, 0, 1) / 0.45
        return dots

    def absorb(self, mask: Field, share: Colour) -> None:
        """Take away `share` of red, green and blue light where `mask` is 1."""
        self.colour *= 1 - mask[..., None] * np.asarray(share)

    def paint(self, mask: Field, rgb: Colour) -> None:
        """Cover with an opaque colour where `mask` is 1."""
        self.colour += mask[..., None] * (np.asarray(rgb) - self.colour)

    def redden(self, mask: Field, amount: float, violet: float = 0.0) -> None:
        """Erythema of strength `amount`, in [0, 1]; `violet` in [0, 1] moves it from red towards violet."""
        dark = self.darkness
        share = np.array([0.06 + 0.16 * dark + 0.14 * violet, 0.56 - 0.1 * dark, 0.54 - 0.14 * dark - 0.3 * violet])
        self.absorb(mask * amount, share)
        # On dark skin absorption alone only looks darker; living blood still lifts the red a little.
        glow = np.array([0.07, 0.005, 0.015 + 0.05 * violet]) * dark
        self.colour += (mask * amount)[..., None] * glow

    def smooth(self, mask: Field, share: float) -> None:
        """Flatten the furrows of the skin by `share` where `mask` is 1 (tense or atrophic skin)."""
        self.height -= self.texture * mask * share

    def stroke(self, lines: Sequence[Sequence[Point]], width: float) -> Field:
        """Mask in [0, 1] of open lines through the given places, `width` in pixels."""
        scale = 3  # drawn larger and shrunk, which smooths the steps
        image = Image.new("L", (SIDE * scale, SIDE * scale))
        pen = ImageDraw.Draw(image)
        for line in lines:
            pen.line([self._pixel(p, scale) for p in line], fill=255, width=max(1, round(width * scale)), joint="curve")
        small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
        mask: Field = np.asarray(small, dtype=np.float64) / 255
        return mask

    def _pixel(self, place: Point, scale: int) -> Point:
        turn = math.radians(self.view.turn)
        px, py = place[0] * self.view.zoom, place[1] * self.view.zoom
        u = px * math.cos(turn) - py * math.sin(turn) + self.view.shift[0]
        v = px * math.sin(turn) + py * math.cos(turn) + self.view.shift[1]
        return (u + 1) / 2 * SIDE * scale, (v + 1) / 2 * SIDE * scale

    def photograph(self) -> NDArray[np.uint8]:
        """[288, 288, 3] uint8 RGB: the painted skin under the view's light, before a background."""
        lit = self._shaded() * self._falloff()[..., None]
        tint = np.array([1 + 0.05 * self.view.warmth, 1.0, 1 - 0.07 * self.view.warmth])
        back = np.array(self.backdrop) * (1 + 0.08 * self._grain.fractal(self.x, self.y, 3, 2))[..., None]
        picture = (lit * self.body[..., None] + back * (1 - self.body[..., None])) * tint
        speckle = self._grain.at(self.x, self.y, 60)[..., None] * 0.007
        pixels: NDArray[np.uint8] = np.round(np.clip(picture + speckle, 0, 1) * 255).astype(np.uint8)
        return pixels

    def _shaded(self) -> Field:
        rise_y, rise_x = np.gradient(self.height, 2 / SIDE)
        length = np.sqrt(1 + rise_x**2 + rise_y**2)
        azimuth, climb = math.radians(self.view.light), math.radians(52)
        lx, ly, lz = math.cos(azimuth) * math.cos(climb), math.sin(azimuth) * math.cos(climb), math.sin(climb)
        facing = (-rise_x * lx - rise_y * ly + lz) / length
        shade = np.clip(0.45 + 0.55 * facing / lz, 0.25, 1.25)
        # The camera looks straight down, so a highlight sits halfway between the light and the camera.
        norm = math.sqrt(lx**2 + ly**2 + (lz + 1) ** 2)
        half = np.clip((-rise_x * lx - rise_y * ly + lz + 1) / length / norm, 0, 1)
        shaded: Field = self.colour * shade[..., None] + (self.gloss * half**40)[..., None]
        return shaded

    def _falloff(self) -> Field:
        axis = np.linspace(-1, 1, SIDE)
        u, v = np.meshgrid(axis, axis)
        azimuth = math.radians(self.view.light)
        slope = (u * math.cos(azimuth) + v * math.sin(azimuth)) * 0.28 * self.view.falloff
        fade: Field = 1 + slope - 0.1 * (u**2 + v**2) * (0.5 + self.view.falloff / 2)
        return fade
