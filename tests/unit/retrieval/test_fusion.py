"""Fusion by hand."""

import numpy as np
import pytest

from retrieval.fusion import SEMANTIC_WEIGHT, fuse, min_max
from retrieval.types import Scores


def scores(*values: float) -> Scores:
    return np.array(values, dtype=np.float32)


def test_scores_are_stretched_to_the_range_of_their_pool() -> None:
    assert min_max(scores(0.2, 0.8, 0.5)) == pytest.approx([0, 1, (0.5 - 0.2) / (0.8 - 0.2)])


def test_negative_scores_are_stretched_too() -> None:
    assert min_max(scores(-1, 0, 3)) == pytest.approx([0, 1 / 4, 1])


@pytest.mark.parametrize(("value", "becomes"), [(2.5, 1), (0, 0), (-1, 0)])
def test_a_pool_that_is_all_alike_ranks_nothing(value: float, becomes: float) -> None:
    assert min_max(scores(value, value)).tolist() == [becomes, becomes]


def test_an_empty_pool_stays_empty() -> None:
    assert fuse(scores(), scores()).shape == (0,)


def test_six_tenths_meaning_and_four_tenths_words() -> None:
    fused = fuse(scores(0.9, 0.5, 0.1), scores(0, 6, 3))
    assert SEMANTIC_WEIGHT == 0.6
    assert fused == pytest.approx([0.6 * 1 + 0.4 * 0, 0.6 * 0.5 + 0.4 * 1, 0.6 * 0 + 0.4 * 0.5])


def test_the_weight_is_the_caller_s() -> None:
    fused = fuse(scores(1, 0), scores(0, 2), semantic_weight=0.25)
    assert fused == pytest.approx([0.25, 0.75])


def test_words_that_match_nothing_have_no_say() -> None:
    assert fuse(scores(0.9, 0.5, 0.1), scores(0, 0, 0)) == pytest.approx([1, 0.5, 0])


def test_words_that_match_all_alike_change_no_order() -> None:
    assert fuse(scores(0.9, 0.1), scores(2, 2)) == pytest.approx([0.6 + 0.4, 0.4])
