"""Stage 1 answers: a group by its number, its name, or both; both must mean the same group."""

import re
from collections.abc import Sequence

from inference.answer_context import Manner, manners
from inference.answer_text import Word
from inference.disease_names import Names
from inference.labelsets import LabelSet

# A number counts at the start of the answer or a line of it, or after a word that announces it.
_LEADING = re.compile(r"^(?:the )?(?:answer )?(?:is )?(?:[:\[(] )*(\d+)(?: [.:)\]-]| and|$)")
_ANNOUNCED = re.compile(
    r"(?<![^ ])(?:category|group|class|number|answer|option)(?: (?:is|:|number|no|the|\.))* (\d+)"
    r"(?: (?:or|and|/|,) (\d+))?(?![^ ])"
)


def group_of_answer(words: Sequence[Word], labels: LabelSet, names: Names) -> tuple[str | None, bool]:
    """(group, certain). Without a group, `certain` says that the answer named several, or one that contradicts itself.

    With a group, `certain` says that the answer is short enough to be nothing but the group.
    """
    said = manners(words, [one for one in names.mentions(words) if one.label is not None])
    asserted = {one.label for one, how in said.items() if how is Manner.ASSERTED}
    denied = {one.label for one in said} - asserted
    by_number = {label.number: label.name for label in labels.labels}
    numbered = {by_number.get(number) for number in _numbers(words)}
    meant = asserted | numbered
    if len(meant) != 1 or None in meant or meant & denied:
        return None, bool(meant)
    (group,) = meant
    return group, words[-1].sentence <= 1 and len(words) <= 16


def _numbers(words: Sequence[Word]) -> set[int]:
    found: set[int] = set()
    text = " ".join(word.text for word in words)
    found.update(int(number[:6]) for match in _ANNOUNCED.finditer(text) for number in match.groups() if number)
    start = 0
    for at in range(1, len(words) + 1):
        # "3. Malignant Skin Tumors" is two sentences by its full stop; a line starts after any of them.
        if at == len(words) or words[at].sentence != words[start].sentence:
            match = _LEADING.search(" ".join(word.text for word in words[start : start + 6]))
            found.update({int(match.group(1)[:6])} if match else ())
            start = at
    return found
