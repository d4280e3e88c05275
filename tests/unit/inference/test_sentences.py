"""Where a sentence ends."""

import pytest

from inference.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Use 0.1% cream. Stop after 2.5 weeks.", ["Use 0.1% cream.", "Stop after 2.5 weeks."]),
        ("Give e.g. Calcipotriol daily. Then stop.", ["Give e.g. Calcipotriol daily.", "Then stop."]),
        ("See Fig. 3 and ref. 12 there. Next.", ["See Fig. 3 and ref. 12 there.", "Next."]),
        ("Described by Smith et al. In 1999 again.", ["Described by Smith et al. In 1999 again."]),
        ("A. Nother wrote it. Good.", ["A. Nother wrote it.", "Good."]),
        ('He said "stop." Then left.', ['He said "stop."', "Then left."]),
        ("It is benign (usually.) Leave it.", ["It is benign (usually.)", "Leave it."]),
        ("Ask: “Does it itch?” “No.”", ["Ask: “Does it itch?”", "“No.”"]),
        ("no capital. after the stop", ["no capital. after the stop"]),
        ("After 4 weeks. 3 of 10 relapse.", ["After 4 weeks.", "3 of 10 relapse."]),
        ("first row\nsecond row\n\n\nthird", ["first row", "second row", "third"]),
        ("  padded.  \n", ["padded."]),
        ("e.g.\nA new line ends it", ["e.g.", "A new line ends it"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_sentences_of_a_text(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_spans_are_places_in_the_text() -> None:
    assert list(sentence_spans(" One.  Two. ")) == [(1, 5), (7, 11)]
