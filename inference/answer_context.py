"""How a text speaks of a disease it names: as the answer, as ruled out, as one possibility, or beside the point.

Only the sentence of the mention is read. Wherever a reading is in doubt it is the more careful one.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from inference.answer_text import Word
from inference.disease_names import Mention

BEFORE, AFTER = 60, 12  # words that are read on either side of a mention


class Manner(StrEnum):
    """What the text does with the disease."""

    ASSERTED = "asserted"
    NEGATED = "negated"
    HEDGED = "hedged"
    ASIDE = "aside"  # a general statement, another person's disease, a likeness
    FOREIGN = "foreign"  # the sentence is in a script we do not read, so we cannot know


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^ ])(?:{'|'.join(phrases)})(?![^ ])")


_NO = _any(
    "not", "no", "never", "without", "cannot", "cant", "neither", "nor", "non", "none", "[a-z]+n't", "isnt", "doesnt",
    "arent", "dont", "unlikely", "unlike", "differs?", "different", "differing", "distinct", "distinguish(?:es|ed)?",
    "differentiated?", "exclud(?:e|es|ed|ing)", "rul(?:e|es|ed|ing) out", "ruled", "against", "absence", "absent",
    "lack(?:s|ing)?", "rather than", "instead of", "opposed to", "less likely", "than", "negative for", "free of",
    "fails?", "denies", "excepting", "except", "improbable", "doubtful", "contrary to", "hardly", "incompatible",
    "inconsistent", "atypical for", "kein", "keine", "nicht", "ohne", "pas", "sin", "nao", "instead",
)  # fmt: skip
# After one of these the sentence starts afresh: "not psoriasis but lichen planus".
_AFRESH = _any(
    "but", "however", "therefore", "hence", "thus", "although", "though",
    ", (?:(?:it|this|which|the (?:diagnosis|lesion|image)) (?:is|shows?|looks)|consistent|suggest(?:s|ing|ive)|"
    "indicating|most likely|likely|diagnosis|final|showing|making this)",
)  # fmt: skip
_MAYBE = _any(
    "may", "might", "could", "would", "should", "possible", "possibly", "possibilit(?:y|ies)", "perhaps", "maybe",
    "either", "whether", "if", "differentials?", "uncertain", "unsure", "unclear", "consider(?:s|ed|ing)?", "suspected",
    "suspicio(?:n|us)", "vs", "versus", "question", "cannot exclude", "alternative(?:ly|s)?", "candidates?", "options?",
    "includ(?:e|es|ing)", "confused", "overlaps?", "such as", "e . g", "like", "think(?:ing)? (?:of|about)",
)  # fmt: skip
_BESIDE = _any(
    "resembl(?:e|es|ing)", "mimic(?:s|king)?", "similar(?:ity)? to", "reminiscent", "simulat(?:e|es|ing)",
    "(?:patients?|people|persons?|someone|those|man|woman|child) (?:with|who has|who have)", "risk of", "risks? for",
    "history of", "treat(?:ment|ments|ed|ing)? (?:of|for|with|against)", "cases? of", "types? of", "forms? of",
    "complications? of", "associated with", "secondary to", "due to", "caused by", "known", "previous", "prior",
    "family history", "compared? (?:to|with)", "in contrast to", "mistaken for", "progress(?:es)? to", "seen in",
    "common in", "found in", "occurs in", "term", "word", "called", "definition",
    "references?",
)  # fmt: skip
# "Psoriasis cannot be excluded" denies nothing: it leaves the disease open.
_LEFT_OPEN = re.compile(r"(?<![^ ])(?:cannot|can not|can't|not) (?:be )?(?:\w+ )?(?:excluded?|ruled? out)(?![^ ])")
_AFTER_NO = _any(
    "unlikely", "improbable", "implausible", "doubtful", "absent", "(?:is|was|are|be|been) (?:\\w+ )?excluded", "excluded",
    "ruled out", "(?:is|was|are|seems|does|do|did|can|could|would) (?:\\w+ )?not", "[a-z]+n't", "cannot", "isnt", "doesnt",
    "less likely", "not likely", "not present", "incorrect", "wrong", "false", "no", "negative", "rejected", "discarded",
    "different", "differs",
)  # fmt: skip
_AFTER_MAYBE = _any(
    "possible", "possibly", "perhaps", "maybe", "or", "vs", "versus", "may", "might", "could", "/", "[?]", "suspected",
    "likewise", "considered", "uncertain",
)  # fmt: skip
_GENERAL = re.compile(
    r"^(?:\( [^()]{0,60} \) )?(?:is|are|was|were|has|have|can|usually|often|commonly|typically|generally|rarely|"
    r"presents?|occurs?|appears?|affects?|causes?|tends?|develops?|arises?|results?|include[sd]?|remains?)(?![^ ])"
)
_ABOUT_THIS = _any(
    "diagnosis", "likely", "likeliest", "probable", "shown", "visible", "seen", "present", "depicted", "evident", "here",
    "confirmed", "favou?red", "answer", "suggested", "supported", "diagnosed", "consistent",
)  # fmt: skip
_LIKENESS = ("like", "form", "mimic", "mimicker")
_FOREIGN = re.compile(r"[^\W\d_a-z]")


def manners(words: Sequence[Word], mentions: Sequence[Mention]) -> dict[Mention, Manner]:
    """How the text speaks of each mention. `mentions` in the order of the text."""
    ends = [mention.start for mention in mentions[1:]] + [len(words)]
    return {mention: _manner(words, mention, end) for mention, end in zip(mentions, ends, strict=False)}


def _manner(words: Sequence[Word], mention: Mention, end: int) -> Manner:
    """Words from `end` on speak of the next disease."""
    if any(_FOREIGN.search(word.text) for word in _sentence(words, mention)):
        return Manner.FOREIGN
    first, sentence = max(0, mention.start - BEFORE), words[mention.start].sentence
    before = _since_afresh(_text(word for word in words[first : mention.start] if word.sentence == sentence))
    after = _after(words, mention, end)
    if _LEFT_OPEN.search(before) or _LEFT_OPEN.search(after):
        return Manner.HEDGED
    if _NO.search(before) or _AFTER_NO.search(after):
        return Manner.NEGATED
    if _MAYBE.search(before) or _AFTER_MAYBE.search(after):
        return Manner.HEDGED
    if _BESIDE.search(before) or _is_general(words, mention) or after.startswith(_LIKENESS):
        return Manner.ASIDE
    return Manner.ASSERTED


def _since_afresh(before: str) -> str:
    starts = list(_AFRESH.finditer(before))
    return before[starts[-1].end() :] if starts else before


def _after(words: Sequence[Word], mention: Mention, end: int) -> str:
    """What follows in the sentence, up to a comma, a "but" or the next disease."""
    text = []
    for word in words[mention.end : min(end, mention.end + AFTER)]:
        if word.sentence != words[mention.end - 1].sentence or word.text in {",", "but", "however"}:
            break
        text.append(word.text)
    return " ".join(text)


def _is_general(words: Sequence[Word], mention: Mention) -> bool:
    """Whether the sentence tells what the disease is like in general ("BCC is the most common ...")."""
    sentence = words[mention.end - 1].sentence
    rest = " ".join(word.text for word in words[mention.end : mention.end + 2 * AFTER] if word.sentence == sentence)
    return _GENERAL.search(rest) is not None and _ABOUT_THIS.search(rest) is None


def _sentence(words: Sequence[Word], mention: Mention) -> list[Word]:
    sentence = words[mention.start].sentence
    near = words[max(0, mention.start - BEFORE) : mention.end + BEFORE]
    return [word for word in near if word.sentence == sentence]


def _text(words: Iterable[Word]) -> str:
    return " ".join(word.text for word in words)
