"""How far a caption names the same findings and diseases as its reference.

    F1 = 2·|A ∩ B| / (|A| + |B|),   A the concepts in the caption, B those in the reference;   mean over cases with B not empty

As the concept F1 of the ImageCLEFmedical 2025 caption task, which finds UMLS concepts by MedCAT; here a concept is one of
`Tools.terms`, by default the findings of retrieval/morphology.txt and the diseases of the label sets under all their names.
Whole words, whatever their case, spelling and number; the longest name wins. Negation is not read here.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from evaluation.measures.captions import mean_of_pairs
from evaluation.measures.measured import Measured
from evaluation.records import CaseRecord
from inference.answer_text import words_of
from inference.naming import all_names_of, diseases_of_sets
from retrieval.expansion import WORDS_FILE

Key = tuple[str, ...]


def concept_f1(records: Sequence[CaseRecord], terms: Mapping[str, tuple[str, ...]] | None) -> Measured:
    """Mean, 0..1."""
    named = _Concepts(known_terms() if terms is None else terms)

    def f1(caption: str, reference: str) -> float | None:
        ours, theirs = named.in_text(caption), named.in_text(reference)
        return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if theirs else None

    kind = "findings and diseases of this project" if terms is None else "terms given"
    return mean_of_pairs(records, f1, f"{named.number} concepts: {kind}")


@cache
def known_terms() -> Mapping[str, tuple[str, ...]]:
    """Concept -> its names."""
    lines = (line.strip() for line in WORDS_FILE.read_text("utf-8").splitlines())
    words = (line for line in lines if line and not line.startswith("#"))
    return {**{word: (word,) for word in words}, **{name: all_names_of(name) for name in sorted(diseases_of_sets())}}


class _Concepts:
    def __init__(self, terms: Mapping[str, tuple[str, ...]]) -> None:
        owner: dict[Key, str] = {}
        for concept, names in terms.items():
            for name in names:
                # Two spellings of one word ("tumour", "tumor") are one key, and with it one concept: the first.
                owner.setdefault(_key(name), concept)
        owner.pop((), None)
        self.number = len(set(owner.values()))
        self._owner = owner
        self._by_first: dict[str, list[Key]] = {}
        for key in sorted(owner, key=lambda key: (-len(key), key)):
            self._by_first.setdefault(key[0], []).append(key)

    def in_text(self, text: str) -> set[str]:
        """The concepts that are named, left to right, none overlapping."""
        words, at, found = _key(text), 0, set()
        while at < len(words):
            key = next((one for one in self._by_first.get(words[at], ()) if words[at : at + len(one)] == one), None)
            if key is not None:
                found.add(self._owner[key])
            at += len(key) if key is not None else 1
        return found


def _key(text: str) -> Key:
    return tuple(word.key for word in words_of(text))
