"""METEOR: words in common, also as stems or synonyms, with a penalty for every break of their order.

    F = P·R / (α·P + (1-α)·R),   penalty = γ · (chunks / matches)^β,   METEOR = F · (1 - penalty);   mean over cases

Banerjee and Lavie 2005, "METEOR: an automatic metric for MT evaluation", with α 0.9, β 3, γ 0.5; by NLTK. Exact words first,
then Porter stems, then synonyms where some are given (`Tools.synonyms`): WordNet is no part of NLTK and nothing is downloaded,
so without them the figure is lower than one with WordNet and must not be compared with it. An empty caption has 0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.measures.captions import mean_of_pairs, why_not
from evaluation.measures.measured import Measured, absent
from evaluation.records import CaseRecord

_WORD = re.compile(r"\w+")


def meteor(records: Sequence[CaseRecord], synonyms: Mapping[str, tuple[str, ...]]) -> Measured:
    """Mean, 0..1. `details["variant"]` says whether there were synonyms."""
    why = why_not(records, "nltk")
    if why is not None:
        return absent(why)
    from nltk.stem.porter import PorterStemmer
    from nltk.translate.meteor_score import single_meteor_score

    known, stemmer = _Synonyms(synonyms), PorterStemmer()

    def score(caption: str, reference: str) -> float:
        words = _WORD.findall(reference.casefold()), _WORD.findall(caption.casefold())
        return float(single_meteor_score(*words, stemmer=stemmer, wordnet=known)) if words[1] else 0.0

    variant = (
        f"NLTK, exact words and stems, {len(synonyms)} words with synonyms" if synonyms else "NLTK, exact and stems"
    )
    return mean_of_pairs(records, score, variant)


@dataclass(frozen=True, slots=True)
class _Synonyms:
    """A list of synonyms as NLTK asks WordNet for them."""

    words: Mapping[str, tuple[str, ...]]

    def synsets(self, word: str) -> list["_Synset"]:
        return [_Synset(self.words[word])] if word in self.words else []


@dataclass(frozen=True, slots=True)
class _Synset:
    names: tuple[str, ...]

    def lemmas(self) -> list["_Lemma"]:
        return [_Lemma(name) for name in self.names]


@dataclass(frozen=True, slots=True)
class _Lemma:
    text: str

    def name(self) -> str:
        return self.text
