"""Laying pictures over each other: a known shift is found, a copy differs by nothing, another picture by much."""

import numpy as np
import pytest

from retrieval.registration import _fine, _middles, _slid, _turned, _turned_window, best_start, difference
from retrieval.sketches import LUMA, luma_of, sketch_of
from retrieval.windows import likely_windows
from tests.drawing import plain_skin, scene


def test_a_picture_starts_in_its_own_place() -> None:
    sketch = sketch_of(scene(0))[None]
    start, correlation = best_start(sketch, sketch)
    assert (start[0], correlation[0]) == (0, pytest.approx(1))


@pytest.mark.parametrize("orientation", range(8))
def test_the_orientation_is_found(orientation: int) -> None:
    picture = scene(3)
    turned = picture.transpose(1, 0, 2) if orientation & 4 else picture
    turned = turned[::-1] if orientation & 2 else turned
    turned = turned[:, ::-1] if orientation & 1 else turned
    query = sketch_of(np.ascontiguousarray(turned))[None]
    start, correlation = best_start(query, sketch_of(picture)[None])
    assert start[0] // len(likely_windows()) == orientation
    assert correlation[0] > 0.999
    assert difference(query, sketch_of(picture)[None], start).luma[0] < 1.5


def test_turning_a_window_is_turning_what_it_shows() -> None:
    plane = np.arange(LUMA * LUMA, dtype=np.float32).reshape(LUMA, LUMA)
    rows, columns = slice(4, 20), slice(8, 16)
    window = np.array([8 / LUMA, 16 / LUMA, 4 / LUMA, 20 / LUMA], dtype=np.float32)
    for orientation in range(8):
        left, right, top, bottom = (_turned_window(window, orientation) * LUMA).round().astype(int)
        shown = _turned(plane, orientation)[top:bottom, left:right]
        assert np.array_equal(shown, _turned(plane[rows, columns], orientation))


def test_sliding_finds_edges_between_the_likely_windows() -> None:
    reference = luma_of(sketch_of(scene(4, (300, 400)))[None])
    # 7 % were cropped on the left: the middle lies at (0.1 - 0.07) / 0.93 to (0.9 - 0.07) / 0.93.
    query = luma_of(sketch_of(scene(4, (300, 400))[:, 28:].copy())[None])
    start = np.array([[0.05 / 0.95, 0.85 / 0.95, 0.1, 0.9]], dtype=np.float32)
    found = _slid(query, _middles(reference), start)[0]
    assert found == pytest.approx([0.03 / 0.93, 0.83 / 0.93, 0.1, 0.9], abs=0.004)


def test_the_difference_of_a_copy_is_nothing() -> None:
    sketch = sketch_of(scene(5))[None]
    found = difference(sketch, sketch, np.array([0]))
    assert (found.luma[0], found.chroma[0]) == (0, 0)
    assert found.fine[0] == pytest.approx(1)


def test_a_shade_is_a_difference_of_that_many_levels() -> None:
    sketch = sketch_of(scene(5))[None]
    lighter = sketch.copy()
    lighter[:, : LUMA * LUMA] += 9
    assert difference(lighter, sketch, np.array([0])).luma[0] == pytest.approx(9, abs=0.01)


def test_fine_is_what_the_mean_of_five_by_five_takes_away() -> None:
    plane = np.zeros((1, 24, 24), dtype=np.float32)
    plane[0, 10, 10] = 25
    fine = _fine(plane)[0]
    assert fine[10, 10] == pytest.approx(25 - 1)
    assert fine[8, 12] == pytest.approx(-1)
    assert fine[7, 10] == 0


def test_plain_skin_is_alike_in_everything_but_its_fine_structure() -> None:
    one, other = (sketch_of(plain_skin(number))[None] for number in (0, 1))
    start, _ = best_start(one, other)
    found = difference(one, other, start)
    assert found.luma[0] < 12
    assert found.chroma[0] < 2
    assert found.fine[0] < 0.4


def test_flat_pictures_have_nothing_to_be_laid_over_by() -> None:
    flat = sketch_of(np.full((60, 60, 3), 90, dtype=np.uint8))[None]
    start, correlation = best_start(flat, flat)
    assert correlation[0] == 0
    assert difference(flat, flat, start).fine[0] == 0
