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

from evaluation.measures.labels_seen import answer, code, one_hot
from evaluation.measures.measured import Counts, Measured, OfCounts, Rows, combined, divided, ratio
from evaluation.measures.neighbours import shown
from evaluation.records import CaseRecord

NOTHING = "no answer was given with labelled exemplars"


def shown_labels(record: CaseRecord) -> tuple[str, str] | None:
    """The label of the nearest exemplar and the one most of them show; None where there is none."""
    labels = [one.label for one in shown(record) if one.label is not None]
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
    details = (
        {"copied": copied_most(records).value, "chance": float(_chance(np.array(rows), np.ones((1, len(rows))))[0])}
        if known
        else None
    )
    return combined(records, rows, _OVER_CHANCE, NOTHING, details, int(known))


def _followed(record: CaseRecord, which: int) -> tuple[float, float]:
    seen, said = shown_labels(record), answer(record)
    if seen is None or said is None:
        return 0.0, 0.0
    return float(said == seen[which]), 1.0


def _misled(record: CaseRecord) -> bool:
    seen = shown_labels(record)
    return seen is not None and seen[1] != record.label


def _row(record: CaseRecord) -> tuple[float, float, float]:
    """(answer, label shown most, weight)"""
    seen, said = shown_labels(record), answer(record)
    return (0.0, 0.0, 0.0) if seen is None or said is None else (code(said), code(seen[1]), 1.0)


def _over_chance(rows: Rows, counts: Counts) -> Rows:
    same = (rows[:, 0] == rows[:, 1]) * rows[:, 2]
    return divided(counts @ same, counts @ rows[:, 2]) - _chance(rows, counts)


def _chance(rows: Rows, counts: Counts) -> Rows:
    known = counts * rows[:, 2]
    labels = np.unique(rows[:, :2])
    said, shown = (known @ one_hot(rows[:, column], labels) for column in (0, 1))
    return divided((said * shown).sum(axis=1), known.sum(axis=1) ** 2)


_OVER_CHANCE = OfCounts(_over_chance)
