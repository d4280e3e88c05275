"""How far answers agree with the truth beyond chance. "No answer" is an answer of its own, which is never right.

    Cohen's kappa = (p_o - p_e) / (1 - p_e),  p_o = accuracy,  p_e = sum over labels of share(truth = l) · share(answer = l)
    MCC = (c·s - Σ t_l·a_l) / √((s² - Σ a_l²)(s² - Σ t_l²)),  s cases, c right, t_l cases and a_l answers of label l

Cohen 1960, doi:10.1177/001316446002000104; Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006 (Matthews' coefficient for
many classes). As scikit-learn: an MCC whose divisor is 0 (always the same answer) is 0; kappa is then missing if p_e is 1.
"""

from collections.abc import Sequence

import numpy as np

from evaluation.measures.labels_seen import coded, one_hot
from evaluation.measures.measured import Counts, Measured, OfCounts, Rows, combined, divided
from evaluation.records import CaseRecord


def cohens_kappa(records: Sequence[CaseRecord]) -> Measured:
    """-1..1, 0 for chance."""
    return combined(records, coded(records), _KAPPA, "all cases have one label, and it was always answered")


def matthews(records: Sequence[CaseRecord]) -> Measured:
    """-1..1, 0 for chance."""
    return combined(records, coded(records), _MCC, "there are no records")


def _kappa(rows: Rows, counts: Counts) -> Rows:
    true, said, right = _of_labels(rows, counts)
    cases = counts.sum(axis=1)
    expected = (true * said).sum(axis=1) / cases**2
    return divided(right / cases - expected, 1 - expected)


def _mcc(rows: Rows, counts: Counts) -> Rows:
    true, said, right = _of_labels(rows, counts)
    cases = counts.sum(axis=1)
    spread = (cases**2 - (said * said).sum(axis=1)) * (cases**2 - (true * true).sum(axis=1))
    return np.nan_to_num(divided(right * cases - (true * said).sum(axis=1), np.sqrt(spread)))


def _of_labels(rows: Rows, counts: Counts) -> tuple[Rows, Rows, Rows]:
    """[draws, labels] cases and answers of each label, and [draws] how many answers are right."""
    labels = np.unique(rows)
    right = counts @ (rows[:, 0] == rows[:, 1]).astype(np.float64)
    return counts @ one_hot(rows[:, 0], labels), counts @ one_hot(rows[:, 1], labels), right


_KAPPA, _MCC = OfCounts(_kappa), OfCounts(_mcc)
