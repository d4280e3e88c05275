"""Cutting a document's text into passages along its structure.

A passage never crosses a heading, and is of one role: a table, a caption, a footnote or the list of references is never
mixed with what stands around it. Within that whole paragraphs, lists and tables are packed up to `max_tokens`; what is
longer is cut at its lines, and a longer line at its sentences. A heading's own line belongs to no passage: it is in the
`section` path of every passage below it. Nor do the header rows of a table: they are the `header` of every passage of it.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import cast

from semchunk.semchunk import chunk

from knowledge.types import Cut, ExtractedText, Heading, Page, Role, Stretch

CHUNKER = "structure-2"
"""Version of the rules in this module. It is part of every passage's id: a change of rules is a change of ids."""

_PARAGRAPH = re.compile(r"\S(?:.*\S)?(?:\n[^\S\n]*\S(?:.*\S)?)*")
_LINE = re.compile(r"\S(?:.*\S)?")

_MOST_CHARACTERS = 50
"""Characters that one token stands for at most; an English one has four."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A span that is kept together, and about how many tokens it has (exact when it stands alone)."""

    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class _Section:
    """Half-open span of the text of one role between two headings, with the titles above it, outermost first."""

    start: int
    end: int
    path: tuple[str, ...]
    role: Role = Role.BODY
    header: str | None = None


def cut_passages(
    extracted: ExtractedText,
    count_tokens: Callable[[str], int],
    *,
    max_tokens: int = 200,
    min_tokens: int = 40,
) -> tuple[Cut, ...]:
    """Passages of a document in reading order; none for a text of white space only.

    Every character that is neither white nor part of a heading or of a table's header is in exactly one passage. A
    passage has at most `max_tokens` tokens with its header, unless a single character has more; a header that leaves
    no room for a row is cut as text instead. A passage with fewer than `min_tokens` is joined with its neighbour where
    section, role and `max_tokens` allow. `count_tokens` is called about three times per paragraph.
    Raises ValueError unless 0 <= min_tokens <= max_tokens and max_tokens >= 1.
    """
    if not 0 <= min_tokens <= max_tokens or max_tokens < 1:
        raise ValueError("0 <= min_tokens <= max_tokens and max_tokens >= 1 must hold")
    cutter = _Cutter(extracted.text, count_tokens, max_tokens, min_tokens)
    parts = [
        part
        for section in _sections(extracted.text, extracted.headings)
        for part in _of_one_role(section, extracted.stretches)
    ]
    pages = _Pages(extracted.pages)
    cuts = tuple(cut for part in parts for cut in _cuts(extracted, cutter, part, pages))
    if cuts:
        return cuts
    # Nothing but headings (slides, a poster): better cut as plain text than lost.
    return tuple(_cuts(extracted, cutter, _Section(0, len(extracted.text), ()), pages))


def _of_one_role(section: _Section, stretches: Sequence[Stretch]) -> Iterator[_Section]:
    """A section in parts of one role each."""
    at = section.start
    first = bisect_right(stretches, section.start, key=lambda stretch: stretch.end)
    for stretch in islice(stretches, first, None):
        if stretch.start >= section.end:
            break
        start, end = max(at, stretch.start), min(section.end, stretch.end)
        yield replace(section, start=at, end=start)
        yield replace(section, start=start, end=end, role=stretch.role, header=stretch.header)
        at = end
    yield replace(section, start=at)


def _cuts(extracted: ExtractedText, cutter: "_Cutter", part: _Section, pages: "_Pages") -> Iterator[Cut]:
    start, header = part.start, part.header
    if header is not None and extracted.text.startswith(header, start):
        start += len(header)
    if header is not None and not (extracted.text[start : part.end].strip() and cutter.has_room(header)):
        # Nothing but its header, or a header as long as a passage: text like any other.
        start, header = part.start, None
    for piece in cutter.under(header).cut(start, part.end):
        text = extracted.text[piece.start : piece.end]
        first, last = pages.at(piece.start), pages.at(piece.end - 1)
        yield Cut(piece.start, piece.end, text, first, last, part.path, piece.tokens, part.role, header)


def _sections(text: str, headings: Sequence[Heading]) -> Iterator[_Section]:
    """The stretches between headings. A heading closes every section of its own or a deeper level."""
    path: list[tuple[int, str]] = []
    start = 0
    for heading in sorted(headings, key=lambda h: h.start):
        yield _Section(start, max(start, heading.start), tuple(title for _, title in path))
        path = [(level, title) for level, title in path if level < heading.level]
        path.append((heading.level, " ".join(text[heading.start : heading.end].split())))
        start = max(start, heading.end)
    yield _Section(start, len(text), tuple(title for _, title in path))


class _Pages:
    """Which page a character is on. Made once per document: there may be thousands of pages and of sections."""

    def __init__(self, pages: Sequence[Page]) -> None:
        with_text = [page for page in pages if page.end > page.start]
        self._starts = [page.start for page in with_text]
        self._numbers = [page.number for page in with_text]

    def at(self, position: int) -> int:
        """Number of the page of a character; 1 in a text without pages."""
        return self._numbers[max(0, bisect_right(self._starts, position) - 1)] if self._numbers else 1


