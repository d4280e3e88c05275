"""Shares sum to 1 and do not depend on the order of the labels."""

import math
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inference.label_probabilities import mean, probabilities, ranked, tempered_by_group

LABELS = st.sampled_from([f"label {number}" for number in range(12)])
LOGPROBS = st.dictionaries(LABELS, st.floats(-800, 0), min_size=1)
TEMPERATURES = st.floats(0.05, 20)
GROUPS = ("1", "2", "3")


@given(LOGPROBS, TEMPERATURES)
def test_shares_sum_to_one(logprobs: dict[str, float], temperature: float) -> None:
    shares = probabilities(logprobs, temperature)
    assert math.fsum(shares.values()) == pytest.approx(1)
    assert shares.keys() == logprobs.keys()
    assert all(0 <= share <= 1 for share in shares.values())


@given(LOGPROBS, TEMPERATURES, st.randoms(use_true_random=False))
def test_the_order_of_the_labels_changes_neither_shares_nor_ranking(
    logprobs: dict[str, float], temperature: float, random: Random
) -> None:
    items = list(logprobs.items())
    random.shuffle(items)
    assert ranked(probabilities(dict(items), temperature)) == ranked(probabilities(logprobs, temperature))


@given(LOGPROBS, TEMPERATURES)
def test_no_temperature_changes_who_comes_before_whom(logprobs: dict[str, float], temperature: float) -> None:
    shares = probabilities(logprobs, temperature)
    for first in logprobs:
        for second in logprobs:
            if logprobs[first] > logprobs[second]:
                assert shares[first] >= shares[second]


@given(LOGPROBS, st.floats(-300, 0))
def test_what_all_labels_lose_together_changes_no_share(logprobs: dict[str, float], loss: float) -> None:
    less = {label: value + loss for label, value in logprobs.items()}
    assert probabilities(less) == pytest.approx(probabilities(logprobs), abs=1e-9)


@given(st.lists(st.lists(st.floats(-50, 0), min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_mean_of_several_pictures_sums_to_one(pictures: list[list[float]]) -> None:
    opinions = [probabilities(dict(zip("abc", values, strict=True))) for values in pictures]
    assert math.fsum(mean(opinions).values()) == pytest.approx(1)


@given(
    LOGPROBS,
    st.dictionaries(LABELS, st.sampled_from([*GROUPS, None])),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_weighing_by_group_keeps_the_sum_and_rules_nothing_out(
    logprobs: dict[str, float], group_of: dict[str, str | None], weights: list[float]
) -> None:
    assume(sum(weights) > 0)
    groups = {group: weight / sum(weights) for group, weight in zip(GROUPS, weights, strict=True)}
    labels = probabilities(logprobs)
    weighed = tempered_by_group(labels, group_of, groups)
    assert math.fsum(weighed.values()) == pytest.approx(1)
    assert all(weighed[label] > 0 for label, share in labels.items() if share > 1e-200)
