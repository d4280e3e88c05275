"""Measures of the reference cases found, against trec_eval."""

import random

import ir_measures
import pytest

from evaluation.measures.neighbours import label_ndcg, label_recall, neighbour_agreement
from evaluation.records import CaseRecord, EvidenceRecord, Result

LABELS = ("acne", "eczema", "melanoma", "psoriasis")
SHELF = [(f"r{number:02}", LABELS[number % 3] if number < 36 else LABELS[3]) for number in range(38)]


def asked(seed: int, number: int = 30) -> list[CaseRecord]:
    source = random.Random(seed)
    found = []
    for case in range(number):
        neighbours = source.sample(SHELF, 8)
        evidence = [
            EvidenceRecord(one, "case", rank, 1 / rank, {}, label) for rank, (one, label) in enumerate(neighbours, 1)
        ]
        source.shuffle(evidence)  # the rank counts, not the place in the record
        found.append(CaseRecord(f"q{case}", "arm", 0, source.choice(LABELS), Result.WRONG, evidence=tuple(evidence)))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_they_are_trec_eval_s(seed: int) -> None:
    records = asked(seed)
    grades = {record.case: {one: int(label == record.label) for one, label in SHELF} for record in records}
    run = {record.case: {one.id: 100.0 - one.rank for one in record.evidence} for record in records}
    shelf = {label: sum(one == label for _, one in SHELF) for label in LABELS}
    ours = {
        "nDCG@5": label_ndcg(records, shelf, 5),
        "Success@1": label_recall(records, 1),
        "Success@5": label_recall(records, 5),
        "P@5": neighbour_agreement(records, 5),
    }
    names = [ir_measures.parse_measure(name) for name in ours]
    for found in ir_measures.iter_calc(names, grades, run):
        per_case = ours[str(found.measure)].per_case
        assert per_case is not None
        assert per_case[found.query_id, 0] == pytest.approx(found.value), found


def test_a_label_that_is_not_on_the_shelf_cannot_be_found() -> None:
    record = CaseRecord("q", "arm", 0, "vitiligo", Result.WRONG, evidence=asked(0)[0].evidence)
    assert label_ndcg([record], {}, 5).value == 0
