"""What abstaining buys: how accurate the answers would be if only the surest were given.

    risk(i) = wrong first labels among the i surest cases / i,      AURC = mean over i = 1..n of risk(i)

The area under the risk-coverage curve: Geifman and El-Yaniv 2017, arXiv:1705.08500; Geifman et al. 2019, arXiv:1805.08206.
Equally sure cases come in no order, so each has the mean error of those as sure as it. Cases without a probability come last.
The curve gives, per threshold on the confidence, the share of cases answered and the accuracy of those. For nothing: missing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.measures.calibration import NOTHING, confidence
from evaluation.measures.measured import Counts, Measured, OfCounts, Rows, combined
from evaluation.records import CaseRecord

POINTS = 100  # of the curve at most, so that a report can draw it
UNSURE = -1.0  # where nobody could say


def aurc(records: Sequence[CaseRecord]) -> Measured:
    """0..1, less is better. `details["curve"]`: threshold, coverage, accuracy, surest first."""
    said = [(confidence(record), record.hit) for record in records]
    rows = [(UNSURE if sure is None else sure, float(not hit)) for sure, hit in said]
    known = any(sure is not None for sure, _ in said)
    return combined(records, rows, _AURC, NOTHING, {"curve": _curve(np.array(rows))} if known else None)


def _aurc(rows: Rows, counts: Counts) -> Rows:
    order = np.argsort(-rows[:, 0], kind="stable")
    sure, wrong, drawn = rows[order, 0], rows[order, 1], counts[:, order]
    starts = np.flatnonzero(np.diff(sure, prepend=np.nan))  # of those as sure as each other
    cases, errors = (np.add.reduceat(one, starts, axis=1) for one in (drawn, drawn * wrong))
    mean_error = np.divide(errors, cases, out=np.zeros_like(errors), where=cases > 0)
    expected = np.repeat(mean_error, np.diff(starts, append=len(order)), axis=1)
    risk, there = _risks(expected, drawn)
    answered = there.sum(axis=1)
    return np.where(drawn @ (sure != UNSURE) > 0, np.where(there, risk, 0.0).sum(axis=1) / answered, np.nan)


def _risks(expected: Rows, drawn: Counts) -> tuple[Rows, NDArray[np.bool_]]:
    """[draws, most cases of a draw] the mean error of the i surest, and which of them the draw has."""
    number = drawn.sum(axis=1)
    there = np.arange(int(number.max())) < number[:, None]
    errors = np.zeros(there.shape)
    errors[there] = np.repeat(expected.ravel(), drawn.ravel().astype(np.intp))
    return np.cumsum(errors, axis=1) / np.arange(1, there.shape[1] + 1), there


def _curve(rows: Rows) -> list[dict[str, float]]:
    sure, counts, wrong = _by_confidence(rows)
    answered = np.cumsum(counts)
    right = 1 - np.cumsum(wrong) / answered
    points = np.flatnonzero(sure != UNSURE)
    kept = points[np.unique(np.linspace(0, len(points) - 1, min(POINTS, len(points))).round().astype(int))]
    return [
        {"threshold": float(sure[i]), "coverage": float(answered[i] / len(rows)), "accuracy": float(right[i])}
        for i in kept
    ]


def _by_confidence(rows: Rows) -> tuple[Rows, NDArray[np.intp], Rows]:
    """Distinct confidences, surest first: the confidence, its cases, its wrong ones."""
    negated, places, counts = np.unique(-rows[:, 0], return_inverse=True, return_counts=True)
    return -negated, counts, np.bincount(places, rows[:, 1], len(counts)).astype(np.float64)


_AURC = OfCounts(_aurc)
