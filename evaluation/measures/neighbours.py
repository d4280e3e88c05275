"""How well the reference cases that were found fit: a neighbour is relevant if it has the case's label.

    label recall@k       = 1 if one of the first k neighbours has the label, else 0
    label nDCG@k         = evaluation.measures.ndcg with grade 1 for the label; the best ranking holds as many cases of the
                           label as there are (`shelf`, see Tools), at most k; k where that is not known
    neighbour agreement@k = neighbours with the label among the first k / neighbours among the first k

Means over cases. A case without a neighbour has recall and nDCG 0 and no agreement. Labels are those that were given: of an arm
that shuffles them these measures say what the model saw, not what the search found. For an arm without cases: missing.
"""

from collections.abc import Mapping, Sequence

from evaluation.measures.measured import Measured, absent, mean
from evaluation.measures.ndcg import ndcg
from evaluation.records import CaseRecord, EvidenceRecord

NOTHING = "no case was given reference cases"


def neighbours(record: CaseRecord) -> list[EvidenceRecord]:
    """The reference cases that were found, nearest first: those that voted, or in a record without them those shown."""
    return sorted(record.voters, key=_place) or shown(record)


def shown(record: CaseRecord) -> list[EvidenceRecord]:
    """The reference cases in the ledger of an answer, in its order."""
    return sorted((one for one in record.evidence if one.kind == "case"), key=_place)


def _place(item: EvidenceRecord) -> tuple[int, str]:
    return item.rank, item.id


def label_recall(records: Sequence[CaseRecord], k: int) -> Measured:
    """Mean, 0..1."""
    return _of_found(records, [float(any(_same(record, k))) for record in records])


def label_ndcg(records: Sequence[CaseRecord], shelf: Mapping[str, int] | None, k: int) -> Measured:
    """Mean, 0..1. `details["ideal"]` says what the best ranking is taken to be."""
    values = []
    for record in records:
        found = neighbours(record)[:k]
        grades = {one.id: 1 for one in found if one.label == record.label}
        there = k if shelf is None else shelf.get(record.label, 0)
        unseen = {f"unseen {number}": 1 for number in range(min(k, there) - len(grades))}
        values.append(ndcg([one.id for one in found], {**grades, **unseen}, k))
    ideal = "k cases of the label" if shelf is None else "the cases of the label on the shelf, at most k"
    return _of_found(records, values, ideal)


def neighbour_agreement(records: Sequence[CaseRecord], k: int) -> Measured:
    """Mean over the cases with a neighbour, 0..1."""
    same = [_same(record, k) for record in records]
    return mean(records, [sum(one) / len(one) if one else None for one in same], NOTHING)


def _same(record: CaseRecord, k: int) -> list[bool]:
    return [one.label == record.label for one in neighbours(record)[:k]]


def _of_found(records: Sequence[CaseRecord], values: Sequence[float], ideal: str | None = None) -> Measured:
    without = sum(not neighbours(record) for record in records)
    if without == len(records):
        return absent(NOTHING)
    details = {"without_neighbours": without, **({"ideal": ideal} if ideal else {})}
    return mean(records, values, NOTHING, details)
