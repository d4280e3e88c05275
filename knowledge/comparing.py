"""What became of the passages of one version in another: kept, changed, added, removed.

Passages with the same words are the same, wherever they stand. Of the others, two belong together when they share most words:

    similarity = 2 |A n B| / (|A| + |B|)    over words with their numbers of occurrences (Dice 1945)

and the most similar pairs are taken first. A sentence with another dose is thus one changed passage, not one gone and one new.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from knowledge.types import Passage

CHANGED_FROM: Final = 0.5  # similarity from which one passage became the other
COMMON: Final = 50  # passages that a word may stand in and still propose a pair


@dataclass(frozen=True, slots=True)
class Changed:
    """A passage before and after, and how many words they share, 0.5..1."""

    before: Passage
    after: Passage
    similarity: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Passages in the order of their documents; `unchanged` counts those with the same words."""

    unchanged: int
    changed: tuple[Changed, ...]
    added: tuple[Passage, ...]
    removed: tuple[Passage, ...]


def compared(before: Sequence[Passage], after: Sequence[Passage]) -> Comparison:
    """What became of `before` in `after`."""
    left, right = _without_same(before, after)
    pairs = _pairs(left, right)
    changed = [Changed(left[i], right[j], similarity) for similarity, i, j in pairs]
    became, came_from = {i for _, i, _ in pairs}, {j for _, _, j in pairs}
    return Comparison(
        len(before) - len(left),
        tuple(sorted(changed, key=lambda one: one.after.start)),
        tuple(one for j, one in enumerate(right) if j not in came_from),
        tuple(one for i, one in enumerate(left) if i not in became),
    )


def _without_same(before: Sequence[Passage], after: Sequence[Passage]) -> tuple[list[Passage], list[Passage]]:
    same = Counter(_words(one.text) for one in before) & Counter(_words(one.text) for one in after)
    return _less(before, same), _less(after, same)


def _less(passages: Sequence[Passage], same: Counter[tuple[str, ...]]) -> list[Passage]:
    left_over, found = Counter(same), []
    for one in passages:
        words = _words(one.text)
        if left_over[words]:
            left_over[words] -= 1
        else:
            found.append(one)
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(left: Sequence[Passage], right: Sequence[Passage]) -> list[tuple[float, int, int]]:
    """(similarity, place left, place right) of those that belong together, each place at most once."""
    bags = [Counter(_words(one.text)) for one in left]
    of_right = [Counter(_words(one.text)) for one in right]
    places: dict[str, list[int]] = defaultdict(list)
    for i, bag in enumerate(bags):
        for word in bag:
            places[word].append(i)
    found = []
    for j, bag in enumerate(of_right):
        # Only a word that is not everywhere proposes a pair: comparing all with all grows with the square.
        candidates = {i for word in bag if len(places[word]) <= COMMON for i in places[word]}
        scored = ((_similarity(bags[i], bag), i, j) for i in candidates)
        found += [one for one in scored if one[0] >= CHANGED_FROM]
    taken_left: set[int] = set()
    taken_right: set[int] = set()
    pairs = []
    for similarity, i, j in sorted(found, key=lambda one: (-one[0], one[1], one[2])):
        if i not in taken_left and j not in taken_right:
            taken_left.add(i)
            taken_right.add(j)
            pairs.append((similarity, i, j))
    return pairs


def _similarity(one: Counter[str], other: Counter[str]) -> float:
    return 2 * (one & other).total() / (one.total() + other.total())
