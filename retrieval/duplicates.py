"""Which cases of a collection show the same picture: all pairs at once, in blocks that fit a core's cache.

Two tests, those of the leak guard: perceptual hashes within NEAR_DUPLICATE_BITS, and sketches that lie over each other
(`retrieval.twins`). For every pair the second is first asked of the pictures' middles alone:

    |f_i - f_j| <= 48        f: 42 numbers that no mirror and no quarter turn changes

Copies that were re-encoded, resized, mirrored or turned are at most 25 apart (419 dermoscopy pictures), pictures of other
lesions at least 103. A crop moves the middle: copies cropped by 10 % are found by their hash or where every row is asked for
its twins as the guard asks (`thorough`), which takes 13 ms a row of 40,000.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from knowledge.registry import CaseGuard
from retrieval.leakage import MOST_OF_ONE_ORIGIN, NEAR_DUPLICATE_BITS
from retrieval.origins import origin_of
from retrieval.twins import PROPOSED, SketchTable, same_picture
from retrieval.types import Mask, Rows

MIDDLES_APART: Final = 48.0
LISTED: Final = 1_000  # pairs that are listed; all are counted
_BLOCK: Final = 256  # rows compared with all at a time

Progress = Callable[[int, int], None]  # (done, of)


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two cases that show the same: ids, datasets, labels and splits of both, and why.

    Reasons: same_bytes, same_picture (as stored), near_duplicate; between splits also same_lesion, same_subject, same_source.
    """

    ids: tuple[str, str]
    datasets: tuple[str, str]
    labels: tuple[str, str]
    splits: tuple[str | None, str | None]
    reason: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Numbers of pairs by reason: within a dataset, with other datasets, and between splits (which are counted there too).

    `pairs` are the first LISTED of them, those between splits first. `unsketched` cases were compared by their hash alone.
    `crops`: whether copies cropped by up to 10 % were looked for, too.
    """

    within: Mapping[str, int] = field(default_factory=dict)
    across_datasets: Mapping[str, int] = field(default_factory=dict)
    across_splits: Mapping[str, int] = field(default_factory=dict)
    conflicting_labels: int = 0
    pairs: tuple[DuplicatePair, ...] = ()
    unsketched: int = 0
    crops: bool = False

    @property
    def total(self) -> int:
        """Of pairs that show the same picture."""
        return sum(self.within.values()) + sum(self.across_datasets.values())


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared: the first `asked` of `guards` with each other and with the rest; `rows` place them in `sketches`."""

    guards: Sequence[CaseGuard]
    rows: Rows
    sketches: SketchTable
    asked: int

    @classmethod
    def of(
        cls, guards: Sequence[CaseGuard], ids: Sequence[str], sketches: SketchTable, asked: frozenset[str]
    ) -> "Compared":
        """`ids` are of the rows of `sketches`; of an id that stands there twice the last row counts."""
        row_of = {item: row for row, item in enumerate(ids)}
        known = sorted((one for one in guards if one.id in row_of), key=lambda one: (one.id not in asked, one.id))
        rows = np.array([row_of[one.id] for one in known], dtype=np.int64)
        return cls(known, rows, sketches, sum(one.id in asked for one in known))


def duplicates(
    compared: Compared, *, thorough: bool = False, progress: Progress = lambda _done, _of: None
) -> Duplicates:
    """Every pair of which at least one was asked for."""
    twins = _twins(compared, progress) if thorough else {}
    counts = {"within": Counter[str](), "across_datasets": Counter[str](), "across_splits": Counter[str]()}
    conflicting, between, others = 0, list(_kin(compared)), list[DuplicatePair]()
    counts["across_splits"].update(one.reason for one in between)
    for first, second in _near(compared, twins):
        pair = _pair(compared.guards[first], compared.guards[second])
        counts["within" if pair.datasets[0] == pair.datasets[1] else "across_datasets"][pair.reason] += 1
        conflicting += pair.labels[0] != pair.labels[1]
        if _between_splits(*pair.splits):
            counts["across_splits"][pair.reason] += 1
            between.append(pair)
        elif len(others) < LISTED:
            others.append(pair)
    known = compared.sketches.known[compared.rows[: compared.asked]]
    return Duplicates(
        **{name: dict(sorted(found.items())) for name, found in counts.items()},
        conflicting_labels=conflicting,
        pairs=tuple((between + others)[:LISTED]),
        unsketched=int((~known).sum()),
        crops=thorough,
    )


