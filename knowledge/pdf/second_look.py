"""Which pages text recognition has to look at, and what it changes about them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from knowledge.pdf.garbage import is_garbage
from knowledge.pdf.layout import Row
from knowledge.pdf.ocr import FLOOR, NotRead, Recognised
from knowledge.pdf.recognised import body_height, confidence_of, rows_of_lines
from knowledge.pdf.refusals import listed
from knowledge.types import PageState

PageOutcome = tuple[PageState, str | None]

_MUCH_MORE = 5
"""Recognised text must be this many times longer than a little text layer (a stamp, a page number) to replace it."""
INSTALL = 'run .venv/bin/python -m pip install --constraint constraints.txt --editable ".[ocr]" in the checkout'

_ADVICE = {
    NotRead.MISSING: f"Text recognition (OCR) is not installed: {INSTALL} and send the file again.",
    NotRead.NOTHING: "Text recognition (OCR) found none.",
    NotRead.UNSURE: "Text recognition (OCR) could not read them well enough: scan them anew at 300 dpi.",
    NotRead.TIMED_OUT: "Text recognition (OCR) ran out of time: split the document and send the parts.",
    NotRead.TOO_MANY: "Text recognition (OCR) reads no more pages of one document: split it and send the parts.",
    NotRead.DIED: "Text recognition (OCR) ended early (out of memory or crashed): scan them anew at 200 dpi.",
    NotRead.NOT_DRAWN: "They could not be drawn for text recognition (OCR): print the document to a new PDF.",
    NotRead.BLANK: "They are of one colour.",
}
_CUT_SHORT = (NotRead.TIMED_OUT, NotRead.TOO_MANY, NotRead.DIED)


class Why(Enum):
    """Why a page needs a second look."""

    PICTURE = "only a picture"
    NOTHING = "no text and no picture: blank, or letters drawn as shapes"
    LITTLE = "hardly any text beside a picture"
    GARBAGE = "text that is not what is printed"


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What recognition found per page (from 1), and how sure it was of the pages that it read."""

    found: Mapping[int, Recognised] = field(default_factory=dict)
    confidences: Mapping[int, float | None] = field(default_factory=dict)


def look_again(
    rows: list[list[Row]], states: list[PageOutcome], little: Iterable[int], read: Callable[[int], Recognised]
) -> SecondLook:
    """Have pages read that need it; their rows and states are replaced in place."""
    sparse = frozenset(little)
    causes = {
        number: why(states[number - 1][0], rows[number - 1], number in sparse) for number in range(1, len(rows) + 1)
    }
    found = {number: read(number) for number, cause in causes.items() if cause}
    for number, outcome in found.items():
        states[number - 1] = _outcome(causes[number], states[number - 1], rows[number - 1], outcome)
    taken = {number: outcome.lines for number, outcome in found.items() if states[number - 1][0] is PageState.OCR}
    # Sizes are compared over the whole document, so that a heading is one on whatever page it stands.
    body = body_height(taken.values())
    for number in found:
        if states[number - 1][0] in (PageState.OCR, PageState.FAILED):
            rows[number - 1] = rows_of_lines(taken.get(number, ()), body)
    return SecondLook(found, {number: confidence_of(lines) for number, lines in taken.items()})


def why(state: PageState, rows: Sequence[Row], little: bool) -> Why | None:
    """Why a page needs a second look; None if its text is good, or if it could not be read at all."""
    if state is PageState.IMAGE_ONLY:
        return Why.PICTURE
    if state is PageState.EMPTY:
        return Why.NOTHING
    if state is PageState.TEXT and is_garbage(row.text for row in rows):
        return Why.GARBAGE
    return Why.LITTLE if state is PageState.TEXT and little else None


def _outcome(cause: Why | None, was: PageOutcome, rows: Sequence[Row], found: Recognised) -> PageOutcome:
    """State and reason of a page after recognition found `found` on it."""
    before = sum(len(row.text) for row in rows)
    after = sum(len(line.text) for line in found.lines)
    if after and (cause is not Why.LITTLE or after > _MUCH_MORE * before):
        return PageState.OCR, None
    if cause is Why.GARBAGE:
        # Text that nobody sees on the page must not be cited, whatever recognition could do for it.
        return PageState.FAILED, f"garbage_text ({found.why_not})"
    worth_telling = cause is Why.PICTURE or (cause is Why.NOTHING and found.why_not in _CUT_SHORT)
    return (was[0], str(found.why_not)) if worth_telling else was


def warnings_of(found: Mapping[int, Recognised], states: Sequence[PageOutcome]) -> list[str]:
    """Sentences about a document's recognised pages, and about those where it failed. Page numbers are 1-based."""
    read = [page for page in found if states[page - 1][0] is PageState.OCR]
    sentences: list[str] = []
    if read:
        sentences.append(
            f"{len(read)} of {len(states)} pages were read by text recognition (OCR), which errs: {listed(read)}."
            " Compare numbers and units with the page."
        )
    unsure = [page for page in read if found[page].left_out]
    if unsure:
        lines = sum(found[page].left_out for page in unsure)
        sentences.append(
            f"{lines} lines on {len(unsure)} pages were left out because recognition was not sure of them"
            f" (below {FLOOR}): {listed(unsure)}."
        )
    causes: dict[NotRead, list[int]] = defaultdict(list)
    for page, outcome in found.items():
        if outcome.why_not and states[page - 1][1]:
            causes[outcome.why_not].append(page)
    for cause, pages in causes.items():
        sentences.append(f"{len(pages)} of {len(states)} pages have no text: {listed(pages)}. {_ADVICE[cause]}")
    return sentences


def advice(found: Mapping[int, Recognised]) -> str:
    """What to do about a document of which no page could be recognised: the sentence for its first such page."""
    return next((_ADVICE[outcome.why_not] for outcome in found.values() if outcome.why_not), "")
