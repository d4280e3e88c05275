"""Which guideline sentence says what a model's sentence says, and when none does."""

from collections.abc import Callable

import pytest

from inference.attribution import ENOUGH, attributed, statements_of
from inference.types import Citation, Evidence, EvidenceKind, Statement

TEXT = "Offer a potent corticosteroid once daily. Ciclosporin is given at 2.5 mg/kg a day. Review after four weeks."
START = 100  # of the passage in its version


def evidence(key: str, text: str, kind: EvidenceKind = EvidenceKind.PASSAGE, start: int = START) -> Evidence:
    return Evidence(key, kind, f"id-{key}", text, "Guideline", ("query",), 0.5, {}, {}, start, start + len(text))


def flat(_: str) -> float:
    return 1.0


def cited(text: str, *ledger: Evidence, idf: Callable[[str], float] = flat) -> tuple[Citation, ...]:
    (statement,) = attributed([Statement(text, "psoriasis", ())], ledger, idf)
    assert (statement.text, statement.about) == (text, "psoriasis")
    return statement.citations


def test_sentences_of_a_text_cite_nothing_yet() -> None:
    statements = statements_of("A red plaque. It measures 2.5 cm.", "psoriasis")
    assert [one.text for one in statements] == ["A red plaque.", "It measures 2.5 cm."]
    assert {(one.about, one.citations) for one in statements} == {("psoriasis", ())}


def test_the_sentence_that_says_it_is_cited_with_its_exact_place() -> None:
    (citation,) = cited("Ciclosporin is given at 2.5 mg/kg a day.", evidence("E1", TEXT))
    assert citation.quote == "Ciclosporin is given at 2.5 mg/kg a day."
    assert TEXT[citation.start - START : citation.end - START] == citation.quote
    assert citation.evidence == "E1"


def test_a_caption_of_another_patient_is_never_cited() -> None:
    assert cited("Offer a potent corticosteroid once daily.", evidence("E1", TEXT, EvidenceKind.CASE)) == ()


def test_what_no_sentence_says_cites_nothing() -> None:
    assert cited("A brown macule stands on the back.", evidence("E1", TEXT)) == ()
    assert cited("Offer a potent corticosteroid once daily.") == ()


def test_words_from_two_sentences_are_said_by_neither() -> None:
    assert cited("Ciclosporin review corticosteroid weeks potent mg.", evidence("E1", TEXT)) == ()


def test_fewer_than_three_words_are_covered_by_accident() -> None:
    assert cited("Potent corticosteroid.", evidence("E1", TEXT)) == ()


@pytest.mark.parametrize(("rare", "found"), [(4.0, True), (0.4, False)])
def test_rare_words_count_for_more(rare: float, found: bool) -> None:
    # "corticosteroid" stands in the sentence, "macule" and "trunk" do not: 4 / 6 is enough, 0.4 / 2.4 is not
    def idf(term: str) -> float:
        return rare if term.startswith("corticosteroid") else 1.0

    assert (ENOUGH, bool(cited("Corticosteroid macule trunk", evidence("E1", TEXT), idf=idf))) == (0.6, found)


def test_the_sentence_that_covers_most_is_cited() -> None:
    near = evidence("E1", "Offer a corticosteroid.")
    nearer = evidence("E2", "Offer a potent corticosteroid once daily.")
    for ledger in ((near, nearer), (nearer, near)):
        assert [one.evidence for one in cited("Offer a potent corticosteroid once daily.", *ledger)] == ["E2"]


def test_words_that_every_text_has_prove_nothing() -> None:
    assert cited("Offer a potent corticosteroid.", evidence("E1", TEXT), idf=lambda _: 0.0) == ()


def test_the_same_statement_is_cited_from_the_best_ranked_evidence() -> None:
    ledger = [evidence(f"E{number}", TEXT) for number in range(1, 12)]
    assert [one.evidence for one in cited("Offer a potent corticosteroid once daily.", *ledger)] == ["E1"]
