"""From an unconstrained answer to a label, or to a named reason why not.

A wrong label is worse than none: an answer counts only where the text states one label of the set as its answer. What
is negated, hedged, said in general ("BCC is the most common skin cancer" is about a disease, not about the picture),
one of several, outside the set or only thought stays unparsed. Unparsed is a state of its own, never an answer.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from inference.answer_context import Manner, manners
from inference.answer_slots import Slot, slots_of
from inference.answer_text import Word, spoken, words_of
from inference.disease_names import Mention, Names
from inference.group_answers import group_of_answer
from inference.labelsets import LabelSet

LONGEST_JSON = 20_000  # characters; a longer object is no answer
LONGEST_SHORT = 8  # words of an answer that may be one misspelt name
MOST_SLOTS = 100  # announcements in one answer; a text with more runs in circles
JSON_KEYS = ("final_diagnosis", "diagnosis", "label", "disease", "answer", "prediction")


class Method(StrEnum):
    """How a label was found, or why none was."""

    EXACT = "exact"  # the whole answer is a name
    FINAL_LINE = "final_line"  # "Final diagnosis: X"
    ANCHORED = "anchored"  # "This image shows X.", "Diagnosis: X"
    LEADING = "leading"  # the answer begins with X and goes on about it
    MENTION = "mention"  # X is the only disease the text asserts
    EMPTY = "empty"
    CUT_OFF = "cut_off"  # still thinking when the tokens ran out
    NO_LABEL = "no_label"
    OUTSIDE_SET = "outside_set"  # names a disease the set does not have
    NEGATED = "negated"
    HEDGED = "hedged"
    AMBIGUOUS = "ambiguous"  # several diseases and no decision
    GENERAL_STATEMENT = "general_statement"
    TEMPLATE_ECHO = "template_echo"  # the prompt's own "[Disease]"
    UNDECIDED_LIST = "undecided_list"  # a numbered list without a final line
    CONTRADICTED = "contradicted"  # stated, then taken back
    FOREIGN_TEXT = "foreign_text"


DIRECTNESS = {
    Method.EXACT: 1.0, Method.FINAL_LINE: 0.95, Method.ANCHORED: 0.9, Method.LEADING: 0.8, Method.MENTION: 0.6
}  # fmt: skip
_WHY_NOT = {
    Manner.NEGATED: Method.NEGATED, Manner.HEDGED: Method.HEDGED, Manner.ASIDE: Method.GENERAL_STATEMENT,
    Manner.FOREIGN: Method.FOREIGN_TEXT,
}  # fmt: skip
_THOUGHT_OPENS = re.compile(r"^(?:okay|ok|got it|so|hmm+|alright|right|let's|let me|wait|first|the user|now)\b")
_AGAIN = re.compile(r"^(?:wait|hmm+|actually|no)\b")
_BEFORE_NAME = frozenset(
    "the a an this it is most likely probably probable ( [ { - • : likely answer image diagnosis , = > |".split()
)
_AROUND = frozenset("( ) [ ] { } . , : ; ! - • = > | / ' the a an".split())


@dataclass(frozen=True, slots=True)
class ParsedLabel:
    """`label` is a name of the set or None. `method` says how, or why not.

    `score` is how directly the text states the label, 0..1: 1 for nothing but a name, less for a line that announces
    it, an opening and a lone mention, times the similarity of a misspelt name; 0 without a label. It is no probability.
    """

    label: str | None
    method: Method
    score: float


def parse_label(raw: str, labels: LabelSet, *, thinking: bool = False) -> ParsedLabel:
    """The label that `raw` answers with. Time is linear in its length.

    `thinking`: the model thinks before it answers, so that a text without `</think>` is a thought, unless it is
    nothing but an answer.
    """
    said = spoken(raw)
    if said.cut_off:
        return _none(Method.CUT_OFF)
    if not said.text.strip():
        return _none(Method.CUT_OFF if said.closed else Method.EMPTY)
    words = words_of(said.text)
    if not words:
        return _none(Method.NO_LABEL)
    if labels.numbered:
        return _group(words, labels, thought=thinking and not said.closed)
    parsed = _from_json(said.text, labels) or _Reading(words, _names(labels)).parsed()
    if not said.closed and parsed.label is not None and _is_thought(words, parsed, thinking=thinking):
        return _none(Method.CUT_OFF)
    return parsed


def _is_thought(words: Sequence[Word], parsed: ParsedLabel, *, thinking: bool) -> bool:
    if thinking:
        return parsed.method not in {Method.EXACT, Method.ANCHORED} or any(word.sentence for word in words)
    opening = " ".join(word.text for word in words[:3])
    return _THOUGHT_OPENS.search(opening) is not None and parsed.method is not Method.FINAL_LINE


def _group(words: Sequence[Word], labels: LabelSet, *, thought: bool) -> ParsedLabel:
    label, certain = group_of_answer(words, labels, _names(labels))
    if label is None:
        return _none(Method.CUT_OFF if thought else Method.AMBIGUOUS if certain else Method.NO_LABEL)
    if thought and not certain:
        return _none(Method.CUT_OFF)
    method = Method.EXACT if certain else Method.MENTION
    return ParsedLabel(label, method, DIRECTNESS[method])


def _from_json(text: str, labels: LabelSet) -> ParsedLabel | None:
    """The value of a well-formed JSON answer; None when the text is none. Nothing is repaired."""
    body = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    if not body.startswith("{") or len(body) > LONGEST_JSON:
        return None
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    values = [data[key] for key in JSON_KEYS if isinstance(data, dict) and isinstance(data.get(key), str)]
    words = words_of(values[0]) if values else []
    return _Reading(words, _names(labels)).parsed() if words else None


class _Reading:
    """One answer, read once."""

    def __init__(self, words: Sequence[Word], names: Names) -> None:
        self._words = words
        self._names = names
        self._mentions = names.mentions(words)
        self._starts = [mention.start for mention in self._mentions]
        self._manners = manners(words, self._mentions)

    def parsed(self) -> ParsedLabel:
        exact = self._only_a_name()
        if exact:
            return exact
        slots = slots_of(self._words)
        if len(slots) > MOST_SLOTS:
            return _none(Method.AMBIGUOUS)
        for method in (Method.FINAL_LINE, Method.ANCHORED):
            ranked = [slot for slot in slots if slot.final is (method is Method.FINAL_LINE)]
            decided = self._from_slots(ranked, method)
            if decided:
                return decided
        if self._words[0].text == "1" and len(self._words) > 1 and self._words[1].text in {".", ")"}:
            return _none(Method.UNDECIDED_LIST)
        return self._free()

    def _only_a_name(self) -> ParsedLabel | None:
        core = _stripped(self._words)
        if not core or len(core) > LONGEST_SHORT + 4 or self._words[-1].text == "?":
            return None
        inside = self._names.mentions(core)
        if len(inside) == 1 and (inside[0].start, inside[0].end) == (0, len(core)):
            return _named(inside[0], Method.EXACT)
        return None if inside else self._misspelt(core, Method.EXACT)

    def _from_slots(self, slots: Sequence[Slot], method: Method) -> ParsedLabel | None:
        """What the announced places say together; None when there are none, or they only describe."""
        answers = [parsed for slot in slots if (parsed := self._in_slot(slot, method)) is not None]
        real = [parsed for parsed in answers if parsed.method is not Method.TEMPLATE_ECHO]
        if not real:
            return answers[0] if answers else None
        if len({parsed.label for parsed in real}) > 1:
            return _none(Method.AMBIGUOUS)
        last = real[-1]
        if last.label and self._taken_back(last.label, slots[-1].end):
            return _none(Method.CONTRADICTED)
        return last

    def _in_slot(self, slot: Slot, method: Method) -> ParsedLabel | None:
        words = self._words[slot.start : slot.end]
        inside = self._mentions[bisect_left(self._starts, slot.start) : bisect_left(self._starts, slot.end)]
        if not inside:
            core = _stripped(words)
            misspelt = self._misspelt(core[:LONGEST_SHORT], method)
            if misspelt:
                return misspelt
            if not core or words[0].text == "[":
                return _none(Method.TEMPLATE_ECHO)
            return None if slot.describes and len(core) > LONGEST_SHORT else _none(Method.NO_LABEL)
        if self._longer_name_outside(inside[0], slot.end):
            return _none(Method.OUTSIDE_SET)
        return self._decided(inside, method)

    def _free(self) -> ParsedLabel:
        if not self._mentions:
            return _none(Method.NO_LABEL)
        first = self._mentions[0]
        leads = all(word.text in _BEFORE_NAME for word in self._words[: first.start])
        sentence = self._words[first.start].sentence
        if self._longer_name_outside(first, len(self._words)):
            return _none(Method.OUTSIDE_SET)
        if not leads or self._manners[first] is not Manner.ASSERTED:
            return self._decided(self._mentions, Method.MENTION)
        here = [one for one in self._mentions if self._words[one.start].sentence == sentence]
        later = [one for one in self._mentions[len(here) :] if self._manners[one] is Manner.ASSERTED]
        parsed = self._decided([*here, *later], Method.LEADING)
        if parsed.label and self._taken_back(parsed.label, first.end):
            return _none(Method.CONTRADICTED)
        return parsed

    def _decided(self, mentions: Sequence[Mention], method: Method) -> ParsedLabel:
        """The one disease that is asserted while no other is asserted or left open."""
        asserted = [one for one in mentions if self._manners[one] is Manner.ASSERTED]
        names = {one.name for one in asserted}
        if not names:
            return _none(_WHY_NOT[self._manners[mentions[0]]])
        doubted = {one.name for one in mentions if self._manners[one] in {Manner.HEDGED, Manner.FOREIGN}}
        if len(names) > 1 or doubted - names:
            return _none(Method.AMBIGUOUS)
        if any(one.name in names and self._manners[one] in {Manner.NEGATED, Manner.HEDGED} for one in mentions):
            return _none(Method.CONTRADICTED)
        return _named(asserted[0], method)

    def _taken_back(self, label: str, after: int) -> bool:
        """Whether the text later denies the label, or begins to think again."""
        later = [one for one in self._mentions if one.start >= after and self._manners[one] is Manner.NEGATED]
        heads = [
            " ".join(word.text for word in self._words[at : at + 2])
            for at in range(max(after, 1), len(self._words))
            if self._words[at].sentence != self._words[at - 1].sentence
        ]
        return any(one.label == label for one in later) or any(_AGAIN.search(head) for head in heads)

    def _longer_name_outside(self, mention: Mention, end: int) -> bool:
        """Whether the name goes on into a misspelt name of another disease ("acne rosacae")."""
        for extra in (1, 2):
            stop = mention.end + extra
            if stop > end or self._words[stop - 1].sentence != self._words[mention.start].sentence:
                return False
            slip = self._names.misspelt(self._words[mention.start : stop])
            if slip and slip[0].name != mention.name:
                return True
        return False

    def _misspelt(self, words: Sequence[Word], method: Method) -> ParsedLabel | None:
        slip = self._names.misspelt(words) if len(words) <= LONGEST_SHORT else None
        return _named(slip[0], method, slip[1]) if slip else None


def _stripped(words: Sequence[Word]) -> list[Word]:
    """The words without the signs and articles around them."""
    start, end = 0, len(words)
    while start < end and words[start].text in _AROUND:
        start += 1
    while end > start and words[end - 1].text in _AROUND:
        end -= 1
    return list(words[start:end])


def _named(mention: Mention, method: Method, similarity: float = 1.0) -> ParsedLabel:
    if mention.label is None:
        return _none(Method.OUTSIDE_SET)
    return ParsedLabel(mention.label, method, round(DIRECTNESS[method] * similarity, 3))


def _none(method: Method) -> ParsedLabel:
    return ParsedLabel(None, method, 0.0)


@lru_cache(maxsize=16)
def _names(labels: LabelSet) -> Names:
    return Names(labels)
