"""Which label was answered for which, and where no label was answered, why not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.records import CaseRecord, Result

ANSWERED = frozenset({Result.CORRECT, Result.WRONG})


@dataclass(frozen=True, slots=True)
class Confusion:
    """`truths` and `answers` in the order of their names; `answers` end with the results that are no label, where they occur."""

    truths: tuple[str, ...]
    answers: tuple[str, ...]
    counts: Counter[tuple[str, str]]
    labels: frozenset[str]

    def of(self, truth: str, answer: str) -> int:
        """Cases."""
        return self.counts[truth, answer]

    def total(self, truth: str) -> int:
        """Cases of a label."""
        return sum(number for (label, _), number in self.counts.items() if label == truth)

    def mistakes(self) -> list[tuple[str, str, int]]:
        """Truth, answer and cases: labels taken for others, the most frequent first."""
        found = [
            (truth, answer, number)
            for (truth, answer), number in self.counts.items()
            if truth != answer and answer in self.labels
        ]
        return sorted(found, key=lambda one: (-one[2], one[0], one[1]))


def confusion_of(records: Sequence[CaseRecord]) -> Confusion:
    """Of one arm. A label may be called as a result is: the results stand in brackets."""
    counts = Counter((one.label, _answer(one)) for one in records)
    truths = {truth for truth, _ in counts}
    labels = truths | {one.first for one in records if one.result in ANSWERED and one.first is not None}
    rest = [f"({one})" for one in Result if one not in ANSWERED]
    without = [one for one in rest if any(answer == one for _, answer in counts)]
    return Confusion(tuple(sorted(truths)), (*sorted(labels), *without), counts, frozenset(labels))


def _answer(record: CaseRecord) -> str:
    named = record.result in ANSWERED and record.first is not None
    return str(record.first) if named else f"({record.result})"
