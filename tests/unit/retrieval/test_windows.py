"""Where the middle of a reference lies in a query: by hand."""

import numpy as np
import pytest

from retrieval.windows import CELLS, likely_windows, sampling, spans


def test_without_a_crop_the_middle_is_the_middle() -> None:
    assert np.array(spans(0, 0)) == pytest.approx(np.array([(0.1, 0.9), (0.1, 0.9)]))


def test_the_query_without_its_left_tenth_begins_where_the_middle_does() -> None:
    # The query is [0.1, 1] of the reference: 0.1 is its left edge, 0.9 lies (0.9 - 0.1) / 0.9 of it to the right.
    cropped_query, cropped_reference = spans(0.1, 0)
    assert cropped_query == pytest.approx((0, 0.8 / 0.9))
    # The reference is [0.1, 1] of the query: its middle runs from 0.1 + 0.1 * 0.9 to 0.1 + 0.9 * 0.9.
    assert cropped_reference == pytest.approx((0.19, 0.91))


def test_cropped_on_both_sides_the_query_is_the_middle() -> None:
    assert np.array(spans(0.1, 0.1)) == pytest.approx(np.array([(0, 1), (0.18, 0.82)]))


def test_the_likely_windows_are_these_61() -> None:
    # 2 directions x 2 shares x 2⁴ sides, of which 4 are the whole picture: 64 - 3
    windows = likely_windows()
    assert windows.shape == (61, 4)
    assert len({tuple(np.round(one, 6)) for one in windows.tolist()}) == 61
    assert windows.min() >= -1e-6
    assert windows.max() <= 1 + 1e-6


def test_a_window_of_a_slope_is_that_part_of_the_slope() -> None:
    side = 32
    slope = ((np.arange(side) + 0.5) / side).astype(np.float32)
    seen = sampling((0.25, 0.75), side) @ slope
    expected = 0.25 + 0.5 * (np.arange(CELLS) + 0.5) / CELLS
    assert seen == pytest.approx(expected, abs=1e-5)


def test_every_cell_is_a_mean() -> None:
    assert sampling((0, 1), 32).sum(axis=1) == pytest.approx(np.ones(CELLS))
