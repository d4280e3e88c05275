"""Measures of classification against scikit-learn, and what they give at their edges."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sklearn import metrics

from evaluation.measures.agreement import cohens_kappa, matthews
from evaluation.measures.calibration import brier, calibration_error
from evaluation.measures.coverage import aurc
from evaluation.measures.per_label import balanced_accuracy, label_measures, macro_f1
from evaluation.records import CaseRecord, Result

LABELS = ("acne", "eczema", "melanoma", "psoriasis", "vitiligo")


def record(case: str, label: str, first: str | None, result: Result | None = None, *shares: float) -> CaseRecord:
    reached = result or (Result.CORRECT if first == label else Result.WRONG)
    named = [first, *(label for label in LABELS if label != first)] if first else []
    return CaseRecord(case, "arm", 0, label, reached, first, probabilities=tuple(zip(named, shares, strict=False)))


def drawn(seed: int, number: int = 200) -> list[CaseRecord]:
    """Answers that are better than chance; some declined, some outside the truths."""
    source = random.Random(seed)
    records = []
    for case in range(number):
        label = source.choice(LABELS[:4])
        first = label if source.random() < 0.5 else source.choice(LABELS)
        shares = sorted((source.random() for _ in LABELS), reverse=True)
        scaled = [share / sum(shares) for share in shares]
        result = Result.ABSTAINED if source.random() < 0.2 else None
        records.append(record(str(case), label, first, result, *scaled))
    return records


def said(records: Sequence[CaseRecord]) -> list[str]:
    return ["" if one.result is Result.ABSTAINED else str(one.first) for one in records]


@pytest.mark.parametrize("seed", range(5))
def test_they_are_scikit_learn_s(seed: int) -> None:
    records = drawn(seed)
    truth, answers = [one.label for one in records], said(records)
    truths = sorted(set(truth))
    recalls = metrics.recall_score(truth, answers, labels=truths, average=None, zero_division=0)
    assert balanced_accuracy(records).value == pytest.approx(recalls.mean())
    macro = metrics.f1_score(truth, answers, labels=truths, average="macro", zero_division=0)
    assert macro_f1(records).value == pytest.approx(macro)
    assert cohens_kappa(records).value == pytest.approx(metrics.cohen_kappa_score(truth, answers))
    assert matthews(records).value == pytest.approx(metrics.matthews_corrcoef(truth, answers))
    precisions = metrics.precision_score(truth, answers, labels=truths, average=None, zero_division=0)
    found = label_measures(records)
    assert [found[label].sensitivity.value for label in truths] == pytest.approx(list(recalls))
    assert [found[label].ppv.value for label in truths] == pytest.approx(list(precisions))


@pytest.mark.parametrize("seed", range(3))
def test_the_brier_score_is_scikit_learn_s(seed: int) -> None:
    records = drawn(seed)
    shares = [[dict(one.probabilities)[label] for label in LABELS] for one in records]
    theirs = metrics.brier_score_loss([one.label for one in records], shares, labels=LABELS, scale_by_half=False)
    assert brier(records).value == pytest.approx(theirs)


def test_a_label_that_was_never_answered_has_no_predictive_value() -> None:
    found = label_measures([record("1", "acne", "eczema"), record("2", "acne", "eczema")])
    assert (found["acne"].sensitivity.value, found["acne"].ppv.missing) == (0, "no case was answered with this label")
    assert (found["eczema"].sensitivity.missing, found["eczema"].ppv.value) == ("no case has this label", 0)


def test_always_the_same_answer_has_a_correlation_of_0() -> None:
    records = [record("1", "acne", "acne"), record("2", "eczema", "acne")]
    assert (matthews(records).value, cohens_kappa(records).value) == (0, 0)


def test_one_label_always_answered_leaves_no_chance_to_compare_with() -> None:
    found = cohens_kappa([record("1", "acne", "acne"), record("2", "acne", "acne")])
    assert (found.value, found.missing) == (None, "all cases have one label, and it was always answered")


def test_a_confidence_on_the_edge_of_a_bin_belongs_to_the_bin_below() -> None:
    # 0.7 is in (0.6, 0.7] with 0.65, so right and wrong offset each other: |1 - 1.35| / 2
    records = [record("1", "acne", "acne", None, 0.7), record("2", "acne", "eczema", None, 0.65)]
    assert calibration_error(records).value == pytest.approx(abs(1 - (0.7 + 0.65)) / 2)


def test_equally_sure_cases_have_no_order() -> None:
    records = [record("1", "acne", "acne", None, 0.5), record("2", "acne", "eczema", None, 0.5)]
    assert aurc(records).value == aurc(records[::-1]).value == pytest.approx((0.5 / 1 + 1 / 2) / 2)


def test_two_records_of_one_case_and_seed_are_refused() -> None:
    one = record("1", "acne", "acne")
    with pytest.raises(ValueError, match="more than one arm"):
        macro_f1([one, replace(one, arm="other")])


def test_a_measure_of_two_seeds_counts_both() -> None:
    one = record("1", "acne", "acne")
    assert macro_f1([one, replace(one, seed=1)]).n == 2
