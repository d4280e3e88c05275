"""Does the answer read the picture, or the labels beside it? To be read of the arm that shuffles the exemplars' labels.

    copied first       = answers that are the label of the nearest exemplar / answers given with exemplars
    copied most        = answers that are the label most exemplars show (of equally frequent ones the nearest) / the same
    copied wrong       = of the answers where that label is not the truth, those that follow it all the same
    copied over chance = copied most - sum over labels l of share(answer = l) · share(shown = l)

What is taken off is the agreement that answers without looking would have (the p_e of Cohen 1960). With true labels a right
answer copies too, so that the first two say little there; "copied wrong" counts only where following and being right part. No
exemplar with a label: missing.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from evaluation.measures.labels_seen import answer, code
from evaluation.measures.measured import Measured, Rows, combined, ratio
from evaluation.measures.neighbours import neighbours
from evaluation.records import CaseRecord

NOTHING = "no answer was given with labelled exemplars"


def shown_labels(record: CaseRecord) -> tuple[str, str] | None:
    """The label of the nearest exemplar and the one most of them show; None where there is none."""
    labels = [one.label for one in neighbours(record) if one.label is not None]
    if not labels:
        return None
    counts = Counter(labels)
    return labels[0], max(counts, key=lambda label: (counts[label], -labels.index(label)))


def copied_first(records: Sequence[CaseRecord]) -> Measured:
    """0..1."""
    return ratio(records, [_followed(record, 0) for record in records], NOTHING)


def copied_most(records: Sequence[CaseRecord]) -> Measured:
    """0..1."""
    return ratio(records, [_followed(record, 1) for record in records], NOTHING)


def copied_wrong(records: Sequence[CaseRecord]) -> Measured:
    """0..1, less is better. Missing where the exemplars always showed the truth most."""
    parts = [_followed(record, 1) if _misled(record) else (0.0, 0.0) for record in records]
    return ratio(records, parts, "no answer was given where the exemplars' label is not the truth")


def copied_over_chance(records: Sequence[CaseRecord]) -> Measured:
    """-1..1, 0 if answers ignore the exemplars. `details["chance"]`: what ignoring them would give."""
    rows = [_row(record) for record in records]
    known = sum(weight for *_, weight in rows)
    details = {"copied": copied_most(records).value, "chance": _chance(np.array(rows))} if known else None
    return combined(records, rows, _over_chance, NOTHING, details, int(known))


def _followed(record: CaseRecord, which: int) -> tuple[float, float]:
    shown, said = shown_labels(record), answer(record)
    if shown is None or said is None:
        return 0.0, 0.0
    return float(said == shown[which]), 1.0


def _misled(record: CaseRecord) -> bool:
    shown = shown_labels(record)
    return shown is not None and shown[1] != record.label


def _row(record: CaseRecord) -> tuple[float, float, float]:
    """(answer, label shown most, weight)"""
    shown, said = shown_labels(record), answer(record)
    return (0.0, 0.0, 0.0) if shown is None or said is None else (code(said), code(shown[1]), 1.0)


def _over_chance(rows: Rows) -> float:
    known = rows[rows[:, 2] > 0]
    return float((known[:, 0] == known[:, 1]).mean()) - _chance(rows) if len(known) else float("nan")


def _chance(rows: Rows) -> float:
    known = rows[rows[:, 2] > 0, :2]
    labels, places = np.unique(known, return_inverse=True)
    places = places.reshape(known.shape)
    said, shown = (np.bincount(places[:, column], minlength=len(labels)) / len(known) for column in (0, 1))
    return float(said @ shown)
