"""Statistics by hand, and against scipy."""

import random
from math import sqrt

import numpy as np
import pytest
from scipy import stats

from evaluation.measures.accuracy import accuracy
from evaluation.measures.cost import completion_tokens
from evaluation.measures.measured import Measured, Rows, absent, mean
from evaluation.measures.per_label import macro_f1
from evaluation.measures.registry import Better, measure
from evaluation.records import CaseRecord, Result
from evaluation.statistics import compare, holm, interval, judge, mcnemar, smallest_detectable, subgroups, wilson


def records_of(values: list[str | None], labels: str = "aab", seed: int = 0) -> list[CaseRecord]:
    pairs = [(value, labels[number % len(labels)]) for number, value in enumerate(values)]
    return [
        CaseRecord(f"c{number:03}", "arm", seed, label, Result.CORRECT if value == label else Result.WRONG, value)
        for number, (value, label) in enumerate(pairs)
    ]


def of_values(values: list[float], seed: int = 0) -> Measured:
    return mean(records_of([None] * len(values), seed=seed), values, "nothing")


# --- intervals -----------------------------------------------------------------------------------------------------


def test_the_interval_of_a_mean_is_scipy_s() -> None:
    source = random.Random(0)
    values = [source.gauss(0.5, 0.2) for _ in range(60)]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=0).confidence_interval
    found = interval(of_values(values))
    assert found is not None
    width = theirs.high - theirs.low
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.03 * width)
    assert (found.level, found.clusters, found.undefined) == (0.95, 60, 0)


def test_an_interval_of_macro_f1_draws_cases_and_not_values() -> None:
    # Two cases, one right: a sample is both right, both wrong, or one of each.
    found = interval(macro_f1(records_of(["a", "a"], "ab")))
    assert found is not None
    assert (found.low, found.high) == (0, 1)


def test_pictures_of_one_lesion_are_drawn_together() -> None:
    values = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    lesions = {f"c{number:03}": "first" if number < 4 else "second" for number in range(8)}
    alone, together = interval(of_values(values)), interval(of_values(values), lesions)
    assert alone is not None
    assert together is not None
    # Of two lesions both are the first in a quarter of the samples, so the interval reaches both ends.
    assert (together.low, together.high, together.clusters) == (0, 1, 2)
    assert 0 < alone.low < alone.high < 1


def test_seeds_of_one_case_are_no_cases_of_their_own() -> None:
    records = [*records_of(["a", "b"], "a"), *records_of(["a", "b"], "a", seed=1)]
    found = interval(accuracy(records))
    assert found is not None
    assert (found.clusters, found.low, found.high) == (2, 0, 1)


def test_a_lesion_may_be_called_as_another_case_is() -> None:
    found = interval(of_values([1.0, 0.0, 0.0]), {"c000": "c001"})
    assert found is not None
    assert found.clusters == 3


def test_samples_without_a_value_are_counted_and_left_out() -> None:
    # The measure speaks of one case of two: a quarter of the samples misses it.
    found = interval(mean(records_of(["a", "a"]), [0.5, None], "nothing"))
    assert found is not None
    assert (found.low, found.high) == (0.5, 0.5)
    assert found.undefined == pytest.approx(found.samples / 4, rel=0.1)


def test_a_share_of_0_is_not_certain() -> None:
    found = interval(of_values([0.0] * 20))
    assert found is not None
    # Wilson: p = 0, so centre and spread are both z² / 2n
    assert (found.low, found.high) == pytest.approx((0, (1.959964**2 / 20) / (1 + 1.959964**2 / 20)))
    assert interval(of_values([1.0] * 4), dict.fromkeys(("c000", "c001", "c002"), "one lesion")) == interval(
        of_values([1.0] * 2)
    )


def test_an_amount_that_is_always_1_is_no_share() -> None:
    records = [CaseRecord(f"c{n}", "arm", 0, "a", Result.WRONG, completion_tokens=1) for n in range(5)]
    found = interval(completion_tokens(records))
    assert found is not None
    assert (found.low, found.high) == (1, 1)


def test_rows_of_one_lesion_are_drawn_together_too() -> None:
    records = records_of(["a", "a", "a", "a"], "aabb")
    found = interval(macro_f1(records), {"c000": "x", "c001": "x", "c002": "y", "c003": "y"})
    assert found is not None
    # both lesions: a has F1 2·2/(2+4), b 0; only x: 1; only y: 0
    assert (found.low, found.high, found.clusters) == (0, 1, 2)


