"""What an answer costs: milliseconds and tokens.

    latency p50, p95 = quantile of timings_ms["total"] over cases, linear between neighbours (Hyndman and Fan 1996, type 7)
    tokens           = mean over the cases whose engine counted them

Cases without the figure count nowhere; where no case has it: missing. A time holds for the machine and load of its run.
"""

from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from evaluation.measures.measured import Combine, Measured, Rows, combined, mean
from evaluation.records import CaseRecord

TOTAL = "total"
NOT_TIMED = "no case was timed"
NOT_COUNTED = "no engine counted tokens"


def latency(records: Sequence[CaseRecord], share: float) -> Measured:
    """The `share` quantile in ms. `details["steps"]`: the same of each step that was timed."""
    times = [record.timings_ms.get(TOTAL) for record in records]
    rows = [(0.0, 0.0) if time is None else (time, 1.0) for time in times]
    steps = sorted({step for record in records for step in record.timings_ms})
    details = {"steps": {step: _of_step(records, step, share) for step in steps}}
    timed = sum(time is not None for time in times)
    return combined(records, rows, _quantile(share), NOT_TIMED, details, timed)


def prompt_tokens(records: Sequence[CaseRecord]) -> Measured:
    """Mean tokens read per case."""
    return mean(records, [record.prompt_tokens for record in records], NOT_COUNTED)


def completion_tokens(records: Sequence[CaseRecord]) -> Measured:
    """Mean tokens written per case."""
    return mean(records, [record.completion_tokens for record in records], NOT_COUNTED)


def _of_step(records: Sequence[CaseRecord], step: str, share: float) -> float:
    return float(np.quantile([one.timings_ms[step] for one in records if step in one.timings_ms], share))


def _of_rows(share: float, rows: Rows) -> float:
    known = rows[rows[:, 1] > 0, 0]
    return float(np.quantile(known, share)) if len(known) else float("nan")


@cache
def _quantile(share: float) -> Combine:
    return partial(_of_rows, share)
