"""Every system on a small collection, with an encoder that only counts words."""

import pytest

from evaluation.beir import TestCollection
from evaluation.passage_retrieval import MEASURES, SYSTEMS, QueryResult, build, compare, measure
from retrieval.hybrid import HybridOptions
from tests.fakes import FakeTextEncoder

COLLECTION = TestCollection(
    texts={
        "d1": "Scaly papule with desquamation of the scalp", "d2": "Brown macule of the back", "d3": "Spots on a car",
        "d4": "Comedones and pustules of the cheek",
    },
    queries={"q1": "flaky spots", "q2": "brown macule"},
    relevant={"q1": {"d1": 1}, "q2": {"d2": 2, "d1": 1}},
)  # fmt: skip


@pytest.fixture
def results() -> tuple[QueryResult, ...]:
    encoder = FakeTextEncoder()
    return measure(COLLECTION, build(COLLECTION.texts, encoder, lambda _n: None), encoder, lambda _n: None)


def test_every_system_has_every_measure_of_every_query(results: tuple[QueryResult, ...]) -> None:
    first, second = results
    assert (first.query, second.query) == ("q1", "q2")
    assert list(first.systems) == list(SYSTEMS) == ["dense", "bm25", "rrf", "fixed_60_40", "default"]
    assert all(list(of) == list(MEASURES) for of in first.systems.values())


def test_lay_words_are_expanded_for_the_default_only(results: tuple[QueryResult, ...]) -> None:
    first, second = results
    assert first.systems["bm25"]["mrr"] == 0  # "spots" finds the car alone
    assert first.systems["default"]["mrr"] == 1
    assert first.explanation is not None
    assert [one.phrase for one in first.explanation.expansions] == ["flaky"]
    assert second.explanation is not None
    assert second.explanation.expansions == ()


def test_the_default_is_what_serves_but_for_the_floor_and_near_duplicates() -> None:
    served, measured_as = HybridOptions(), SYSTEMS["default"]
    assert (measured_as.fusion, measured_as.semantic_weight, measured_as.expand) == (
        served.fusion, served.semantic_weight, served.expand,
    )  # fmt: skip


def test_progress_counts_every_text_and_query() -> None:
    steps: list[int] = []
    index = build(COLLECTION.texts, FakeTextEncoder(), steps.append)
    measure(COLLECTION, index, FakeTextEncoder(), steps.append)
    assert steps == [4, 1, 1]


def test_means_and_differences_are_over_queries(results: tuple[QueryResult, ...]) -> None:
    found = compare(results)
    mean = (results[0].systems["bm25"]["ndcg@10"] + results[1].systems["bm25"]["ndcg@10"]) / 2
    assert found.systems["bm25"]["ndcg@10"] == pytest.approx(mean)
    assert set(found.differences) == set(SYSTEMS) - {"default"}
    one = found.differences["bm25"]["ndcg@10"]
    assert one.mean == pytest.approx(found.systems["default"]["ndcg@10"] - mean)
    assert one.low <= one.mean <= one.high
