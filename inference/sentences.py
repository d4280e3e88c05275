"""Where sentences begin and end, so that a quote is a whole statement and its span is exact."""

import re
from collections.abc import Iterator

# Not the end of a sentence: abbreviations of medical prose and single initials.
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|etc|approx|ca|fig|figs|tab|no|nos|dr|prof|al|resp|max|min|incl|esp|ref|refs|vol|pp?)"
    r"|\b[A-Z])\.$",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[]?[A-Z0-9])|\n+")


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Half-open spans of the sentences of `text`, trimmed. A line break ends a sentence: rows and list items are lines."""
    start = 0
    for match in _END.finditer(text):
        if match.group()[0] != "\n" and _ABBREVIATION.search(text[start : match.start() + 1]):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    inner = piece.strip()
    if inner:
        begin = start + len(piece) - len(piece.lstrip())
        yield begin, begin + len(inner)
