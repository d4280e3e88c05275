"""Keeps an answer from being copied: a query must not find itself, its twin, or another picture of the same lesion.

Also when the caller says nothing: a reference with the bytes (or nearly the picture) of the query tells which lesion and
subject the query is and which original it came from, and every other picture of these is then excluded too.

A twin is known by its sketch (retrieval.twins), or by a perceptual hash, which also bears a change of brightness.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.registry import CaseGuard
from retrieval.origins import origin_of
from retrieval.sketches import Sketch
from retrieval.twins import SketchTable
from retrieval.types import Mask, Rows

# Of 64 bits. Different lesions of the development pictures are nearly never that near; see docs/design/0003.
NEAR_DUPLICATE_BITS = 6
# More cases with one declared source than one original has: it names the collection they all came from.
MOST_OF_ONE_ORIGIN = 10
HELD_OUT = frozenset({"test", "val", "valid", "validation", "dev", "held-out", "heldout", "held_out", "holdout"})

Names = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Probe:
    """What is known of the query: sha256 of each picture as sent, their perceptual hashes and sketches, and ids if given.

    `sources` are the declared sources of the pictures (see retrieval.origins).
    """

    originals: frozenset[str] = frozenset()
    hashes: Sequence[str] = ()
    lesions: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    sketches: Sequence[Sketch] = ()


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
    origins: Names  # which original picture the declared source names
    held_out: Mask
    sketches: SketchTable

    @classmethod
    def of(cls, guards: Sequence[CaseGuard | None], sketches: SketchTable | None = None) -> "GuardTable":
        """From the registry's rows, in row order, and the sketches of the same rows (None: there are none)."""
        origins = {source: origin_of(source) for source in {guard.source for guard in guards if guard}}
        return cls(
            present=np.array([guard is not None for guard in guards], dtype=np.bool_),
            hashes=np.array([int(guard.perceptual_hash, 16) if guard else 0 for guard in guards], dtype=np.uint64),
            originals=_names([guard.original if guard else "" for guard in guards]),
            stored=_names([guard.picture if guard else "" for guard in guards]),
            lesions=_names([_scoped(guard.dataset, guard.lesion) if guard else "" for guard in guards]),
            subjects=_names([_scoped(guard.dataset, guard.subject) if guard else "" for guard in guards]),
            origins=_names([origins[guard.source] if guard else "" for guard in guards]),
            held_out=np.array([bool(guard and is_held_out(guard.split)) for guard in guards], dtype=np.bool_),
            sketches=SketchTable.unknown(len(guards)) if sketches is None else sketches,
        )

    @property
    def unsketched(self) -> int:
        """How many rows are known by their hash alone, so that a cropped or mirrored copy is not recognised."""
        return int((self.present & ~self.sketches.known).sum())

    def probe_of(self, row: int) -> Probe:
        """A reference case as if it were sent. Its twins, itself among them, tell lesion, subject and origin."""
        sketched = [self.sketches.sketch(row)] if self.sketches.known[row] else []
        return Probe(frozenset({str(self.originals[row])}), [f"{int(self.hashes[row]):016x}"], sketches=sketched)

    def near(self, perceptual_hash: str) -> Mask:
        """Rows whose picture nearly is the one with this hash (16 hex digits)."""
        distance = np.bitwise_count(self.hashes ^ np.uint64(int(perceptual_hash, 16)))
        mask: Mask = (distance <= NEAR_DUPLICATE_BITS) & self.present
        return mask

    def copies(self, probe: Probe) -> Mask:
        """Rows whose picture is one of the probe's, re-encoded, resized, cropped, mirrored or turned."""
        mask = np.zeros(len(self.present), dtype=np.bool_)
        for perceptual_hash in probe.hashes:
            mask |= self.near(perceptual_hash)
        for sketch in probe.sketches:
            mask[self.sketches.twins(sketch)] = True
        return mask & self.present


@dataclass(frozen=True, slots=True)
class Guarded:
    """Rows that may be shown, and those that were kept back, each under the first reason that applies."""

    allowed: Mask
    kept_back: Mapping[str, Rows]

    @property
    def counts(self) -> dict[str, int]:
        """How many were kept back for which reason."""
        return {reason: len(rows) for reason, rows in self.kept_back.items()}


def leak_guard(table: GuardTable, probe: Probe) -> Guarded:
    """What of the table a query may see."""
    allowed = table.present.copy()
    kept_back: dict[str, Rows] = {}

    def keep_back(reason: str, rows: Mask) -> None:
        newly = np.flatnonzero(allowed & rows)
        allowed[rows] = False
        if len(newly):
            kept_back[reason] = newly

    sent = list(probe.originals)
    same = np.isin(table.originals, sent) | np.isin(table.stored, sent)
    near = table.copies(probe)
    twins = np.flatnonzero((same | near) & table.present)
    declared = [origin for origin in map(origin_of, probe.sources) if origin]
    keep_back("same_picture", same)
    keep_back("near_duplicate", near)
    keep_back("same_source", np.isin(table.origins, [*declared, *_originals(table.origins, twins)]))
    keep_back("same_lesion", _named(table.lesions, probe.lesions, table.lesions[twins]))
    keep_back("same_subject", _named(table.subjects, probe.subjects, table.subjects[twins]))
    keep_back("held_out_split", table.held_out)
    return Guarded(allowed, kept_back)


def is_held_out(split: str | None) -> bool:
    """Whether a split name says that a case is there to be tested on, not to be shown."""
    return split is not None and split.strip().casefold() in HELD_OUT


def _scoped(dataset: str, name: str | None) -> str:
    return f"{dataset}\t{name}" if name else ""


def _names(values: list[str]) -> Names:
    return np.array(values, dtype=np.str_)


def _named(names: Names, given: frozenset[str], derived: Names) -> Mask:
    mask = np.isin(names, _known(derived))
    for name in given:
        # The caller does not know in which of our datasets the lesion is: it is excluded wherever it has that name.
        mask |= np.strings.endswith(names, f"\t{name}")
    return mask


def _originals(origins: Names, twins: Rows) -> list[str]:
    """The origins of the twins, without those that so many cases have that they name a collection."""
    found = _known(origins[twins]).tolist()
    return [origin for origin in found if int((origins == origin).sum()) <= MOST_OF_ONE_ORIGIN]


def _known(names: Names) -> Names:
    return np.unique(names[names != ""])
