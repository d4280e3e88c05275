"""What an answer costs: milliseconds and tokens.

    latency p50, p95 = quantile of timings_ms["total"] over cases, linear between neighbours (Hyndman and Fan 1996, type 7)
    tokens           = mean over the cases whose engine counted them

Cases without the figure count nowhere; where no case has it: missing. A time holds for the machine and load of its run.
"""

from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from evaluation.measures.measured import AMOUNT, Counts, Measured, OfCounts, Rows, combined
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
    return _mean(records, [record.prompt_tokens for record in records])


def completion_tokens(records: Sequence[CaseRecord]) -> Measured:
    """Mean tokens written per case."""
    return _mean(records, [record.completion_tokens for record in records])


def _mean(records: Sequence[CaseRecord], tokens: Sequence[int | None]) -> Measured:
    rows = [(0.0, 0.0) if number is None else (float(number), 1.0) for number in tokens]
    return combined(records, rows, AMOUNT, NOT_COUNTED)


def _of_step(records: Sequence[CaseRecord], step: str, share: float) -> float:
    return float(np.quantile([one.timings_ms[step] for one in records if step in one.timings_ms], share))


def _of_draws(share: float, rows: Rows, counts: Counts) -> Rows:
    order = np.argsort(rows[:, 0], kind="stable")
    times, upto = rows[order, 0], np.cumsum(counts[:, order] * rows[order, 1], axis=1)
    place = (upto[:, -1] - 1) * share
    below = np.floor(place)
    one, other = (times[(upto > at[:, None]).argmax(axis=1)] for at in (below, np.ceil(place)))
    return np.where(upto[:, -1] > 0, _between(one, other, place - below), np.nan)


def _between(one: Rows, other: Rows, share: Rows) -> Rows:
    """From the nearer end, so that it is neither's by rounding: as numpy's quantile."""
    return np.where(share < 0.5, one + (other - one) * share, other - (other - one) * (1 - share))


@cache
def _quantile(share: float) -> OfCounts:
    return OfCounts(partial(_of_draws, share))
