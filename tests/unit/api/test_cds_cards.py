"""A card says what is likeliest and what for, within the bounds of CDS Hooks, and its evidence cannot become markup."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from api import examples
from api.cds_cards import LONGEST_SUMMARY, MOST_QUOTED, Card, card_of, marked
from api.fhir import About
from inference.types import Abstention, Answer, Candidate, Citation, Diagnosis, Statement

ABOUT = About(datetime(2026, 3, 2, 10, 15, tzinfo=UTC), "https://skin.example")
DIAGNOSIS = msgspec.convert(examples.DIAGNOSIS, Diagnosis)
ABSTENTION = msgspec.convert(examples.ABSTENTION, Abstention)
PAGE = f"https://skin.example/v1/documents/{examples.VERSION_ID}/pages/3/image"


def made(answer: Answer) -> Card:
    return card_of(answer, ABOUT)


def test_a_diagnosis_is_a_card() -> None:
    card = made(DIAGNOSIS)
    assert card.summary == "Likeliest: psoriasis, 81% (Research use, not a diagnosis)"
    assert card.indicator == "info"
    assert card.source.url == "https://skin.example"
    notice, ranked, said, checked = card.detail.split("\n\n")
    assert notice.startswith("**Research use\\: decision support for clinicians, not a diagnosis.")
    assert ranked == "1. psoriasis (81.0%)\n2. lichen planus (12.0%)"
    assert said == (
        "- Offer a potent topical corticosteroid once daily for up to 4 weeks. "
        f"(supported; [E2\\: Psoriasis\\: assessment and management, page 3](<{PAGE}>))"
    )
    assert checked == "Citations that say what they are cited for: 1 of 1."
    assert [(link.label, link.url, link.type) for link in card.links] == [
        ("E2: Psoriasis: assessment and management, page 3", PAGE, "absolute")
    ]


def test_an_abstention_is_a_card_that_says_why_and_what_would_help() -> None:
    card = made(replace(ABSTENTION, warnings=("the leak guard is off",)))
    assert card.summary == "No answer: Picture 1 is blurred. (Research use, not a diagnosis)"
    assert "No diagnosis: Picture 1 is blurred.\n\nSend a sharp, evenly lit photograph" in card.detail
    assert card.detail.endswith("- Warning: the leak guard is off")
    assert card.links == ()


@pytest.mark.parametrize("answer", [DIAGNOSIS, ABSTENTION], ids=["diagnosis", "abstention"])
def test_a_summary_is_cut_before_it_says_what_it_is_for(answer: Diagnosis | Abstention) -> None:
    long = "psoriasis " * 40
    candidates = (Candidate(long, 0.5, None, ()),)
    card = made(
        replace(answer, candidates=candidates) if isinstance(answer, Diagnosis) else replace(answer, explanation=long)
    )
    assert len(card.summary) == LONGEST_SUMMARY
    assert card.summary.endswith("… (Research use, not a diagnosis)")


def test_a_probability_that_nobody_knows_is_left_out() -> None:
    card = made(replace(DIAGNOSIS, candidates=(Candidate("psoriasis", None, None, ()),)))
    assert card.summary.startswith("Likeliest: psoriasis (Research")


def test_each_piece_of_evidence_is_linked_once_and_only_what_is_cited_and_there() -> None:
    cited = DIAGNOSIS.report[0].citations[0]
    again = replace(DIAGNOSIS.report[0], citations=(cited, replace(cited, page=4), Citation("E99", "x", 0, 1)))
    card = made(replace(DIAGNOSIS, report=(DIAGNOSIS.report[0], again)))
    assert [link.url for link in card.links] == [PAGE]
    assert ", E99)" in card.detail


def test_a_long_report_is_shortened() -> None:
    said = tuple(Statement(f"Sentence {number}.", "psoriasis", ()) for number in range(30))
    assert made(replace(DIAGNOSIS, report=said)).detail.count("Sentence ") == MOST_QUOTED


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("![x](https://evil.example/p.png)", "\\!\\[x\\](https\\://evil.example/p.png)"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("www.evil.example or WWW.evil.example", "www\\.evil.example or WWW\\.evil.example"),
        ("a\n# b\n\n* c", "a \\# b \\* c"),
        ("\\[", "\\\\\\["),
        ("2.5 mg/kg a day, 0.1%, 5-FU", "2.5 mg/kg a day, 0.1%, 5-FU"),
    ],
)
def test_evidence_is_text_and_never_markup(words: str, told: str) -> None:
    assert marked(words) == told
