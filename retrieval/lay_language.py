"""Lay words of skin and the clinical words for them: what a patient writes, as a textbook would say it.

    "itchy bumps in my armpit"  ->  + pruritic, pruritus, papule, nodule, axilla, axillary

The lexicon is data (lay_words.toml, each table with its source). A phrase matches by word stems, the longest first, each word
of the query at most once; a negated word ("not itchy") adds nothing, and a query without a lay word stays as it is.
Abbreviations work both ways: "SCC" adds the full name, the full name adds "SCC" (to the words only: meaning gains nothing).
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import Stemmer

from retrieval.types import Expansion

WORDS_FILE = Path(__file__).parent / "lay_words.toml"
ABBREVIATION, SHORT_FORM = "abbreviation", "short form"

_WORD = re.compile(r"[^\W_]+")
_AS_WRITTEN = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_UNCOUNTED = frozenset("a an the my your his her its our their some very".split())
_NEGATIONS = frozenset("no not never non without neither nor".split())

Stems = tuple[str, ...]


def clinical_expansions(text: str) -> tuple[Expansion, ...]:
    """What the lexicon adds to `text`: lay phrases in their order, then abbreviations; () where nothing is lay.

    A term that the text or an earlier phrase already says is not added again; no expansion is without terms.
    """
    said = [_stems(text)]
    found = []
    for entry in (*_lay(said[0]), *_abbreviated(text, said[0])):
        new = [term for term in entry.terms if not any(_within(_stems(term), words) for words in said)]
        if new:
            said.extend(map(_stems, new))
            found.append(Expansion(entry.phrase, entry.kind, tuple(new)))
    return tuple(found)


def clinical_text(text: str, expansions: tuple[Expansion, ...]) -> str:
    """`text` followed by its clinical words, for a text encoder; `text` itself where there are none."""
    terms = [term for one in expansions if one.kind != SHORT_FORM for term in one.terms]
    return f"{text} {', '.join(terms)}" if terms else text


@cache
def lexicon() -> tuple[Expansion, ...]:
    """Every entry of the file; those that only protect a phrase have no terms."""
    tables = tomllib.loads(WORDS_FILE.read_text("utf-8"))
    return tuple(
        Expansion(phrase, kind, tuple(terms))
        for kind, table in tables.items()
        for phrase, terms in table["words"].items()
    )


def _lay(stems: Stems) -> Iterator[Expansion]:
    entries, longest = _by_stems()
    at = 0
    while at < len(stems):
        length = next((n for n in range(longest, 0, -1) if stems[at : at + n] in entries), 0)
        if length and not (at and stems[at - 1] in _NEGATIONS):
            yield entries[stems[at : at + length]]
        at += max(1, length)


def _abbreviated(text: str, stems: Stems) -> Iterator[Expansion]:
    written = set(_AS_WRITTEN.findall(text))
    for entry, full in _abbreviations().items():
        if entry.phrase in written or f"{entry.phrase}s" in written:
            yield entry
        elif not entry.phrase.islower() and _within(full, stems):
            yield Expansion(entry.terms[0], SHORT_FORM, (entry.phrase,))


@cache
def _by_stems() -> tuple[Mapping[Stems, Expansion], int]:
    """Entries by the stems of their phrase, and the longest phrase in words. Abbreviations are matched as written."""
    entries = {_stems(entry.phrase): entry for entry in lexicon() if entry.kind != ABBREVIATION}
    return entries, max(map(len, entries))


@cache
def _abbreviations() -> Mapping[Expansion, Stems]:
    return {entry: _stems(entry.terms[0]) for entry in lexicon() if entry.kind == ABBREVIATION}


def _within(part: Stems, whole: Stems) -> bool:
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


def _stems(text: str) -> Stems:
    stem = Stemmer.Stemmer("english").stemWord  # one per call: the object must not be shared between threads
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return tuple(stem(word) for word in words if word not in _UNCOUNTED)
