"""Every number of a report: the measures of each arm with their intervals, and each arm beside the one it is compared with.

The plan's comparison is made in accuracy over all cases; every other measure is compared too, and corrected across the arms.
Where that measure is not there the first that is takes its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evaluation.measures.measured import Measured
from evaluation.measures.registry import MEASURES, Measure
from evaluation.measures.tools import Tools
from evaluation.records import CaseRecord, Result
from evaluation.report.reading import Run
from evaluation.scored import score
from evaluation.statistics import (
    Comparison,
    Detectable,
    Interval,
    McNemar,
    Verdict,
    compare,
    holm,
    interval,
    judge,
    mcnemar,
    smallest_detectable,
)

PRIMARY: Final = "accuracy"
TIMES: Final = "ms"  # the unit of what another run of the same plan does not repeat


@dataclass(frozen=True, slots=True)
class Cell:
    """One measure of one arm; `interval` is None where it is missing or a single cluster says nothing of others."""

    measured: Measured
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Beside:
    """An arm beside the reference: hits case by case. `adjusted_p` is McNemar's with Holm's correction across the arms."""

    mcnemar: McNemar
    adjusted_p: float
    detectable: Detectable


@dataclass(frozen=True, slots=True)
class Numbers:
    """`cells` by arm, then measure. `comparisons` and `verdicts` by measure, then arm, each against the reference."""

    measures: tuple[Measure, ...]
    cells: Mapping[str, Mapping[str, Cell]]
    comparisons: Mapping[str, Mapping[str, Comparison]]
    verdicts: Mapping[str, Mapping[str, Verdict]]
    beside: Mapping[str, Beside]

    @property
    def primary(self) -> Measure | None:
        """What the comparison is made in."""
        return next((one for one in self.measures if one.name == PRIMARY), next(iter(self.measures), None))

    def details(self, arm: str, name: str) -> Any:
        """What stands behind a measure of an arm (bins, curve), by its name; None where no measure has it."""
        found = (cell.measured.details.get(name) for cell in self.cells[arm].values())
        return next((one for one in found if one), None)


def numbers_of(run: Run, tools: Tools | None = None, measures: Sequence[Measure] = MEASURES) -> Numbers:
    """Computed from the records alone, and from what `tools` hold."""
    clusters = run.clusters
    cells = {arm: _cells(score(records, arm, tools, measures), clusters) for arm, records in run.records.items()}
    comparisons = {one.name: _compared(run, cells, one, clusters) for one in measures}
    return Numbers(
        tuple(measures), cells, comparisons, {name: judge(of) for name, of in comparisons.items()}, _beside(run)
    )


def _cells(scored: Mapping[str, Measured], clusters: Mapping[str, str]) -> dict[str, Cell]:
    return {name: cell_of(one, clusters) for name, one in scored.items()}


def cell_of(measured: Measured, clusters: Mapping[str, str]) -> Cell:
    """With its interval. Of one cluster every sample is the same, and the interval would be a point that claims certainty."""
    found = interval(measured, clusters)
    return Cell(measured, found if found is not None and found.clusters > 1 else None)


def _compared(
    run: Run, cells: Mapping[str, Mapping[str, Cell]], measure: Measure, clusters: Mapping[str, str]
) -> dict[str, Comparison]:
    if run.reference is None:
        return {}
    reference = cells[run.reference][measure.name].measured
    return {arm: compare(cells[arm][measure.name].measured, reference, measure.better, clusters) for arm in run.others}


def _beside(run: Run) -> dict[str, Beside]:
    reference = _hits(run.records[run.reference]) if run.reference is not None else {}
    tests = {arm: _test(_hits(run.records[arm]), reference) for arm in run.others}
    tests = {arm: one for arm, one in tests.items() if one.n}
    adjusted = holm({arm: one.p for arm, one in tests.items()})
    return {
        arm: Beside(one, adjusted[arm], smallest_detectable(one.n, one.discordance)) for arm, one in tests.items()
    }


def _test(one: Mapping[str, bool], other: Mapping[str, bool]) -> McNemar:
    shared = sorted(one.keys() & other.keys())
    return mcnemar([one[case] for case in shared], [other[case] for case in shared])


def _hits(records: Sequence[CaseRecord]) -> dict[str, bool]:
    """By case; of several seeds the lowest, because answers to one case are not independent."""
    hits: dict[str, bool] = {}
    for record in records:  # by case and seed
        hits.setdefault(record.case, record.result is Result.CORRECT)
    return hits
