"""The lexical leg's share by hand."""

import numpy as np
import pytest

from retrieval.evidence import CANDIDATES, ENOUGH, coverage, lexical_share, mean_coverage
from retrieval.types import Mask, Scores


def weights(*values: float) -> Scores:
    return np.array(values, dtype=np.float32)


def occurs(*terms: tuple[int, ...]) -> Mask:
    """One tuple a term: in which candidates it occurs."""
    return np.array(terms, dtype=np.bool_)


def test_a_candidate_covers_the_weight_of_the_words_it_says() -> None:
    # "itch" weighs 2, "elbow" 3, and a word that no text has 5.
    found = coverage(weights(2, 3, 5), occurs((1, 0, 1), (1, 1, 0), (0, 0, 0)))
    assert found == pytest.approx([(2 + 3) / (2 + 3 + 5), 3 / 10, 2 / 10])


def test_a_word_that_was_added_counts_half() -> None:
    # "scab" (idf 4) is in no text, "crust" (idf 3, added, weight 0.5) is.
    assert coverage(weights(4, 0.5 * 3), occurs((0,), (1,))) == pytest.approx([1.5 / (4 + 1.5)])


def test_a_query_without_words_is_covered_by_nothing() -> None:
    assert coverage(weights(), np.zeros((0, 3), dtype=np.bool_)).tolist() == [0, 0, 0]


def test_the_evidence_is_the_mean_of_the_candidates() -> None:
    assert mean_coverage(weights(0.5, 0.25, 0)) == pytest.approx((0.5 + 0.25 + 0) / 3)
    assert mean_coverage(weights()) == 0


@pytest.mark.parametrize(("evidence", "share"), [(0, 0), (0.06, 0.4 * 0.06 / 0.24), (0.24, 0.4), (0.6, 0.4), (1, 0.4)])
def test_the_share_grows_with_the_evidence_until_it_is_enough(evidence: float, share: float) -> None:
    assert (CANDIDATES, ENOUGH) == (10, 0.24)
    assert lexical_share(evidence, 0.4) == pytest.approx(share)
