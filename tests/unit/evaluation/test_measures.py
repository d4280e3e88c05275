"""Measures by hand, and against trec_eval."""

import random
from math import log2

import ir_measures
import pytest

from evaluation.measures import ndcg, recall, reciprocal_rank
from evaluation.statistics import paired_bootstrap

GRADES = {"a": 2, "b": 1, "c": 0, "d": 1}
RANKING = ["x", "a", "c", "b"]


def test_ndcg_discounts_by_rank_and_divides_by_the_best_ranking() -> None:
    found = 2 / log2(2 + 1) + 1 / log2(4 + 1)
    best = 2 / log2(1 + 1) + 1 / log2(2 + 1) + 1 / log2(3 + 1)
    assert ndcg(RANKING, GRADES, 10) == pytest.approx(found / best)
    assert ndcg(RANKING, GRADES, 2) == pytest.approx((2 / log2(3)) / (2 / log2(2) + 1 / log2(3)))


def test_recall_is_the_share_of_what_is_relevant() -> None:
    assert recall(RANKING, GRADES, 10) == 2 / 3
    assert recall(RANKING, GRADES, 2) == 1 / 3


def test_the_first_relevant_document_decides_the_reciprocal_rank() -> None:
    assert reciprocal_rank(RANKING, GRADES) == 1 / 2
    assert reciprocal_rank(["x", "c"], GRADES) == 0


@pytest.mark.parametrize("grades", [{}, {"a": 0}, {"a": -1}])
def test_where_nothing_is_relevant_everything_is_0(grades: dict[str, int]) -> None:
    assert (ndcg(RANKING, grades, 10), recall(RANKING, grades, 10), reciprocal_rank(RANKING, grades)) == (0, 0, 0)


def test_an_empty_ranking_is_0() -> None:
    assert (ndcg([], GRADES, 10), recall([], GRADES, 10), reciprocal_rank([], GRADES)) == (0, 0, 0)


def test_every_measure_is_trec_eval_s() -> None:
    source = random.Random(0)
    documents = [f"d{number:02}" for number in range(40)]
    grades = {f"q{number}": {one: source.randint(0, 3) for one in source.sample(documents, 12)} for number in range(20)}
    rankings = {query: source.sample(documents, 30) for query in grades}
    run = {query: {one: 100.0 - place for place, one in enumerate(found)} for query, found in rankings.items()}
    ours = {
        "nDCG@10": lambda query: ndcg(rankings[query], grades[query], 10),
        "R@10": lambda query: recall(rankings[query], grades[query], 10),
        "RR": lambda query: reciprocal_rank(rankings[query], grades[query]),
    }
    names = [ir_measures.parse_measure(name) for name in ours]
    for found in ir_measures.iter_calc(names, grades, run):
        assert ours[str(found.measure)](found.query_id) == pytest.approx(found.value), found


# --- differences ---------------------------------------------------------------------------------------------------


def test_a_difference_that_is_always_the_same_is_certain() -> None:
    found = paired_bootstrap([0.5, 0.75, 1.0], [0.25, 0.5, 0.75])
    assert (found.mean, found.low, found.high) == (0.25, 0.25, 0.25)
    assert (found.better, found.worse, found.same) == (3, 0, 0)


def test_the_interval_of_one_query_of_two_is_that_of_a_coin() -> None:
    # The mean of two draws is 0, 0.5 or 1 with probability 1/4, 1/2, 1/4: both tails reach the ends.
    found = paired_bootstrap([1, 0], [0, 0])
    assert (found.mean, found.low, found.high, found.same) == (0.5, 0, 1, 1)


def test_the_interval_is_near_the_normal_one_where_there_are_many_queries() -> None:
    source = random.Random(1)
    values = [source.gauss(0.1, 0.5) for _ in range(400)]
    found = paired_bootstrap(values, [0.0] * 400)
    mean = sum(values) / 400
    error = (sum((value - mean) ** 2 for value in values) / 400) ** 0.5 / 400**0.5
    assert found.mean == pytest.approx(mean)
    assert found.low == pytest.approx(mean - 1.96 * error, abs=0.2 * error)
    assert found.high == pytest.approx(mean + 1.96 * error, abs=0.2 * error)


def test_the_same_scores_give_the_same_interval() -> None:
    assert paired_bootstrap([1, 0, 0.5], [0, 0.5, 0]) == paired_bootstrap([1, 0, 0.5], [0, 0.5, 0])
