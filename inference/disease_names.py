"""Where a text names a disease: labels of a set, and every other disease we know, so that the two are told apart."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from inference.answer_text import Word, words_of
from inference.labels import known_diseases
from inference.labelsets import LabelSet

OTHERS = Path(__file__).parent / "other_diseases.toml"
_SHORTEST_MISSPELT = 8  # letters; shorter names have neighbours that mean something else
_MARGIN = 2  # edits by which the next best disease must be further away

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mention:
    """Words `[start, end)` name a disease. `label` is None when it stands outside the set; `name` tells diseases apart."""

    start: int
    end: int
    label: str | None
    name: str


class Names:
    """The names of a label set and of all diseases outside it. The longest name wins where several begin."""

    def __init__(self, labels: LabelSet) -> None:
        self._owner: dict[Key, tuple[str | None, str]] = {}
        for name in _outside_names():
            self._owner[_key(name)] = (None, " ".join(_key(name)))
        for disease, names in known_diseases().items():
            self._owner.update({_key(name): (None, disease) for name in names})
        for label in labels.labels:
            self._owner.update({_key(name): (label.name, label.name) for name in (label.name, *label.aliases)})
        self._by_first: dict[str, list[Key]] = {}
        for key in sorted(self._owner, key=lambda key: (-len(key), key)):
            self._by_first.setdefault(key[0], []).append(key)

    def mentions(self, words: Sequence[Word]) -> list[Mention]:
        """Every name in the words, left to right, none overlapping."""
        found: list[Mention] = []
        at = 0
        while at < len(words):
            mention = self._at(words, at)
            if mention:
                found.append(mention)
            at = mention.end if mention else at + 1
        return found

    def misspelt(self, words: Sequence[Word]) -> tuple[Mention, float] | None:
        """The one disease that all of the words mean but for a slip, with the similarity 0..1; None when in doubt.

        A slip is 1 edit in 8 letters or more, 2 in 15; the next disease must be 2 edits further away.
        """
        written = " ".join(word.text for word in words)
        # A misspelt ending may not fold as the right one does ("psoriasys"), so both spellings count.
        spellings = {written, " ".join(word.key for word in words)}
        if len(written) < _SHORTEST_MISSPELT or not words:
            return None
        allowed = 1 if len(written) < 15 else 2
        best: dict[str, tuple[int, str | None]] = {}
        for key, (label, name) in self._owner.items():
            edits = min(edit_distance(spelling, " ".join(key), allowed + _MARGIN) for spelling in spellings)
            if edits < best.get(name, (allowed + _MARGIN + 1, None))[0]:
                best[name] = (edits, label)
        ranked = sorted((edits, name, label) for name, (edits, label) in best.items())
        if not ranked or ranked[0][0] > allowed or (len(ranked) > 1 and ranked[1][0] < ranked[0][0] + _MARGIN):
            return None
        edits, name, label = ranked[0]
        return Mention(0, len(words), label, name), 1 - edits / len(written)

    def _at(self, words: Sequence[Word], at: int) -> Mention | None:
        for key in self._by_first.get(words[at].key, ()):
            end = at + len(key)
            if end <= len(words) and all(words[at + n].key == part for n, part in enumerate(key)):
                label, name = self._owner[key]
                return Mention(at, end, label, name)
        return None


def edit_distance(first: str, second: str, limit: int) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours that turn one text into the other; at most limit + 1.

    Optimal string alignment, given up as soon as no way can stay within the limit.
    """
    if abs(len(first) - len(second)) > limit:
        return limit + 1
    older, old, row = [0], [0], list(range(len(second) + 1))
    for i, left in enumerate(first):
        older, old, row = old, row, [i + 1]
        for j, right in enumerate(second):
            edits = min(old[j + 1] + 1, row[j] + 1, old[j] + (left != right))
            if i and j and left == second[j - 1] and first[i - 1] == right:
                edits = min(edits, older[j - 1] + 1)
            row.append(edits)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


@cache
def _outside_names() -> tuple[str, ...]:
    return tuple(tomllib.loads(OTHERS.read_text("utf-8"))["names"])


@cache
def _key(name: str) -> Key:
    return tuple(word.key for word in words_of(name))
