"""What a measure gives: a value or the reason why there is none, and the rows it was computed from.

A measure turns each record into one row of numbers and then combines rows into a value. Whoever resamples cases draws rows and
combines again, so that an interval of macro F1 or of corpus BLEU costs no second look at a caption or a model.

Every record gives a row, also where the measure does not apply to it (a weight of 0): so two arms that answered different
cases can still be compared case by case.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.records import CaseRecord

Unit = tuple[str, int]  # a case and a seed
Rows = NDArray[np.float64]  # [records, columns]
Counts = NDArray[np.float64]  # [draws, records] how often each record is in each draw


@dataclass(frozen=True, slots=True)
class OfSums:
    """A value that depends on the sums of the columns alone: `of` takes [..., columns] to [...], many draws at once."""

    of: Callable[[Rows], Rows]

    def __call__(self, rows: Rows) -> float:
        """The value of rows [n, columns]."""
        return float(self.of(rows.sum(axis=0)))


@dataclass(frozen=True, slots=True)
class OfCounts:
    """A value that depends on more than sums: `of` takes rows [n, columns] and counts [draws, n] to [draws].

    Row i is in draw d counts[d, i] times; NaN where a draw has no value. Draws are computed together, because one by one they
    would take most of the time of a report.
    """

    of: Callable[[Rows, Counts], Rows]

    def __call__(self, rows: Rows) -> float:
        """The value of rows [n, columns], each counted once."""
        return float(self.of(rows, np.ones((1, len(rows))))[0])


Combine = OfSums | OfCounts  # rows -> value; NaN where these rows give none


def quotient(sums: Rows) -> Rows:
    """Column 0 by column 1; NaN where column 1 is 0."""
    return divided(sums[..., 0], sums[..., 1])


def divided(numerators: Rows, denominators: Rows) -> Rows:
    """NaN where a denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominators == 0, np.nan, numerators / denominators)


RATIO = OfSums(quotient)  # of what lies between 0 and 1
AMOUNT = OfSums(quotient)  # of what may be any number: tokens


@dataclass(frozen=True, slots=True)
class Measured:
    """`value` is None exactly where `missing` says why. `n` counts the records that the value speaks of.

    `rows[i]` belongs to `units[i]`; `combine(rows)` is `value`. `details` is what stands behind it (counts, curves), as JSON
    would hold it.
    """

    value: float | None
    n: int
    missing: str | None = None
    units: tuple[Unit, ...] = ()
    rows: Rows = field(default_factory=lambda: np.zeros((0, 2)), repr=False, compare=False)
    combine: Combine = field(default=RATIO, repr=False, compare=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def per_case(self) -> Mapping[Unit, float] | None:
        """Each record's own value, where the measure is a mean over records or a share of counts; else None."""
        if not _of_one(self.combine) or self.missing is not None:
            return None
        values = quotient(self.rows)
        return {unit: float(value) for unit, value in zip(self.units, values, strict=True) if not np.isnan(value)}


def _of_one(combine: Combine) -> bool:
    """Whether a record has a value by itself."""
    return isinstance(combine, OfSums) and combine.of is quotient


def absent(why: str) -> Measured:
    """No value, and why."""
    return Measured(None, 0, why)


def ratio(
    records: Sequence[CaseRecord], parts: Iterable[tuple[float, float]], nothing: str,
    details: Mapping[str, Any] | None = None,
) -> Measured:  # fmt: skip
    """Sum of numerators by sum of denominators, one pair per record; `nothing` says why where every denominator is 0.

    With a weight of 1 for each record that counts and 0 for the others it is a mean over the records that count.
    """
    return combined(records, list(parts), RATIO, nothing, details)


def mean(
    records: Sequence[CaseRecord],
    values: Iterable[float | None],
    nothing: str,
    details: Mapping[str, Any] | None = None,
) -> Measured:
    """The mean of the values; None: the measure does not apply to the record."""
    return ratio(records, [(0.0, 0.0) if value is None else (value, 1.0) for value in values], nothing, details)


def combined(
    records: Sequence[CaseRecord], rows: Sequence[Sequence[float]] | Rows, combine: Combine, nothing: str,
    details: Mapping[str, Any] | None = None, n: int | None = None,
) -> Measured:  # fmt: skip
    """One row per record, combined. `n`: how many records count, else those with a weight in column 1 (of a ratio) or all."""
    if not records:
        return absent("there are no records")
    units = tuple((record.case, record.seed) for record in records)
    if len(set(units)) < len(units):
        raise ValueError("the records are of more than one arm: a case and a seed stand there twice")
    table = np.asarray(rows, dtype=np.float64)
    value = combine(table)
    counted = n if n is not None else int((table[:, 1] != 0).sum()) if _of_one(combine) else len(records)
    if np.isnan(value):
        return Measured(None, 0, nothing, units, table, combine)
    return Measured(float(value), counted, None, units, table, combine, details or {})
