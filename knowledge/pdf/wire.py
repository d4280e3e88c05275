"""Rows, frames and composed texts as the lists that go as JSON between a child and its parent, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from knowledge.pdf.composition import Composed, compose
from knowledge.pdf.layout import PageFrame, Row
from knowledge.pdf.outline import OutlineEntry
from knowledge.types import Heading, Line, Role, Stretch

Values = tuple[Any, ...]


def row_values(row: Row) -> Values:
    """A row as it comes from a page, which has neither parts nor a table yet."""
    # `dataclasses.astuple` copies deeply, which costs more than all else about a row.
    return row.text, row.x, row.right, row.y, row.size, row.bold, row.angle, row.cells


def row_of(values: list[Any]) -> Row:
    """The row of `row_values`."""
    text, x, right, y, size, bold, angle, cells = values
    return Row(text, x, right, y, size, bold, angle, tuple((a, b) for a, b in cells))


def frame_of(values: list[Any] | None) -> PageFrame | None:
    """Width, height and rules of a page; None if nothing is known of it."""
    if values is None:
        return None
    width, height, rules = values
    return PageFrame(width, height, tuple((left, right, y) for left, right, y in rules))


def compose_request(
    rows: Sequence[Sequence[Row]], frames: Sequence[PageFrame | None], outline: Sequence[OutlineEntry]
) -> dict[str, Any]:
    """What `composed` takes."""
    return {
        "op": "compose",
        "rows": [[row_values(row) for row in page] for page in rows],
        "frames": [frame and (frame.width, frame.height, frame.rules) for frame in frames],
        "outline": [(entry.title, entry.level, entry.page) for entry in outline],
    }


def composed(request: Mapping[str, Any]) -> dict[str, Any]:
    """The composed document of a request, for `composed_of`."""
    found = compose(
        [[row_of(row) for row in page] for page in request["rows"]],
        [frame_of(frame) for frame in request["frames"]],
        [OutlineEntry(*entry) for entry in request["outline"]],
    )
    return {
        "text": found.text,
        "spans": found.spans,
        "headings": [(one.start, one.end, one.level) for one in found.headings],
        "title": found.title,
        "stretches": [(one.start, one.end, one.role, one.header) for one in found.stretches],
        "lines": [(one.start, one.end, one.page, one.left, one.top, one.right, one.bottom) for one in found.lines],
    }


def composed_of(values: Mapping[str, Any]) -> Composed:
    """The document of an answer of `composed`."""
    return Composed(
        values["text"],
        tuple((start, end) for start, end in values["spans"]),
        tuple(Heading(*heading) for heading in values["headings"]),
        values["title"],
        tuple(Stretch(start, end, Role(role), header) for start, end, role, header in values["stretches"]),
        tuple(Line(*line) for line in values["lines"]),
    )
