"""Each verdict on a citation, read from a real registry and blob store."""

from dataclasses import replace

import pytest

from inference.citations import (
    NOT_IN_LEDGER,
    NOT_STORED,
    OUTSIDE,
    UNREADABLE,
    CitationVerifier,
    count,
    is_verbatim,
    judge,
    quantities,
)
from inference.types import Citation, CitationCheck, Evidence, EvidenceKind, Statement, Verdict
from tests.fakes import Corpus, case_of, patch_of, sha256

PAGES = ("Offer calcipotriol 0.005% once daily.", "Review psoriasis after 4 weeks. Do not exceed 100 g a week.")
TEXT = "\n".join(PAGES)
CAPTION = "Scaly plaque of 3 cm on the elbow."
GUIDE = Evidence(
    "E1", EvidenceKind.PASSAGE, "p-guide-1", TEXT, "guide", (), 1.0, {}, {}, 0, len(TEXT),
    version_id=sha256("guide"),
)  # fmt: skip
CASE = Evidence("E2", EvidenceKind.CASE, "c-1", CAPTION, "set", (), 1.0, {}, {}, 0, len(CAPTION), label="psoriasis")


@pytest.fixture
def filled(corpus: Corpus) -> Corpus:
    corpus.add_document("guide", PAGES)
    corpus.add_case(case_of("1", "psoriasis", CAPTION), patch_of((200, 80, 80)))
    return corpus


def cite(quote: str, key: str = "E1", start: int | None = None) -> Citation:
    text = TEXT if key == "E1" else CAPTION
    begin = text.index(quote) if start is None else start
    return Citation(key, quote, begin, begin + len(quote))


def verified(corpus: Corpus, citation: Citation, statement: str | None = None) -> Citation:
    verifier = CitationVerifier(corpus.registry, corpus.blobs)
    given = Statement(statement or citation.quote, "psoriasis", (citation,))
    (checked,) = verifier.verify([given], [GUIDE, CASE])
    assert replace(checked, citations=(), verdict=given.verdict) == replace(given, citations=())
    assert checked.verdict is checked.citations[0].verdict
    return checked.citations[0]


def verdict(corpus: Corpus, citation: Citation, statement: str | None = None) -> tuple[Verdict, str | None]:
    found = verified(corpus, citation, statement)
    return found.verdict, found.problem


def test_an_exact_quote_that_is_the_statement_supports_it(filled: Corpus) -> None:
    assert verdict(filled, cite("Review psoriasis after 4 weeks.")) == (Verdict.SUPPORTED, None)


def test_white_space_of_the_page_does_not_keep_a_quote_from_supporting(filled: Corpus) -> None:
    both = cite("once daily.\nReview psoriasis")
    assert verdict(filled, both, "once daily. Review psoriasis") == (Verdict.SUPPORTED, None)


def test_a_quote_of_the_document_outside_the_cited_passage_is_unsupported(filled: Corpus) -> None:
    second = replace(GUIDE, text=PAGES[1], start=TEXT.index(PAGES[1]))
    first_page = Statement(PAGES[0], "psoriasis", (cite(PAGES[0]),))
    (checked,) = CitationVerifier(filled.registry, filled.blobs).verify([first_page], [second])
    assert checked.citations[0].verdict is Verdict.UNSUPPORTED
    assert checked.citations[0].problem == "the quote lies outside the cited evidence"


@pytest.mark.parametrize("part", ["exceed 100 g a week.", "Do not exceed", "o not exceed 100 g a week."])
def test_a_part_of_a_sentence_is_not_what_the_sentence_says(filled: Corpus, part: str) -> None:
    assert verdict(filled, cite("Do not exceed 100 g a week."), part)[0] is Verdict.PARTLY


def test_one_sentence_of_a_longer_quote_is_supported(filled: Corpus) -> None:
    assert verdict(filled, cite(PAGES[1]), "Do not exceed 100 g a week.") == (Verdict.SUPPORTED, None)


def test_a_quote_in_other_words_than_the_statement_supports_it_partly(filled: Corpus) -> None:
    found = verdict(filled, cite("Review psoriasis after 4 weeks."), "See the patient again after 4 weeks.")
    assert found == (Verdict.PARTLY, "the statement is not in the words of the cited text")


def test_a_number_that_the_quote_does_not_say_makes_a_statement_unsupported(filled: Corpus) -> None:
    found = verdict(filled, cite("Review psoriasis after 4 weeks."), "Review psoriasis after 6 weeks.")
    assert found == (Verdict.UNSUPPORTED, "the cited text does not say 6")


def test_the_same_number_with_another_unit_is_not_the_same(filled: Corpus) -> None:
    found = verdict(filled, cite("Do not exceed 100 g a week."), "Do not exceed 100 mg a week.")
    assert found == (Verdict.UNSUPPORTED, "the cited text does not say 100mg")


def test_a_quote_that_is_not_where_it_says_is_unsupported(filled: Corpus) -> None:
    found = verdict(filled, cite("Review psoriasis after 4 weeks.", start=3))
    assert found == (Verdict.UNSUPPORTED, "the quote is not in the stored text")


@pytest.mark.parametrize("quote", ["Review Psoriasis after 4 weeks.", "Review psoriasis after 4 weeks,", "invented"])
def test_a_quote_that_was_changed_is_unsupported(filled: Corpus, quote: str) -> None:
    place = TEXT.index("Review")
    assert verdict(filled, cite(quote, start=place)) == (Verdict.UNSUPPORTED, "the quote is not in the stored text")