def test_what_is_missing_has_no_interval() -> None:
    assert interval(absent("no reason")) is None


# --- differences ---------------------------------------------------------------------------------------------------


def test_the_randomisation_test_is_scipy_s() -> None:
    source = random.Random(3)
    first = [source.gauss(0.6, 0.3) for _ in range(9)]
    second = [source.gauss(0.4, 0.3) for _ in range(9)]

    def difference(x: Rows, y: Rows, axis: int = -1) -> Rows:
        return np.asarray(np.mean(x, axis=axis) - np.mean(y, axis=axis))

    theirs = stats.permutation_test((first, second), difference, permutation_type="samples", n_resamples=np.inf)
    found = compare(of_values(first), of_values(second))
    assert found.p == pytest.approx(theirs.pvalue)
    assert found.difference == pytest.approx(np.mean(first) - np.mean(second))


def test_of_hits_the_randomisation_test_is_mcnemar_s() -> None:
    first = [True] * 7 + [False, True, False, True]
    second = [False] * 7 + [True, True, False, True]
    found = compare(of_values([float(one) for one in first]), of_values([float(one) for one in second]))
    assert found.p == pytest.approx(mcnemar(first, second).p)
    assert (found.higher, found.lower, found.same) == (7, 1, 3)


def test_of_many_cases_the_randomisation_test_is_near_the_exact_one() -> None:
    first, second = [1.0] * 20 + [0.0] * 80, [0.0] * 12 + [1.0] * 8 + [1.0] * 8 + [0.0] * 72
    exact = mcnemar([one == 1 for one in first], [one == 1 for one in second])
    assert (exact.only_first, exact.only_second) == (12, 8)
    assert compare(of_values(first), of_values(second)).p == pytest.approx(exact.p, abs=0.02)


def test_a_measure_of_rows_swaps_whole_answers() -> None:
    # Of three cases one differs: swapping it turns the difference round, so every way is as extreme.
    found = compare(macro_f1(records_of(["a", "a", "b"])), macro_f1(records_of(["a", "b", "b"])))
    assert found.difference == pytest.approx(1 - (2 * 1 / (2 + 1) + 2 * 1 / (1 + 2)) / 2)
    assert found.p == 1


def test_only_cases_that_both_arms_have_are_compared() -> None:
    found = compare(accuracy(records_of(["a", "a", "b"])), accuracy(records_of(["a", "b"])))
    assert (found.n, found.only_one, found.first, found.second) == (2, 1, 1, 0.5)


def test_arms_may_answer_different_cases() -> None:
    records = records_of(["a", "a", "b"])
    first, second = mean(records, [1.0, None, 0.5], "nothing"), mean(records, [None, 0.5, 0.0], "nothing")
    found = compare(first, second)
    assert (found.n, found.first, found.second) == (3, 0.75, 0.25)
    assert (found.higher, found.lower, found.same) == (1, 0, 0)


def test_what_cannot_be_compared_says_why() -> None:
    there = accuracy(records_of(["a"]))
    assert compare(absent("no model"), there).missing == "the first arm has no value: no model"
    assert compare(there, absent("no model")).missing == "the second arm has no value: no model"
    assert compare(there, accuracy(records_of(["a"], seed=1))).missing == "the arms have no case in common"


def test_mcnemar_is_the_exact_binomial_test() -> None:
    for b, c in ((0, 0), (1, 0), (5, 1), (9, 9), (30, 12)):
        found = mcnemar([True] * b + [False] * c + [True], [False] * b + [True] * c + [True])
        theirs = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
        assert (found.only_first, found.only_second, found.n) == (b, c, b + c + 1)
        assert found.p == pytest.approx(theirs)


# --- many comparisons ----------------------------------------------------------------------------------------------


def test_holm_multiplies_the_smallest_most_and_never_turns_the_order_round() -> None:
    found = holm({"x": 0.01, "y": 0.04, "z": 0.03, "w": 0.9})
    assert found == pytest.approx({"x": 4 * 0.01, "z": 3 * 0.03, "y": 3 * 0.03, "w": 0.9})
    assert holm({}) == {}
    assert holm({"x": 0.6, "y": 0.5}) == {"x": 1, "y": 1}


def clear(first: float, second: float, number: int = 40) -> tuple[Measured, Measured]:
    spread = [0.01 * (place % 5) for place in range(number)]
    return of_values([first + one for one in spread]), of_values([second + one for one in spread[::-1]])


