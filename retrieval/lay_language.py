"""Lay words of skin and the clinical words for them: what a patient writes, as a textbook would say it.

    "itchy bumps in my armpit"  ->  + pruritic, pruritus, papule, nodule, axilla, axillae, axillary

The lexicon is data (lay_words.toml, each table with its source). A phrase matches by word stems, the longest first, each word
of the query at most once; a negated word ("not itchy") adds nothing, and a query without a lay word stays as it is.
Abbreviations work both ways: "SCC" adds the full name, the full name adds "SCC".
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import Stemmer

WORDS_FILE = Path(__file__).parent / "lay_words.toml"
ABBREVIATIONS = "abbreviation"

_WORD = re.compile(r"[^\W_]+")
_UNCOUNTED = frozenset("a an the my your his her its our their some very".split())
_NEGATIONS = frozenset("no not never non without neither nor".split())

Stems = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expansion:
    """One phrase found in a query: the lexicon's `phrase`, its `kind` (table), and the `terms` it adds, never empty."""

    phrase: str
    kind: str
    terms: tuple[str, ...]


def clinical_expansions(text: str) -> tuple[Expansion, ...]:
    """What the lexicon adds to `text`, in the order of its phrases; () where nothing is lay.

    A term that the text or an earlier phrase already says is not added again.
    """
    said = " ".join(_stems(text))
    found = []
    for entry in (*_lay(text), *_abbreviated(text)):
        new = []
        for term in entry.terms:
            stems = " ".join(_stems(term))
            if f" {stems} " not in f" {said} ":
                new.append(term)
                said = f"{said} | {stems}"
        if new:
            found.append(Expansion(entry.phrase, entry.kind, tuple(new)))
    return tuple(found)


@cache
def lexicon() -> tuple[Expansion, ...]:
    """Every entry of the file; those that only protect a phrase have no terms."""
    tables = tomllib.loads(WORDS_FILE.read_text("utf-8"))
    return tuple(
        Expansion(phrase, kind, tuple(terms))
        for kind, table in tables.items()
        for phrase, terms in table["words"].items()
    )


def _lay(text: str) -> Iterator[Expansion]:
    entries, longest = _by_stems()
    stems = _stems(text)
    at = 0
    while at < len(stems):
        length = next((n for n in range(longest, 0, -1) if tuple(stems[at : at + n]) in entries), 0)
        if length and not (at and stems[at - 1] in _NEGATIONS):
            yield entries[tuple(stems[at : at + length])]
        at += max(1, length)


def _abbreviated(text: str) -> Iterator[Expansion]:
    written = set(re.findall(r"[^\W_]+(?:-[^\W_]+)*", text))
    said = f" {' '.join(_stems(text))} "
    for entry in lexicon():
        if entry.kind != ABBREVIATIONS:
            continue
        if entry.phrase in written or f"{entry.phrase}s" in written:
            yield entry
        elif f" {' '.join(_stems(entry.terms[0]))} " in said and entry.phrase.lower() != entry.phrase:
            yield Expansion(entry.terms[0], ABBREVIATIONS, (entry.phrase,))


@cache
def _by_stems() -> tuple[dict[Stems, Expansion], int]:
    """Entries by the stems of their phrase, and the longest phrase in words. Abbreviations are matched as written."""
    entries = {tuple(_stems(entry.phrase)): entry for entry in lexicon() if entry.kind != ABBREVIATIONS}
    return entries, max(map(len, entries))


def _stems(text: str) -> Sequence[str]:
    stem = Stemmer.Stemmer("english").stemWord
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return [stem(word) for word in words if word not in _UNCOUNTED]
