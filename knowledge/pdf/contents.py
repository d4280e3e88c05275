"""What one page says and where, and whether it draws a picture. Runs only in the child process."""

import re
from dataclasses import dataclass

from pypdf import PageObject
from pypdf.errors import LimitReachedError
from pypdf.generic import ContentStream

from knowledge.pdf.fonts import resolved
from knowledge.pdf.gathering import TEXT, ContentReader
from knowledge.pdf.glyphs import FontShelf
from knowledge.pdf.layout import Fragment
from knowledge.pdf.sheets import Sheet, inherited, sheet_of

_INLINE_PICTURE = re.compile(rb"\bBI\s")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Fragments of a page in content order, whether it draws a picture or form, and its horizontal rules.

    A rule is (left, right, y).
    """

    fragments: list[Fragment]
    pictures: bool
    sheet: Sheet
    rules: list[tuple[float, float, float]]


def gather(page: PageObject, shelf: FontShelf) -> Gathered:
    """What a page says and where. Raises what pypdf raises."""
    sheet, base = sheet_of(page)
    contents = resolved(page.get("/Contents"))
    if contents is None:
        return Gathered([], False, sheet, [])
    stream = ContentStream(contents, page.pdf, "bytes")
    data = stream.get_data()
    try:
        operations = stream.operations
    except LimitReachedError:
        # A drawing of a million strokes without a text operator is only a drawing; anything else has lost its text.
        if TEXT.search(data):
            raise
        return Gathered([], bool(_INLINE_PICTURE.search(data)), sheet, [])
    reader = ContentReader(shelf, base, page.pdf)
    reader.run(operations, inherited(page, "/Resources"))
    pictures = any(operator in (b"Do", b"INLINE IMAGE") for _, operator in operations)
    return Gathered(reader.fragments, pictures, sheet, reader.strokes.rules)