class _Cutter:
    """Packs the pieces of one text. Counting is the expensive part: once per piece and about twice per passage."""

    def __init__(self, text: str, count: Callable[[str], int], most: int, least: int) -> None:
        self._text = text
        self._counter = count
        self._most = most
        self._least = least
        # Tokens that the counter adds to any text (start and end marks): to be counted once, not once per piece.
        self._marks = count("")

    def has_room(self, header: str) -> bool:
        """Whether a header leaves at least half of a passage to the rows under it."""
        return 2 * (self._count(f"{header}\n") - self._marks) <= self._most - self._marks

    def under(self, header: str | None) -> "_Cutter":
        """A cutter of the rows of a table, whose header counts in every passage."""
        if header is None:
            return self
        return _Cutter(self._text, lambda text: self._count(f"{header}\n{text}"), self._most, self._least)

    def cut(self, start: int, end: int) -> list[_Piece]:
        """Passages of one section, each with its exact number of tokens."""
        packed = self._pack(list(self._pieces(start, end)))
        return self._settle_tail(packed)

    def _count(self, text: str) -> int:
        # A tokenizer may take a word of a million letters for one unknown token; nobody could quote or search that.
        return max(self._counter(text), len(text) // _MOST_CHARACTERS)

    def _tokens(self, start: int, end: int) -> int:
        return self._count(self._text[start:end])

    def _pieces(self, start: int, end: int) -> Iterator[_Piece]:
        """Paragraphs that fit, else their lines, else parts of lines."""
        for paragraph in _PARAGRAPH.finditer(self._text, start, end):
            whole = self._fitting(*paragraph.span())
            if whole:
                yield whole
                continue
            for line in _LINE.finditer(self._text, *paragraph.span()):
                whole = self._fitting(*line.span())
                if whole:
                    yield whole
                else:
                    yield from self._split(*line.span())

    def _fitting(self, start: int, end: int) -> _Piece | None:
        tokens = self._tokens(start, end)
        return _Piece(start, end, tokens) if tokens <= self._most else None

    def _split(self, start: int, end: int) -> Iterator[_Piece]:
        """Parts of a long line, at sentences where possible."""
        # Not memoised: semchunk's cache is global and grows without bound. A single character counts as fitting, for
        # it cannot be cut and semchunk would try for ever.
        parts = chunk(
            self._text[start:end],
            self._most,
            lambda text: self._count(text) if len(text) > 1 else min(self._count(text), self._most),
            memoize=False,
            offsets=True,
        )
        offsets = cast("list[tuple[int, int]]", parts[1])
        # From one start to the next, so that nothing can fall between two parts whatever was left out there.
        cuts = [start, *(start + low for low, _ in offsets[1:]), end]
        for low, high in pairwise(cuts):
            part = _LINE.search(self._text, low, high)
            if part:
                yield _Piece(*part.span(), self._tokens(*part.span()))

    def _pack(self, pieces: Sequence[_Piece]) -> list[list[_Piece]]:
        """Neighbours together, as many as fit by the sum of their tokens, then mended by an exact count."""
        packed: list[list[_Piece]] = []
        total = 0
        for piece in pieces:
            tokens = piece.tokens - self._marks
            if packed and total + tokens + self._marks <= self._most and self._fits_exactly(packed[-1], piece, total):
                packed[-1].append(piece)
                total += tokens
            else:
                packed.append([piece])
                total = tokens
        return packed

    def _fits_exactly(self, group: Sequence[_Piece], piece: _Piece, total: int) -> bool:
        """Whether the joined text fits. Sums are near enough until the joins between pieces could matter."""
        slack = self._most - (total + piece.tokens)
        if slack > 2 * len(group):
            return True
        return self._tokens(group[0].start, piece.end) <= self._most

    def _settle_tail(self, packed: list[list[_Piece]]) -> list[_Piece]:
        """Exact pieces per group; a small one goes to a neighbour, or takes its share from the one before it."""
        for index in range(len(packed) - 1, 0, -1):
            before, tail = packed[index - 1], packed[index]
            if sum(piece.tokens - self._marks for piece in tail) >= self._least:
                continue
            if self._tokens(before[0].start, tail[-1].end) <= self._most:
                packed[index - 1 : index + 1] = [[*before, *tail]]
                continue
            while len(before) > 1 and self._gives_to(before, tail):
                tail.insert(0, before.pop())
        return [exact for group in packed for exact in self._exact(group)]

    def _gives_to(self, before: Sequence[_Piece], tail: Sequence[_Piece]) -> bool:
        """Whether moving the last piece of `before` leaves both large enough and within bounds."""
        small = sum(piece.tokens - self._marks for piece in tail) < self._least
        left = sum(piece.tokens - self._marks for piece in before[:-1])
        return small and left >= self._least and self._tokens(before[-1].start, tail[-1].end) <= self._most

    def _exact(self, group: Sequence[_Piece]) -> Iterator[_Piece]:
        """The group as one passage; as its pieces, should a tokenizer count more for the whole than for the parts."""
        if len(group) == 1:
            yield group[0]
            return
        start, end = group[0].start, group[-1].end
        tokens = self._tokens(start, end)
        if tokens <= self._most:
            yield _Piece(start, end, tokens)
            return
        middle = len(group) // 2
        yield from self._exact(group[:middle])
        yield from self._exact(group[middle:])
