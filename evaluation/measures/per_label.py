"""Every label by itself, so that a frequent one cannot hide a rare one.

    sensitivity(l) = cases of l answered with l / cases of l             (recall; an unanswered case is not found)
    PPV(l)         = cases of l answered with l / cases answered with l  (precision)
    F1(l)          = 2 · found(l) / (cases of l + answers l)
    balanced accuracy = mean of sensitivity(l),   macro F1 = mean of F1(l),   both over the labels that are a truth

Brodersen et al. 2010, doi:10.1109/ICPR.2010.764; macro F1 as the mean of F1 scores: Opitz and Burst 2019, arXiv:1911.03347.
As scikit-learn's recall_score and f1_score with labels=the truths and zero_division=0. For nothing: missing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.measures.accuracy import NOTHING
from evaluation.measures.labels_seen import answer, coded, one_hot
from evaluation.measures.measured import Counts, Measured, OfCounts, Rows, combined, ratio
from evaluation.records import CaseRecord


@dataclass(frozen=True, slots=True)
class LabelMeasures:
    """Of one label: how much of it was found, and how far an answer with it can be trusted (missing if none was given)."""

    cases: int
    answers: int
    sensitivity: Measured
    ppv: Measured


def balanced_accuracy(records: Sequence[CaseRecord]) -> Measured:
    """`details["confusion"]`: truth -> answer -> cases, "" for no answer."""
    return combined(records, coded(records), _BALANCED, NOTHING, {"confusion": confusion(records)})


def macro_f1(records: Sequence[CaseRecord]) -> Measured:
    """Also an answer outside the truths costs: the label it should have been loses a case."""
    return combined(records, coded(records), _MACRO_F1, NOTHING)


def confusion(records: Sequence[CaseRecord]) -> dict[str, dict[str, int]]:
    """Truth -> answer -> cases; "" for no answer."""
    counts = Counter((record.label, answer(record) or "") for record in records)
    return {truth: _row(counts, truth) for truth in sorted({truth for truth, _ in counts})}


def label_measures(records: Sequence[CaseRecord]) -> dict[str, LabelMeasures]:
    """By label, of the truths and the answers, in order of their names."""
    answers = [answer(record) for record in records]
    labels = sorted({record.label for record in records} | {one for one in answers if one is not None})
    return {label: _of_label(records, answers, label) for label in labels}


def _of_label(records: Sequence[CaseRecord], answers: Sequence[str | None], label: str) -> LabelMeasures:
    true = [float(record.label == label) for record in records]
    said = [float(one == label) for one in answers]
    found = [one * other for one, other in zip(true, said, strict=True)]
    return LabelMeasures(
        int(sum(true)),
        int(sum(said)),
        ratio(records, list(zip(found, true, strict=True)), "no case has this label"),
        ratio(records, list(zip(found, said, strict=True)), "no case was answered with this label"),
    )


def _row(counts: Mapping[Any, int], truth: str) -> dict[str, int]:
    return dict(sorted((said, number) for (label, said), number in counts.items() if label == truth))


def _balanced(rows: Rows, counts: Counts) -> Rows:
    found, true, _ = _of_labels(rows, counts)
    return _mean_of_truths(found, true, true)


def _macro_f1(rows: Rows, counts: Counts) -> Rows:
    found, true, said = _of_labels(rows, counts)
    return _mean_of_truths(2 * found, true + said, true)


def _of_labels(rows: Rows, counts: Counts) -> tuple[Rows, Rows, Rows]:
    """[draws, labels] of each label that is a truth: cases found, cases, answers."""
    labels = np.unique(rows[:, 0])
    truth, answers = one_hot(rows[:, 0], labels), one_hot(rows[:, 1], labels)
    return counts @ (truth * answers), counts @ truth, counts @ answers


def _mean_of_truths(numerators: Rows, denominators: Rows, true: Rows) -> Rows:
    """The mean over the labels that are a truth in the draw."""
    there = true > 0
    shares = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=there)
    return np.asarray(shares.sum(axis=1) / there.sum(axis=1))


_BALANCED, _MACRO_F1 = OfCounts(_balanced), OfCounts(_macro_f1)
