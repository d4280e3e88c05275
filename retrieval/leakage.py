"""Keeps an answer from being copied: a query must not find itself, its twin, or another picture of the same lesion.

Also when the caller says nothing: a reference with the bytes (or nearly the picture) of the query tells which lesion and
subject the query is, and every other picture of that lesion and subject is then excluded too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.registry import CaseGuard
from retrieval.types import Mask

# Of 64 bits. Different lesions of the development pictures are nearly never that near; see docs/design/0003.
NEAR_DUPLICATE_BITS = 6
HELD_OUT = frozenset({"test", "val", "valid", "validation", "dev", "held-out", "heldout", "held_out", "holdout"})

Names = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Probe:
    """What is known of the query: sha256 of each picture as sent, their perceptual hashes, and ids if given."""

    originals: frozenset[str] = frozenset()
    hashes: Sequence[str] = ()
    lesions: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GuardTable:
    """What the guard compares, one entry per reference case [n]. A row that is gone is absent from `present`.

    Lesion and subject names are unique within their dataset only, so the dataset is part of them; "" is unknown.
    """

    present: Mask
    hashes: NDArray[np.uint64]
    originals: Names  # of the bytes as they came in
    stored: Names  # of the picture as it is kept and handed out
    lesions: Names
    subjects: Names
    held_out: Mask

    @classmethod
    def of(cls, guards: Sequence[CaseGuard | None]) -> "GuardTable":
        """From the registry's rows, in row order."""
        return cls(
            present=np.array([guard is not None for guard in guards], dtype=np.bool_),
            hashes=np.array([int(guard.perceptual_hash, 16) if guard else 0 for guard in guards], dtype=np.uint64),
            originals=_names([guard.original if guard else "" for guard in guards]),
            stored=_names([guard.picture if guard else "" for guard in guards]),
            lesions=_names([_scoped(guard.dataset, guard.lesion) if guard else "" for guard in guards]),
            subjects=_names([_scoped(guard.dataset, guard.subject) if guard else "" for guard in guards]),
            held_out=np.array([bool(guard and is_held_out(guard.split)) for guard in guards], dtype=np.bool_),
        )

    def near(self, perceptual_hash: str) -> Mask:
        """Rows whose picture nearly is the one with this hash (16 hex digits)."""
        distance = np.bitwise_count(self.hashes ^ np.uint64(int(perceptual_hash, 16)))
        mask: Mask = (distance <= NEAR_DUPLICATE_BITS) & self.present
        return mask


def leak_guard(table: GuardTable, probe: Probe) -> tuple[Mask, dict[str, int]]:
    """Rows that may be shown, and how many were kept back for which reason (the first that applies)."""
    allowed = table.present.copy()
    counts: dict[str, int] = {}

    def keep_back(reason: str, rows: Mask) -> None:
        newly = int((allowed & rows).sum())
        allowed[rows] = False
        if newly:
            counts[reason] = newly

    sent = list(probe.originals)
    same = np.isin(table.originals, sent) | np.isin(table.stored, sent)
    near = np.zeros(len(allowed), dtype=np.bool_)
    for perceptual_hash in probe.hashes:
        near |= table.near(perceptual_hash)
    twins = np.flatnonzero((same | near) & table.present)
    keep_back("same_picture", same)
    keep_back("near_duplicate", near)
    keep_back("same_lesion", _named(table.lesions, probe.lesions, table.lesions[twins]))
    keep_back("same_subject", _named(table.subjects, probe.subjects, table.subjects[twins]))
    keep_back("held_out_split", table.held_out)
    return allowed, counts


def is_held_out(split: str | None) -> bool:
    """Whether a split name says that a case is there to be tested on, not to be shown."""
    return split is not None and split.strip().casefold() in HELD_OUT


def _scoped(dataset: str, name: str | None) -> str:
    return f"{dataset}\t{name}" if name else ""


def _names(values: list[str]) -> Names:
    return np.array(values, dtype=np.str_)


def _named(names: Names, given: frozenset[str], derived: Names) -> Mask:
    mask = np.isin(names, derived[derived != ""])
    for name in given:
        # The caller does not know in which of our datasets the lesion is: it is excluded wherever it has that name.
        mask |= np.strings.endswith(names, f"\t{name}")
    return mask
