"""Reciprocal rank fusion by hand."""

import numpy as np
import pytest

from retrieval.rank_fusion import fuse_ranks, reciprocal_ranks
from retrieval.types import Mask, Scores

ALL = np.array([True, True, True])


def scores(*values: float) -> Scores:
    return np.array(values, dtype=np.float32)


def mask(*values: int) -> Mask:
    return np.array(values, dtype=np.bool_)


def test_ranks_of_both_legs_add_up() -> None:
    fused = fuse_ranks([(scores(0.9, 0.5, 0.1), ALL), (scores(0, 3, 6), mask(0, 1, 1))])
    assert fused == pytest.approx([1 / (60 + 1) + 0, 1 / (60 + 2) + 1 / (60 + 2), 1 / (60 + 3) + 1 / (60 + 1)])


def test_equal_scores_share_the_better_rank() -> None:
    assert reciprocal_ranks(scores(2, 5, 2), ALL) == pytest.approx([1 / 62, 1 / 61, 1 / 62])


def test_what_a_leg_did_not_propose_takes_no_rank() -> None:
    assert reciprocal_ranks(scores(9, 5, 2), mask(0, 1, 1)) == pytest.approx([0, 1 / 61, 1 / 62])


def test_an_empty_pool_stays_empty() -> None:
    assert fuse_ranks([(scores(), mask()), (scores(), mask())]).shape == (0,)
