"""What one extraction has gathered, whether that is a document at all, and the result with its title and warnings."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from knowledge.pdf.composition import Composed
from knowledge.pdf.layout import PageFrame, Row
from knowledge.pdf.outline import OutlineEntry
from knowledge.pdf.refusals import page_warnings, refused
from knowledge.pdf.repairs import repair
from knowledge.pdf.second_look import SecondLook, advice, warnings_of
from knowledge.types import ExtractedText, Page, PageState

_FILE_NAME_LIKE = re.compile(r"(\.\w{2,5}$)|(^microsoft word\b)|[\\/]|(^untitled)", re.IGNORECASE)
_REFUSAL_OF_PAGE = {"timed_out": "timed_out", "parser_died": "parser_died", "out_of_memory": "parser_died"}


@dataclass(slots=True)
class Reading:
    """What one extraction has gathered so far, page by page; `deadline` is in seconds of `time.monotonic`."""

    deadline: float
    progress: Callable[[int, int], None] | None = None
    pages: int | None = None
    title: str | None = None
    rows: list[list[Row]] = field(default_factory=list)
    frames: list[PageFrame | None] = field(default_factory=list)
    outline: list[OutlineEntry] = field(default_factory=list)
    states: list[tuple[PageState, str | None]] = field(default_factory=list)
    little: list[int] = field(default_factory=list)
    warnings: dict[str, int] = field(default_factory=dict)
    other_pages: int | None = None
    second: SecondLook = field(default_factory=SecondLook)

    @property
    def next_page(self) -> int:
        """The first page (from 1) that was not read yet."""
        return len(self.states) + 1

    def lose_page(self, reason: str) -> None:
        """The next page cannot be read."""
        self.rows.append([])
        self.frames.append(None)
        self.states.append((PageState.FAILED, reason))


def check_text(reading: Reading, seconds_per_page: float) -> None:
    """Refuse a document of which no page has text, by the cause that most needs an answer. Raises DocumentRefused."""
    if any(reading.rows):
        return
    pages = len(reading.states)
    failed = [i for i, (state, _) in enumerate(reading.states, start=1) if state is PageState.FAILED]
    pictures = [i for i, (state, _) in enumerate(reading.states, start=1) if state is PageState.IMAGE_ONLY]
    told = advice(reading.second.found)
    if failed and all(str(reading.states[page - 1][1]).startswith("garbage_text") for page in failed):
        raise refused("garbage_text", failed[0], advice=told)
    if failed:
        reasons = Counter(_REFUSAL_OF_PAGE.get(str(reason), "broken_pdf") for _, reason in reading.states if reason)
        raise refused(reasons.most_common(1)[0][0], failed[0], seconds=seconds_per_page)
    if (reading.other_pages or 0) > pages:
        raise refused("broken_pdf")
    if pictures:
        raise refused("image_only", pictures[0], pictures=len(pictures), pages=pages, advice=told)
    if reading.warnings:
        raise refused("broken_pdf")
    raise refused("no_text", pages=pages)


def extracted(reading: Reading, composed: Composed) -> ExtractedText:
    """The result: the composed text with the state of each page, a title and warnings."""
    pages = tuple(
        Page(number, start, end, state, reason, reading.second.confidences.get(number))
        for number, ((start, end), (state, reason)) in enumerate(
            zip(composed.spans, reading.states, strict=True), start=1
        )
    )
    title = composed.title or _usable_title(reading.title)
    return ExtractedText(
        composed.text, pages, composed.headings, title, tuple(_warnings(reading)), composed.stretches, composed.lines
    )


def _usable_title(title: str | None) -> str | None:
    """The file's own title, unless it is the name of a file, which many programs put there."""
    title = " ".join(repair(title or "").split())
    return None if not title or _FILE_NAME_LIKE.search(title) else title


def _warnings(reading: Reading) -> list[str]:
    states: dict[str, list[int]] = defaultdict(list)
    for number, (state, _) in enumerate(reading.states, start=1):
        states[state.value].append(number)
    little = [page for page in reading.little if reading.states[page - 1][0] is PageState.TEXT]
    found = page_warnings(states, len(reading.states), little) + warnings_of(reading.second.found, reading.states)
    if reading.other_pages is not None and reading.other_pages != len(reading.states):
        found.append(
            f"Readers disagree about the number of pages: {len(reading.states)} were read, another reader finds"
            f" {reading.other_pages}. The file may be damaged."
        )
    if reading.warnings:
        total = sum(reading.warnings.values())
        often = max(reading.warnings, key=lambda template: reading.warnings[template])
        found.append(f"The parser warned {total} times, most often: {often}")
    return found
