"""Many draws computed at once are what each of them is alone, with its rows copied out."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.measures.measured import Measured, OfCounts, OfSums, Rows
from evaluation.measures.registry import MEASURES
from evaluation.records import CaseRecord, EvidenceRecord, Result
from evaluation.scored import score
from evaluation.statistics import resampling
from evaluation.statistics.randomisation import randomisation_p
from evaluation.statistics.resampling import SAMPLES_OF_COUNTS, places_of, resampled

LABELS = ("acne", "eczema", "melanoma", "psoriasis", "wart")
OF_COUNTS = (
    "balanced_accuracy", "macro_f1", "cohens_kappa", "mcc", "ece", "aurc", "copied_over_chance", "latency_p50",
    "latency_p95",
)  # fmt: skip


def records(arm: str, number: int = 60) -> list[CaseRecord]:
    """Rare labels, equal and missing probabilities, unanswered, untimed and seedless cases."""
    source = random.Random(arm)
    found = []
    for case in range(number):
        label = LABELS[min(source.randrange(7), 4)] if case else "vitiligo"
        first = source.choice([label, source.choice(LABELS), None])
        result = Result.UNPARSED if first is None else Result.CORRECT if first == label else Result.WRONG
        shares = ((first, round(source.random(), 1)),) if first and source.random() < 0.8 else ()
        shown = tuple(EvidenceRecord(f"r{n}", "case", n, 1 / n, {}, source.choice(LABELS)) for n in range(1, 4))
        timings = {"total": source.choice([0.5, *(source.random() for _ in range(4))])} if source.random() < 0.9 else {}
        found.append(
            CaseRecord(
                f"c{case:03}", arm, 0, label, result, first, probabilities=shares, evidence=shown if case % 5 else (),
                timings_ms=timings,
            )
        )  # fmt: skip
    return found


def measured(arm: str, name: str) -> Measured:
    return score(records(arm), arm)[name]


def copied(tables: Sequence[Rows], combine: OfCounts, members: list[NDArray[np.intp]]) -> Rows:
    """The slow way: the rows of every sample of the clusters copied out, and combined by themselves."""
    source = np.random.default_rng(resampling.SEED)
    found = np.empty((len(tables), SAMPLES_OF_COUNTS))
    for sample in range(SAMPLES_OF_COUNTS):
        drawn = source.integers(0, len(members), size=len(members))
        rows = np.concatenate([members[one] for one in drawn])
        for place, table in enumerate(tables):
            found[place, sample] = combine(table[rows])
    return found


def test_those_are_all_that_depend_on_more_than_sums() -> None:
    combines = {one.name: measured("one", one.name).combine for one in MEASURES}
    assert {name for name, one in combines.items() if not isinstance(one, OfSums)} == set(OF_COUNTS)


@pytest.mark.parametrize("clusters", [{}, {f"c{n:03}": f"lesion {n // 7}" for n in range(3, 30)}], ids=["alone", "kin"])
@pytest.mark.parametrize("name", OF_COUNTS)
def test_samples_are_as_if_drawn_one_by_one(
    name: str, clusters: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "HELD", 60 * 37)  # several blocks in a slice, the last of another size
    one, other = measured("one", name), measured("other", name)
    assert isinstance(one.combine, OfCounts)
    places = places_of(one.units, clusters)
    members = [np.flatnonzero(places == number) for number in range(int(places.max()) + 1)]
    found = resampled([one.rows, other.rows], one.combine, places)
    assert np.array(found) == pytest.approx(copied([one.rows, other.rows], one.combine, members), nan_ok=True)
    assert len(np.unique(found[0])) > 10


@pytest.mark.parametrize("name", OF_COUNTS)
@pytest.mark.parametrize("differing", [5, 40])
def test_ways_to_swap_arms_are_as_if_tried_one_by_one(name: str, differing: int) -> None:
    one, other = measured("one", name), measured("other", name)
    first, second = one.rows, np.concatenate([other.rows[:differing], one.rows[differing:]])
    places = places_of(one.units, {})
    assert isinstance(one.combine, OfCounts)
    assert randomisation_p(first, second, one.combine, places) == pytest.approx(
        swapped_one_by_one(first, second, one.combine)
    )


def swapped_one_by_one(first: Rows, second: Rows, combine: OfCounts) -> float:
    seen = abs(combine(first) - combine(second))
    differ = np.flatnonzero((first != second).any(axis=1))
    exact = len(differ) <= 12
    source = np.random.default_rng(1)
    ways = 2 ** len(differ) if exact else 2_000
    extreme = 0
    for start in range(0, ways, 500):
        size = min(500, ways - start)
        drawn = source.integers(0, 2, size=(size, len(differ)), dtype=np.int8) if not exact else None
        for way in range(size):
            swap = (start + way) >> np.arange(len(differ)) & 1 if drawn is None else drawn[way]
            swapped = np.isin(np.arange(len(first)), differ[swap == 1])[:, None]
            found = combine(np.where(swapped, second, first)) - combine(np.where(swapped, first, second))
            extreme += bool(np.isnan(found) or abs(found) >= seen - 1e-12)
    return extreme / ways if exact else (1 + extreme) / (1 + ways)


@pytest.mark.parametrize("number", [1, 2, 7, 20, 21])
def test_the_latency_is_numpy_s_quantile(number: int) -> None:
    times = np.random.default_rng(number).exponential(size=number)
    timed = [CaseRecord(f"c{n}", "a", 0, "x", Result.WRONG, timings_ms={"total": t}) for n, t in enumerate(times)]
    found = score([*timed, CaseRecord("untimed", "a", 0, "x", Result.WRONG)], "a")
    assert found["latency_p50"].value == pytest.approx(np.quantile(times, 0.5), rel=1e-15)
    assert found["latency_p95"].value == pytest.approx(np.quantile(times, 0.95), rel=1e-15)
