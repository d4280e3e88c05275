"""Every measure of one arm, from its records."""

from collections.abc import Iterable, Mapping, Sequence

from evaluation.measures.measured import Measured
from evaluation.measures.registry import MEASURES, Measure
from evaluation.measures.tools import Tools
from evaluation.records import CaseRecord


def score(
    records: Iterable[CaseRecord], arm: str, tools: Tools | None = None, measures: Sequence[Measure] = MEASURES
) -> Mapping[str, Measured]:
    """Measure by name, in the order of `measures`, of the records of `arm`. A measure without a value says why."""
    own = [record for record in records if record.arm == arm]
    given = tools or Tools()
    return {one.name: one.of(own, given) for one in measures}
