"""Repairs of extracted text that never change what a reader sees on the page.

There is deliberately no Unicode compatibility folding (NFKC): it would turn 10² into 102 and 3½ into 31/2.
"""

import re
import unicodedata

_LIGATURES = {
    0xFB00: "ff",
    0xFB01: "fi",
    0xFB02: "fl",
    0xFB03: "ffi",
    0xFB04: "ffl",
    0xFB05: "st",
    0xFB06: "st",
}
# Tags and selectors of variants too: they spell whole sentences that nobody sees on the page.
_UNSEEN = (
    0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF, *range(0x202A, 0x202F), *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000),
)  # fmt: skip
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), 0xFFFE, 0xFFFF)
_BREAKS = (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029)
_TABLE: dict[int, str | None] = {
    **dict.fromkeys(_CONTROLS),
    **dict.fromkeys(_UNSEEN),
    **dict.fromkeys(_BREAKS, " "),
    **dict.fromkeys((c for c in range(0x80, 0x3001) if unicodedata.category(chr(c)) == "Zs"), " "),
    **_LIGATURES,
}
_SURROGATE = re.compile("[\ud800-\udfff]")
# A soft hyphen beside a digit is a hyphen that a font mislabelled: dropping it would turn 2-5 into 25.
_SOFT_HYPHEN_BY_DIGIT = re.compile(r"(?<=\d)\u00ad|\u00ad(?=\d)")
_SOFT_HYPHEN_INSIDE = re.compile(r"\u00ad(?!$)")
_RAISED = str.maketrans("0123456789+-\u2212", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_RUN_BACKWARDS = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+")
_RUN_FORWARDS = re.compile(r"[0-9A-Za-z\u00c0-\u024f]+(?:[.,:/%-][0-9A-Za-z\u00c0-\u024f]+)*")

HYPHENS = ("-", "\u2010", "\u00ad")
_WHOLE_WORD = 4
"""Letters from which a part of a divided word counts as a word of its own."""
_LONGEST_WORD = 200
_JOINING = (*HYPHENS, "\u2011", "\u2013", "/")


def repair(text: str) -> str:
    """Text without ligature code points, control characters, odd spaces and lone surrogates.

    Spaces are kept as they stand (runs too, for the caller may read a column gap from them). One soft hyphen at the
    very end survives, because `join_lines` still needs it.
    """
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = text.translate(_TABLE)
    if "\u00ad" in text:
        text = _SOFT_HYPHEN_INSIDE.sub("", _SOFT_HYPHEN_BY_DIGIT.sub("-", text))
    return text


def turned(text: str) -> str:
    """Text of a right-to-left script from the order on paper to that of reading; numbers and Latin words stay whole."""
    if not _RIGHT_TO_LEFT.search(text):
        return text
    if not runs_right_to_left(text):
        return _RUN_BACKWARDS.sub(lambda run: run.group()[::-1], text)
    return _RUN_FORWARDS.sub(lambda run: run.group()[::-1], text[::-1])


def runs_right_to_left(text: str) -> bool:
    """Whether most letters of a text belong to a script that is written from right to left."""
    if not _RIGHT_TO_LEFT.search(text):
        return False
    letters = [unicodedata.bidirectional(c) for c in text if c.isalpha()]
    return 2 * sum(kind in ("R", "AL") for kind in letters) > len(letters)


def raise_digits(text: str) -> str:
    """Superscript code points for text that is printed raised, so that 10² is not stored as 102.

    A character without a superscript form stays as it is (`12,13` becomes `¹²,¹³`).
    """
    return text.translate(_RAISED)


def join_lines(left: str, right: str, words: frozenset[str] = frozenset()) -> str:
    """Two lines of one paragraph as one, with a word that was hyphenated at the line end put together.

    Only letter, hyphen, line end, lower-case letter is joined. `words` are the document's lower-cased words, which tell
    a compound (`patient-` + `friendly`) from a divided word. Ranges and codes keep their hyphen whatever stands around
    them (`2-` + `5` is `2-5`).
    """
    if not left or not right:
        return left + right
    last, before = left[-1], left[-2:-1]
    if last == "\u00ad":
        return left[:-1] + ("-" if before.isdigit() or right[0].isdigit() else "") + right
    if last in HYPHENS and before.isalpha() and right[0].isalpha() and right[0].islower():
        return left + right if _keeps_hyphen(left, right, words) else left[:-1] + right
    if last in _JOINING and before.isalnum() and right[0].isalnum():
        return left + right
    return f"{left} {right}"


def _keeps_hyphen(left: str, right: str, words: frozenset[str]) -> bool:
    head = re.split(r"[^\w-]", left[-_LONGEST_WORD:-1])[-1].lower()
    tail = re.split(r"[^\w-]", right[:_LONGEST_WORD], maxsplit=1)[0].lower()
    if f"{head}{tail}" in words:
        return False
    parts = (head, tail)
    return f"{head}-{tail}" in words or all(len(part) >= _WHOLE_WORD and part in words for part in parts)
