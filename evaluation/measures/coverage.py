"""What abstaining buys: how accurate the answers would be if only the surest were given.

    risk(i) = wrong first labels among the i surest cases / i,      AURC = mean over i = 1..n of risk(i)

The area under the risk-coverage curve: Geifman and El-Yaniv 2017, arXiv:1705.08500; Geifman et al. 2019, arXiv:1805.08206.
Equally sure cases come in no order, so each has the mean error of those as sure as it. Cases without a probability come last.
The curve gives, per threshold on the confidence, the share of cases answered and the accuracy of those. For nothing: missing.
"""

from collections.abc import Sequence

import numpy as np

from evaluation.measures.calibration import NOTHING, confidence
from evaluation.measures.measured import Measured, Rows, combined
from evaluation.records import CaseRecord

POINTS = 100  # of the curve at most, so that a report can draw it
UNSURE = -1.0  # where nobody could say


def aurc(records: Sequence[CaseRecord]) -> Measured:
    """0..1, less is better. `details["curve"]`: threshold, coverage, accuracy, surest first."""
    said = [(confidence(record), record.hit) for record in records]
    rows = [(UNSURE if sure is None else sure, float(not hit)) for sure, hit in said]
    known = any(sure is not None for sure, _ in said)
    return combined(records, rows, _aurc, NOTHING, {"curve": _curve(np.array(rows))} if known else None)


def _aurc(rows: Rows) -> float:
    if (rows[:, 0] == UNSURE).all():
        return float("nan")
    _, counts, wrong = _by_confidence(rows)
    expected = np.repeat(wrong / counts, counts)
    return float((np.cumsum(expected) / np.arange(1, len(rows) + 1)).mean())


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


def _by_confidence(rows: Rows) -> tuple[Rows, np.ndarray[tuple[int, ...], np.dtype[np.intp]], Rows]:
    """Distinct confidences, surest first: the confidence, its cases, its wrong ones."""
    negated, places, counts = np.unique(-rows[:, 0], return_inverse=True, return_counts=True)
    return -negated, counts, np.bincount(places, rows[:, 1], len(counts))
