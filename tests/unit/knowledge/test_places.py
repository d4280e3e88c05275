"""Where a span of text is on its pages."""

import pytest

from knowledge.errors import BlobCorrupt
from knowledge.places import packed, places_of, unpacked
from knowledge.types import Line

LINES = [
    Line(0, 10, 1, 0.1, 0.20, 0.6, 0.22),
    Line(11, 31, 1, 0.1, 0.23, 0.9, 0.25),
    Line(33, 43, 2, 0.1, 0.10, 0.6, 0.12),
]


def test_lines_are_stored_and_read_back() -> None:
    assert unpacked(packed(LINES)) == LINES
    assert unpacked(packed([])) == []
    assert unpacked(packed([Line(0, 1, 1, 1 / 3, 0.0, 2 / 3, 1.0)])) == [Line(0, 1, 1, 0.3333, 0.0, 0.6667, 1.0)]


@pytest.mark.parametrize("data", [b"", b"{", b"[[1, 2]]", b"[1]", b"\xff"])
def test_a_damaged_file_is_said_to_be_one(data: bytes) -> None:
    with pytest.raises(BlobCorrupt):
        unpacked(data)


def test_a_span_has_a_rectangle_on_every_line_it_touches() -> None:
    whole = list(places_of(LINES, 0, 43))
    assert [(one.page, one.left, one.right) for one in whole] == [(1, 0.1, 0.6), (1, 0.1, 0.9), (2, 0.1, 0.6)]


def test_within_a_line_the_rectangle_follows_the_letters() -> None:
    # 20 letters from 0.1 to 0.9: each is 0.04 wide.
    [place] = places_of(LINES, 16, 21)
    assert (place.page, place.top, place.bottom) == (1, 0.23, 0.25)
    assert place.left == pytest.approx(0.1 + 5 * 0.04)
    assert place.right == pytest.approx(0.1 + 10 * 0.04)


def test_what_lies_between_lines_is_nowhere() -> None:
    assert list(places_of(LINES, 10, 11)) == []
    assert list(places_of(LINES, 31, 33)) == []
    assert list(places_of(LINES, 100, 200)) == []
