"""A model's raw text as words: thoughts cut away, markup dropped, spelling variants folded. Linear in the text."""

import re
import unicodedata
from dataclasses import dataclass

_THOUGHT_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_THOUGHT_START = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_INVISIBLE = re.compile("[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_MARKUP = re.compile(r"[*`#~\"“”„«»^]")
_JOINED = re.compile(r"(?<=[a-z0-9])[-‐‑‒–_](?=[a-z0-9])|_")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|\d+|\n|[^\sa-z\d]")
_SENTENCE_END = frozenset(".;!?。；！？")
_PLURALS = (("oses", "osis"), ("ases", "asis"), ("evi", "evus"), ("mata", "ma"), ("ies", "y"))


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a sign. `text` as read in lower case, `key` with spelling and number folded, `sentence` counted from 0."""

    text: str
    key: str
    sentence: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """What is left when the thought is gone. `closed`: a thought was ended, so this is what the model meant to say."""

    text: str
    closed: bool
    cut_off: bool


def spoken(raw: str) -> Spoken:
    """The text after the last end of a thought. A thought that is begun and never ended takes everything with it."""
    ends = list(_THOUGHT_END.finditer(raw))
    text = raw[ends[-1].end() :] if ends else raw
    begun = _THOUGHT_START.search(text)
    if begun:
        text = text[: begun.start()]
    return Spoken(text, closed=bool(ends), cut_off=begun is not None and not text.strip())


def words_of(text: str) -> list[Word]:
    """Words and signs in order; line breaks and `. ; ! ?` end a sentence."""
    found: list[Word] = []
    sentence, broken = 0, False
    for match in _WORD.finditer(_plain(text)):
        word = match.group()
        if word == "\n":
            broken = True
            continue
        if broken and found:
            sentence += 1
        found.append(Word(word, folded(word), sentence))
        broken = word in _SENTENCE_END
    return found


def folded(word: str) -> str:
    """One spelling for British and American, singular and plural, with and without a possessive."""
    word = word.removesuffix("'s").removesuffix("'").replace("ae", "e").replace("oe", "e")
    if word.endswith(("our", "ours")) and len(word) > 5:
        word = word.replace("our", "or")
    for plural, singular in _PLURALS:
        if word.endswith(plural) and len(word) > len(plural):
            return word[: -len(plural)] + singular
    if len(word) > 2 and word.endswith("s") and not word.endswith(("ss", "us", "is", "as")):
        return word[:-1]
    return word


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKD", text.replace("’", "'").replace("‘", "'")).casefold()
    text = _MARKUP.sub("", _INVISIBLE.sub("", text)).replace("&", " and ")
    return _JOINED.sub(" ", text)
