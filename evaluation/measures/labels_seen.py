"""Labels as numbers that two arms share, and what counts as an answer."""

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.measures.measured import Rows
from evaluation.records import CaseRecord, Result

NO_ANSWER = 0.0
ANSWERED = frozenset({Result.CORRECT, Result.WRONG})


@cache
def code(label: str | None) -> float:
    """A whole number that is the same in every arm and run; 0 for no label. 48 bits of a hash: a float holds them exactly."""
    if label is None:
        return NO_ANSWER
    return float(int.from_bytes(hashlib.sha256(label.encode()).digest()[:6]) + 1)


def answer(record: CaseRecord) -> str | None:
    """The label that was answered; None where the service declined, failed, or said nothing that names one."""
    return record.first if record.result in ANSWERED else None


def coded(records: Sequence[CaseRecord]) -> list[tuple[float, float]]:
    """(truth, answer) of each record."""
    return [(code(record.label), code(answer(record))) for record in records]


def one_hot(codes: NDArray[Any], labels: NDArray[Any]) -> Rows:
    """[n, labels] 1 where code i is that label."""
    return np.asarray(codes[:, None] == labels, dtype=np.float64)