def _pair(one: CaseGuard, other: CaseGuard) -> DuplicatePair:
    reason = "near_duplicate"
    if one.original == other.original:
        reason = "same_bytes"
    elif one.picture == other.picture:
        reason = "same_picture"
    return _told(one, other, reason)


def _told(one: CaseGuard, other: CaseGuard, reason: str) -> DuplicatePair:
    return DuplicatePair(
        (one.id, other.id), (one.dataset, other.dataset), (one.label, other.label), (one.split, other.split), reason
    )


def _between_splits(one: str | None, other: str | None) -> bool:
    return bool(one and other) and str(one).strip().casefold() != str(other).strip().casefold()


def _near(compared: Compared, twins: Mapping[int, set[int]]) -> Iterator[tuple[int, int]]:
    """Positions (i < j) of pairs that show the same picture, in order."""
    hashes = np.array([int(one.perceptual_hash, 16) for one in compared.guards], dtype=np.uint64)
    columns, known = compared.sketches.columns[:, compared.rows], compared.sketches.known[compared.rows]
    for start in range(0, compared.asked, _BLOCK):
        block = slice(start, min(start + _BLOCK, compared.asked))
        near = np.bitwise_count(hashes[block, None] ^ hashes[None, start:]) <= NEAR_DUPLICATE_BITS
        later = np.arange(near.shape[1])[None] > np.arange(near.shape[0])[:, None]
        near &= later
        distance = _squared_distances(columns, block)
        proposed = (distance <= MIDDLES_APART**2) & later & ~near & known[block, None] & known[None, start:]
        for at in np.flatnonzero(proposed.any(axis=1)).tolist():
            near[at, _verified(compared, start, at, proposed[at], distance[at])] = True
        for at in range(near.shape[0]):
            near[at, [other - start for other in twins.get(start + at, ())]] = True
        for at, other in np.argwhere(near).tolist():
            yield start + at, start + other


def _squared_distances(columns: NDArray[np.float32], block: slice) -> NDArray[np.float32]:
    """[block, n - start] between the features of a block's rows and of all rows from its first on."""
    mine = columns[1:-1, block]
    terms = np.column_stack([columns[-1, block], -2 * mine.T, np.ones(mine.shape[1], dtype=np.float32)])
    found: NDArray[np.float32] = terms @ columns[:, block.start :]
    return found


def _verified(
    compared: Compared, start: int, at: int, proposed: Mask, distance: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Which of the proposed columns are the picture of row `at` of a block, the nearest PROPOSED of them."""
    columns = np.flatnonzero(proposed)
    columns = columns[np.argsort(distance[columns], kind="stable")[:PROPOSED]]
    sketch = compared.sketches.sketch(int(compared.rows[start + at]))
    others = compared.sketches.sketches(compared.rows[start + columns])
    found: NDArray[np.int64] = columns[same_picture(sketch, others)]
    return found


def _twins(compared: Compared, progress: Progress) -> dict[int, set[int]]:
    """Position -> later positions of its twins, each row asked as the leak guard asks."""
    place = {int(row): at for at, row in enumerate(compared.rows)}
    found: dict[int, set[int]] = {}
    for at in range(compared.asked):
        row = int(compared.rows[at])
        if compared.sketches.known[row]:
            twins = compared.sketches.twins(compared.sketches.sketch(row))
            for other in (place[twin] for twin in twins.tolist() if twin in place and place[twin] != at):
                found.setdefault(min(at, other), set()).add(max(at, other))
        progress(at + 1, compared.asked)
    return found


def _kin(compared: Compared) -> Iterator[DuplicatePair]:
    """Lesions, subjects and sources that stand in more than one split of a dataset: the first case of each split."""
    asked = compared.guards[: compared.asked]
    origins = {source: origin_of(source) for source in {one.source for one in asked}}
    names: Mapping[str, Callable[[CaseGuard], str | None]] = {
        "same_lesion": lambda one: one.lesion,
        "same_subject": lambda one: one.subject,
        "same_source": lambda one: origins[one.source],
    }
    for reason, name_of in names.items():
        firsts: dict[tuple[str, str], dict[str, CaseGuard]] = {}
        named = Counter(name_of(one) for one in asked)
        for one in asked:
            name = name_of(one)
            if reason == "same_source" and named[name] > MOST_OF_ONE_ORIGIN:
                continue  # it names the collection
            if name and one.split:
                firsts.setdefault((one.dataset, name), {}).setdefault(one.split.strip().casefold(), one)
        for of_split in firsts.values():
            for first, second in pairwise(of_split.values()):
                yield _told(first, second, reason)
