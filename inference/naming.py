"""Which of many texts name which of many labels, in whole words: one pass over the words, however many labels there are."""

import re
from collections.abc import Iterable, Mapping, Sequence

from inference.labels import names_of
from inference.labelsets import label_sets, load_label_set

_WORD = re.compile(r"\w+")

Words = tuple[str, ...]


def diseases_of_sets() -> frozenset[str]:
    """The diseases that any served model may answer with, by our names."""
    sets = [load_label_set(name) for name in label_sets()]
    return frozenset(label.name for one in sets if not one.numbered for label in one.labels)


def all_names_of(label: str) -> tuple[str, ...]:
    """Every name that a guideline may use for a label, its own first."""
    known = (load_label_set(name).known_as(label) for name in label_sets())
    aliases = (alias for one in known if one is not None for alias in (one.name, *one.aliases))
    return tuple(dict.fromkeys((label, *names_of(label), *aliases)))


def counted_names(labels: Iterable[str], texts: Iterable[str]) -> dict[str, int]:
    """In how many of the texts each label is named, under any of its names. Case and separators make no difference."""
    owners: dict[Words, set[str]] = {}
    counts = dict.fromkeys(labels, 0)
    for label in counts:
        for name in all_names_of(label):
            owners.setdefault(_words(name), set()).add(label)
    owners.pop((), None)
    by_first: dict[str, list[Words]] = {}
    for words in owners:
        by_first.setdefault(words[0], []).append(words)
    for text in texts:
        for label in _named(_words(text), by_first, owners):
            counts[label] += 1
    return counts


def _named(words: Words, by_first: Mapping[str, Sequence[Words]], owners: Mapping[Words, set[str]]) -> set[str]:
    found: set[str] = set()
    for at, word in enumerate(words):
        for name in by_first.get(word, ()):
            if words[at : at + len(name)] == name:
                found |= owners[name]
    return found


def _words(text: str) -> Words:
    return tuple(_WORD.findall(text.casefold().replace("_", " ")))
