"""Does a caption say the right disease? Naming it is not enough: "no sign of melanoma" names melanoma.

    true label stated  = captions that assert the truth, under any of its names / all cases
    wrong label stated = captions that assert another disease and not the truth / captions written

Read by the rules that read a model's free answers (inference.answer_context): negated, hedged ("may be") and beside the point
("resembles") are not asserted. A caption that was not written states nothing. For an arm without captions: missing.
"""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from evaluation.measures.captions import NO_CAPTION
from evaluation.measures.measured import Measured, absent, mean
from evaluation.records import CaseRecord
from inference.answer_context import Manner, manners
from inference.answer_text import words_of
from inference.disease_names import Names
from inference.labelsets import Label, LabelSet
from inference.naming import all_names_of


class Stated(StrEnum):
    """What a caption says of the truth. The strongest thing it says counts."""

    ASSERTED = "asserted"
    NEGATED = "negated"
    HEDGED = "hedged"
    BESIDE = "beside the point"
    OTHER = "another disease"  # asserts another and says nothing of the truth
    NOTHING = "no disease"
    UNWRITTEN = "no caption"


_STATED = {
    Manner.ASSERTED: Stated.ASSERTED, Manner.NEGATED: Stated.NEGATED, Manner.HEDGED: Stated.HEDGED,
    Manner.ASIDE: Stated.BESIDE, Manner.FOREIGN: Stated.BESIDE,
}  # fmt: skip


def true_label_stated(records: Sequence[CaseRecord]) -> Measured:
    """`details["stated"]` counts what the captions say of the truth."""
    if not any(record.caption for record in records):
        return absent(NO_CAPTION)
    said = [stated for stated, _ in _read(records)]
    counts = {str(one): said.count(one) for one in Stated if one in said}
    return mean(records, [float(one is Stated.ASSERTED) for one in said], NO_CAPTION, {"stated": counts})


def wrong_label_stated(records: Sequence[CaseRecord]) -> Measured:
    """Less is better."""
    read = _read(records)
    return mean(
        records,
        [
            None if stated is Stated.UNWRITTEN else float(bool(others) and stated is not Stated.ASSERTED)
            for stated, others in read
        ],
        NO_CAPTION,
    )


def _read(records: Sequence[CaseRecord]) -> list[tuple[Stated, set[str]]]:
    names = Names(_labels({record.label for record in records}))
    return [_of_caption(record.caption or "", record.label, names) for record in records]


def _of_caption(caption: str, truth: str, names: Names) -> tuple[Stated, set[str]]:
    """What it says of the truth, and which other diseases it asserts."""
    if not caption.strip():
        return Stated.UNWRITTEN, set()
    words = words_of(caption)
    mentions = names.mentions(words)
    read = manners(words, mentions)
    others = {one.name for one in mentions if read[one] is Manner.ASSERTED and one.label != truth}
    ways = Counter(_STATED[read[one]] for one in mentions if one.label == truth)
    stated = next((one for one in Stated if ways[one]), Stated.OTHER if others else Stated.NOTHING)
    return stated, others


def _labels(labels: set[str]) -> LabelSet:
    """The labels of this run with every name they are known by; an alias that two of them have is neither's."""
    owners = Counter(name for label in labels for name in {one.casefold() for one in all_names_of(label)})
    return LabelSet(
        "run",
        "labels of this run",
        tuple(
            Label(label, label, label, None, tuple(one for one in all_names_of(label) if owners[one.casefold()] == 1))
            for label in sorted(labels)
        ),
    )
