"""How often the answer is right, and how often there is one.

    accuracy             = right answers / all cases            (unparsed, abstained and failed cases are not right)
    accuracy of answered = right answers / answered cases       (answered: CORRECT or WRONG)
    first label accuracy = cases whose first label is right / all cases, also where the service then declined
    coverage             = answered cases / all cases;          likewise the shares unparsed, abstained, failed
    top-k accuracy       = answered cases with the truth among the first k candidates / all cases

For nothing: missing. Top-k is missing where no case has a second candidate, since it would then only repeat the accuracy.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from evaluation.measures.labels_seen import ANSWERED
from evaluation.measures.measured import Measured, absent, mean, ratio
from evaluation.records import CaseRecord, Result

NOTHING = "there are no records"


def accuracy(records: Sequence[CaseRecord]) -> Measured:
    """`details["results"]` counts each result apart."""
    counts = Counter(record.result for record in records)
    details = {"results": {str(one): counts[one] for one in Result}}
    return mean(records, [float(record.result is Result.CORRECT) for record in records], NOTHING, details)


def accuracy_of_answered(records: Sequence[CaseRecord]) -> Measured:
    """Missing where nothing was answered."""
    parts = [(float(one.result is Result.CORRECT), float(one.result in ANSWERED)) for one in records]
    return ratio(records, parts, "no case was answered")


def first_label_accuracy(records: Sequence[CaseRecord]) -> Measured:
    """What abstaining cost or saved shows beside `accuracy`."""
    return mean(records, [float(record.hit) for record in records], NOTHING)


def share_of(records: Sequence[CaseRecord], results: Collection[Result]) -> Measured:
    """Share of the cases with one of these results."""
    return mean(records, [float(record.result in results) for record in records], NOTHING)


def top_k(records: Sequence[CaseRecord], k: int) -> Measured:
    """The label put first is candidate 1, the others follow as they were ranked."""
    if not any(len(_ranked(record)) > 1 for record in records):
        return absent("no case has more than one ranked candidate")
    hits = [record.result in ANSWERED and record.label in _ranked(record)[:k] for record in records]
    return mean(records, [float(hit) for hit in hits], NOTHING)


def _ranked(record: CaseRecord) -> list[str]:
    first = [record.first] if record.first is not None else []
    return list(dict.fromkeys([*first, *(label for label, _ in record.probabilities)]))