def test_an_empty_quote_is_unsupported(filled: Corpus) -> None:
    assert verdict(filled, cite("", start=0), "Anything.")[0] is Verdict.UNSUPPORTED


def test_a_negative_place_is_not_counted_from_the_end(filled: Corpus) -> None:
    assert verdict(filled, Citation("E1", TEXT[-7:-1], -7, -1))[0] is Verdict.UNSUPPORTED


def test_a_key_that_is_not_in_the_ledger_is_unsupported(filled: Corpus) -> None:
    found = verdict(filled, replace(cite("Review"), evidence="E9"))
    assert found == (Verdict.UNSUPPORTED, "cites evidence that is not in the ledger")


def test_a_caption_is_checked_against_the_registry(filled: Corpus) -> None:
    assert verdict(filled, cite(CAPTION, "E2")) == (Verdict.SUPPORTED, None)
    assert verdict(filled, cite("Scaly plaque of 4 cm", "E2", start=0))[0] is Verdict.UNSUPPORTED


@pytest.mark.parametrize(("quote", "page"), [("Offer", 1), ("once daily.\nReview", 1), ("Review", 2), ("a week.", 2)])
def test_the_page_is_where_the_quote_begins(filled: Corpus, quote: str, page: int) -> None:
    assert verified(filled, cite(quote)).page == page


def test_a_caption_has_no_page(filled: Corpus) -> None:
    assert verified(filled, cite("Scaly", "E2")).page is None


def test_a_tampered_text_supports_nothing(filled: Corpus) -> None:
    filled.blobs.path(sha256(TEXT)).write_bytes(TEXT.replace("100 g", "900 g").encode())
    found, problem = verdict(filled, cite("Review psoriasis after 4 weeks."))
    assert found is Verdict.UNSUPPORTED
    assert problem is not None
    assert "does not match its checksum" in problem


def test_a_lost_text_supports_nothing(filled: Corpus) -> None:
    filled.blobs.delete(sha256(TEXT))
    assert verdict(filled, cite("Review")) == (Verdict.UNSUPPORTED, f"{UNREADABLE}: no such stored file")


def test_a_deleted_document_supports_nothing(filled: Corpus) -> None:
    filled.registry.delete_document(sha256("guide"))
    found, problem = verdict(filled, cite("Review"))
    assert found is Verdict.UNSUPPORTED
    assert problem is not None
    assert "no such version" in problem


def test_a_ledger_that_lies_is_not_believed(filled: Corpus) -> None:
    lie = "Give 900 g a week."
    verifier = CitationVerifier(filled.registry, filled.blobs)
    statement = Statement(lie, "psoriasis", (Citation("E1", lie, 0, len(lie)),))
    (checked,) = verifier.verify([statement], [replace(GUIDE, text=lie, end=len(lie))])
    assert checked.citations[0].verdict is Verdict.UNSUPPORTED


def test_every_citation_of_a_statement_gets_its_own_verdict(filled: Corpus) -> None:
    good, bad = cite("Review psoriasis after 4 weeks."), cite("Review", start=0)
    statement = Statement(good.quote, "psoriasis", (good, bad))
    checked = CitationVerifier(filled.registry, filled.blobs).verify([statement, statement], [GUIDE])
    verdicts = [[citation.verdict for citation in one.citations] for one in checked]
    assert verdicts == [[Verdict.SUPPORTED, Verdict.UNSUPPORTED]] * 2
    assert count(checked) == CitationCheck(verified=2, total=4)


def test_partly_supported_does_not_count_as_verified() -> None:
    partly = Citation("E1", "x", 0, 1, verdict=Verdict.PARTLY)
    assert count([Statement("x", "y", (partly,))]) == CitationCheck(0, 1)
    assert count([]) == CitationCheck(0, 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("5% of 100 cases", ["5%", "100"]),
        ("5 % and 5 %", ["5%", "5%"]),
        ("0.05%.", ["0.05%"]),
        ("0,1 % cream", ["0,1%"]),
        ("2 ‰", ["2‰"]),
        ("10 mg/kg a day", ["10mg"]),
        ("100 µg and 100 μg", ["100μg", "100μg"]),
        ("1:1000 dilution", ["1:1000"]),
        ("2–3 weeks, 4-6 mm", ["2–3", "4-6mm"]),
        ("5 gels, 3 cmx", ["5", "3"]),
        ("IL-17", ["17"]),
        ("no number", []),
    ],
)
def test_quantities_of_a_text(text: str, found: list[str]) -> None:
    assert quantities(text) == found


@pytest.mark.parametrize(
    ("statement", "quote"),
    [("in 5% of them", "in 5 of them"), ("5 mg", "5 g"), ("0.5 mm", "0.05 mm"), ("2 weeks", "12 weeks"), ("5%", "5‰")],
)
def test_numbers_that_only_look_alike_are_unsupported(statement: str, quote: str) -> None:
    assert judge(statement, quote)[0] is Verdict.UNSUPPORTED


def test_a_number_may_be_spaced_otherwise() -> None:
    assert judge("use 0.1 % cream", "apply 0.1% cream")[0] is Verdict.PARTLY


def test_verbatim_is_what_is_stored_whatever_it_says_of_the_statement() -> None:
    found = Citation("E1", "quote", 0, 5)
    assert is_verbatim(replace(found, verdict=Verdict.SUPPORTED))
    assert is_verbatim(replace(found, problem="the cited text does not say 5 mg"))
    for problem in (NOT_IN_LEDGER, OUTSIDE, NOT_STORED, f"{UNREADABLE}: no such version"):
        assert not is_verbatim(replace(found, problem=problem))