@pytest.mark.parametrize(
    ("better", "winner"), [(Better.HIGHER, "first"), (Better.LOWER, "second"), (Better.NEITHER, None)]
)
def test_a_clear_difference_has_the_winner_that_the_measure_s_direction_says(better: Better, winner: str) -> None:
    verdict = judge({"one": compare(*clear(0.8, 0.2), better)})["one"]
    assert verdict.winner == winner
    assert verdict.low is not None
    assert verdict.low > 0


def test_the_second_arm_can_win() -> None:
    assert judge({"one": compare(*clear(0.2, 0.8))})["one"].winner == "second"


def test_two_cases_show_nothing_however_sure_the_interval_looks() -> None:
    comparison = compare(of_values([1.0, 1.0]), of_values([0.0, 0.0]))
    assert (comparison.low, comparison.high, comparison.p) == (1, 1, 0.5)
    assert judge({"one": comparison})["one"].winner is None


def test_what_wins_alone_need_not_win_among_many() -> None:
    # 6 cases that all differ one way: p = 2 / 2**6 = 0.031
    one = compare(of_values([1.0] * 6), of_values([0.5, 0.4, 0.3, 0.2, 0.1, 0.0]))
    none = compare(of_values([1.0, 0.0] * 3), of_values([0.0, 1.0] * 3))
    assert one.p == pytest.approx(2 / 2**6)
    assert judge({"one": one})["one"].winner == "first"
    among = judge({"one": one, "other": none, "third": none})
    assert among["one"].adjusted_p == pytest.approx(3 * 2 / 2**6)
    assert {verdict.winner for verdict in among.values()} == {None}
    assert among["one"].level == pytest.approx(1 - 0.05 / 3)


def test_a_comparison_without_a_value_asks_for_no_correction() -> None:
    one = compare(*clear(0.8, 0.2))
    found = judge({"one": one, "gone": compare(absent("no model"), absent("no model"))})
    assert found["one"].level == 0.95
    assert (found["gone"].winner, found["gone"].why) == (None, "the first arm has no value: no model")


# --- small sets ----------------------------------------------------------------------------------------------------


def test_the_smallest_detectable_difference_needs_as_many_cases_as_there_are() -> None:
    found = smallest_detectable(200, 0.2)
    assert found.difference is not None
    needed = ((1.959964 * sqrt(0.2) + 0.841621 * sqrt(0.2 - found.difference**2)) / found.difference) ** 2
    assert needed == pytest.approx(200, rel=1e-5)
    assert 0.08 < found.difference < 0.1


def test_so_few_cases_that_no_difference_would_be_found() -> None:
    # Were all of the 20 % that differ one way: ((1.96 · √0.2 + 0.8416 · √(0.2 - 0.04)) / 0.2)² = 36.8 cases
    assert smallest_detectable(36, 0.2).difference is None
    assert smallest_detectable(37, 0.2).difference == pytest.approx(0.2, abs=0.001)
    assert smallest_detectable(0, 0.2).difference is None
    assert smallest_detectable(100, 0.0).difference is None


def test_parts_are_named_and_small_ones_marked() -> None:
    tones = ["dark"] * 20 + ["light"] * 3 + [None]
    records = [CaseRecord(f"c{n}", "arm", 0, "a", Result.WRONG, skin_tone=tone) for n, tone in enumerate(tones)]
    again = [CaseRecord(f"c{n}", "arm", 1, "a", Result.WRONG, skin_tone=tone) for n, tone in enumerate(tones)]
    found = subgroups([*records, *again], "skin_tone")
    assert [(one.name, one.cases, one.few, len(one.records)) for one in found] == [
        ("dark", 20, False, 40), ("light", 3, True, 6), ("not recorded", 1, True, 2)
    ]  # fmt: skip


# --- where there is nothing ----------------------------------------------------------------------------------------


def test_no_observation_leaves_a_share_open() -> None:
    assert wilson(0, 0) == (0, 1)
    assert all(0 <= wilson(hits, n)[0] <= wilson(hits, n)[1] <= 1 for n in range(1, 500, 7) for hits in (0, n))
    assert mcnemar([], []).discordance == 0
    assert mcnemar([True, True], [False, True]).discordance == 1 / 2


def test_cases_in_common_that_give_no_value_are_no_difference() -> None:
    shared = records_of(["a", "a"])
    first, second = mean(shared, [None, 1.0], "nothing"), mean(shared[:1], [1.0], "nothing")
    assert compare(first, second).missing == "the cases in common give no value"


def test_a_measure_is_found_by_its_name() -> None:
    assert measure("latency_p95").better is Better.LOWER
    with pytest.raises(KeyError):
        measure("beauty")
