"""How far answers agree with the truth beyond chance. "No answer" is an answer of its own, which is never right.

    Cohen's kappa = (p_o - p_e) / (1 - p_e),  p_o = accuracy,  p_e = sum over labels of share(truth = l) · share(answer = l)
    MCC = (c·s - Σ t_l·a_l) / √((s² - Σ a_l²)(s² - Σ t_l²)),  s cases, c right, t_l cases and a_l answers of label l

Cohen 1960, doi:10.1177/001316446002000104; Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006 (Matthews' coefficient for
many classes). As scikit-learn: an MCC whose divisor is 0 (always the same answer) is 0; kappa is then missing if p_e is 1.
"""

from collections.abc import Sequence

import numpy as np

from evaluation.measures.labels_seen import coded
from evaluation.measures.measured import Measured, Rows, combined
from evaluation.records import CaseRecord


def cohens_kappa(records: Sequence[CaseRecord]) -> Measured:
    """-1..1, 0 for chance."""
    return combined(records, coded(records), _kappa, "all cases have one label, and it was always answered")


def matthews(records: Sequence[CaseRecord]) -> Measured:
    """-1..1, 0 for chance."""
    return combined(records, coded(records), _mcc, "there are no records")


def _kappa(rows: Rows) -> float:
    true, said, right = _counts(rows)
    expected = float(true @ said) / len(rows) ** 2
    return (right / len(rows) - expected) / (1 - expected) if expected < 1 else float("nan")


def _mcc(rows: Rows) -> float:
    true, said, right = _counts(rows)
    s = float(len(rows))
    divisor = np.sqrt((s * s - said @ said) * (s * s - true @ true))
    return float((right * s - true @ said) / divisor) if divisor > 0 else 0.0


def _counts(rows: Rows) -> tuple[Rows, Rows, float]:
    labels, places = np.unique(rows, return_inverse=True)
    places = places.reshape(rows.shape)
    true, said = (np.bincount(places[:, column], minlength=len(labels)).astype(np.float64) for column in (0, 1))
    return true, said, float((rows[:, 0] == rows[:, 1]).sum())
