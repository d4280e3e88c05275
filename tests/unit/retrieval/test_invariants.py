"""Numbers that no mirror and no quarter turn changes: by hand, and on pictures."""

import numpy as np
import pytest

from retrieval.invariants import NUMBERS, cosines, invariants, middle_features, window_features
from retrieval.sketches import sketch_of
from retrieval.windows import CELLS
from tests.drawing import scene


def test_the_numbers_of_two_waves_by_hand() -> None:
    # u + v <= 2: C00 as it is, the larger and the smaller of |C01| and |C10|, |C11|.
    coefficients = np.array([[[7, -3], [2, -5]]], dtype=np.float32)
    assert invariants(coefficients).tolist() == [[7, 3, 2, 5]]


def test_two_even_frequencies_keep_the_sign_of_their_sum() -> None:
    coefficients = np.zeros((1, 3, 3), dtype=np.float32)
    coefficients[0, 0, 2], coefficients[0, 2, 0] = -4, 1
    # Order: 00, 01, 02, 11 (12 and 22 exceed u + v <= 3 only for 22): 00 | max, min of 01 | sum, difference of 02 | ...
    found = invariants(coefficients)[0]
    assert found[3:5] == pytest.approx([-3 / np.sqrt(2), 5 / np.sqrt(2)])


def test_the_cosines_are_orthonormal() -> None:
    rows = cosines(CELLS)
    assert rows @ rows.T == pytest.approx(np.eye(CELLS), abs=1e-6)
    assert rows[0] == pytest.approx(np.full(CELLS, 1 / np.sqrt(CELLS)))
    assert cosines(2)[1, 0] == pytest.approx(np.sqrt(2 / CELLS) * np.cos(np.pi / (2 * CELLS)))


@pytest.mark.parametrize("number", range(3))
def test_mirrors_and_turns_change_nothing(number: int) -> None:
    picture = scene(number)
    alterations = [picture[:, ::-1], picture[::-1], np.rot90(picture), np.rot90(picture, 3), picture.transpose(1, 0, 2)]
    own = middle_features(sketch_of(picture)[None])[0]
    for altered in alterations:
        # Rounding to grey levels is all that differs.
        assert middle_features(sketch_of(np.ascontiguousarray(altered))[None])[0] == pytest.approx(own, abs=4)


def test_other_pictures_are_far_away() -> None:
    features = middle_features(np.stack([sketch_of(scene(number)) for number in range(8)]))
    assert features.shape == (8, NUMBERS)
    distances = np.linalg.norm(features[:, None] - features[None], axis=2) + 1e9 * np.eye(8)
    assert distances.min() > 50


def test_the_first_window_is_the_middle_itself() -> None:
    sketch = sketch_of(scene(0))[None]
    assert window_features(sketch)[0] == pytest.approx(middle_features(sketch)[0], abs=0.05)


def test_of_a_cropped_copy_one_window_is_the_middle_of_the_original() -> None:
    picture = scene(2)
    height, width, _ = picture.shape
    cropped = picture[height // 10 : -height // 10, width // 10 : -width // 10].copy()
    own = middle_features(sketch_of(picture)[None])
    distances = np.linalg.norm(window_features(sketch_of(cropped)[None]) - own, axis=1)
    assert distances.min() < 15 < distances[0]
