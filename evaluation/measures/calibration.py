"""Whether a probability means what it says. Of all cases with probabilities, also those on which the service declined.

    ECE   = sum over bins b of  n_b / n · |accuracy(b) - mean confidence(b)|
            10 bins of equal width, (0, 0.1], (0.1, 0.2] ... (0.9, 1]; the confidence is the first label's probability
    Brier = mean over cases of  sum over labels l of (p_l - [l is the truth])²,   0..2

ECE: Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602; Guo et al. 2017, arXiv:1706.04599. It depends on the bins, so compare only
what was binned alike. Brier 1950, "Verification of forecasts expressed in terms of probability", in its form for many classes;
a label without a probability has 0. For nothing: missing.
"""

from collections.abc import Sequence

import numpy as np

from evaluation.measures.labels_seen import one_hot
from evaluation.measures.measured import Counts, Measured, OfCounts, Rows, combined, divided, mean
from evaluation.records import CaseRecord

BINS = 10
_EDGES = np.linspace(0, 1, BINS + 1)[1:-1]
NOTHING = "no case has probabilities"


def confidence(record: CaseRecord) -> float | None:
    """The probability 0..1 of the label put first; None where nobody could say."""
    return dict(record.probabilities).get(record.first) if record.first is not None else None


def calibration_error(records: Sequence[CaseRecord]) -> Measured:
    """0..1, 0 for a perfect one. `details["bins"]`: cases, accuracy and mean confidence of each bin that is not empty."""
    said = [(confidence(record), record.hit) for record in records]
    rows = [(0.0, 0.0, 0.0) if sure is None else (sure, float(hit), 1.0) for sure, hit in said]
    counted = sum(sure is not None for sure, _ in said)
    return combined(records, rows, _ECE, NOTHING, {"bins": _bins(np.array(rows))} if counted else None, counted)


def brier(records: Sequence[CaseRecord]) -> Measured:
    """0..2, 0 for certainty that is always right."""
    return mean(records, [_brier(record) if record.probabilities else None for record in records], NOTHING)


def _brier(record: CaseRecord) -> float:
    shares = {record.label: 0.0, **dict(record.probabilities)}
    return sum((share - (label == record.label)) ** 2 for label, share in shares.items())


def _ece(rows: Rows, counts: Counts) -> Rows:
    cases, hits, sure = _in_bins(rows, counts)
    return divided(np.abs(hits - sure).sum(axis=1), cases.sum(axis=1))


def _in_bins(rows: Rows, counts: Counts) -> tuple[Rows, Rows, Rows]:
    """[draws, BINS] cases, hits and confidences added up."""
    places = np.digitize(rows[:, 0], _EDGES, right=True)
    inside = one_hot(places, np.arange(BINS)) * rows[:, 2:]
    return counts @ inside, counts @ (inside * rows[:, 1:2]), counts @ (inside * rows[:, :1])


def _bins(rows: Rows) -> list[dict[str, float]]:
    of_bins = _in_bins(rows, np.ones((1, len(rows))))
    return [
        {
            "to": (place + 1) / BINS,
            "cases": int(count),
            "accuracy": float(hit / count),
            "confidence": float(sure / count),
        }
        for place, (count, hit, sure) in enumerate(zip(*(one[0] for one in of_bins), strict=True))
        if count
    ]


_ECE = OfCounts(_ece)
