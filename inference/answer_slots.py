"""Places where an answer announces itself: "Final diagnosis:", "This image shows", "Diagnosis:"."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from inference.answer_text import Word

_PAREN = r"(?: \( [^()]{0,80} \))?"
_THEN = r"(?: (?::|is|-|=|of|would be|remains))+"
_FINAL = (
    r"(?:final|(?:single )?most likely|definitive|definite|primary|leading) (?:specific |skin |clinical )?"
    rf"(?:diagnosis|answer|disease){_PAREN}{_THEN}|conclusion :|in conclusion ,? ?"
)
_ANNOUNCED = rf"(?:diagnosis{_PAREN}{_THEN}|(?:answer|label|disease|condition) (?: ?(?::|is))+)"
_DESCRIBED = (
    r"(?:image|picture|photo|photograph) (?:(?:clearly|likely|most likely) )?"
    r"(?:shows?|depicts?|displays?|demonstrates?|reveals?)"
)
_ANCHOR = re.compile(
    rf"(?<![^ ])(?:(?P<final>{_FINAL})|(?<!differential )(?P<plain>{_ANNOUNCED})|(?P<describes>{_DESCRIBED}))(?![^ ])"
)


@dataclass(frozen=True, slots=True)
class Slot:
    """Words `[start, end)` after an announcement, to the end of their sentence. `final`: it claims to be the last word.

    `describes`: what follows may be a description as well as a name.
    """

    start: int
    end: int
    final: bool
    describes: bool


def slots_of(words: Sequence[Word]) -> list[Slot]:
    """Every announced place in order. One where the text ends is empty: start == end == len(words)."""
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word.text) + 1
    matches = list(_ANCHOR.finditer(" ".join(word.text for word in words)))
    slots = []
    for match, following in zip_longest(matches, matches[1:]):
        start = bisect_left(starts, match.end())
        stop = len(words) if following is None else bisect_left(starts, following.start())
        if start < stop or following is None:  # an announcement of an announcement says nothing itself
            end = _end_of_sentence(words, start, stop)
            slots.append(Slot(start, end, match["final"] is not None, match["describes"] is not None))
    return slots


def _end_of_sentence(words: Sequence[Word], start: int, stop: int) -> int:
    end = start
    while end < stop and words[end].sentence == words[start].sentence:
        end += 1
    return end
