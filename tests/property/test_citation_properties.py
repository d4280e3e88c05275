"""A quote holds exactly when it is there; sentences cover a text exactly once."""

import string
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from inference.citations import CitationVerifier
from inference.sentences import sentence_spans
from inference.types import Citation, Evidence, EvidenceKind, Statement, Verdict
from tests.fakes import Corpus, sha256

TEXT = (
    "Offer a potent corticosteroid once daily. Review after 4 weeks; stop if the skin thins.\n"
    "Do not use 0.1% tacrolimus under dressings. „Ünïcode“ – and 𝛼 astral sign: 5 µg/ml."
)
Verify = Callable[[str, int, int], Citation]


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verify]:
    """Checks one citation of a stored text, whose statement is its own quote."""
    corpus = Corpus(tmp_path_factory.mktemp("citations") / "home")
    corpus.add_document("guide", [TEXT])
    verifier = CitationVerifier(corpus.registry, corpus.blobs)
    evidence = Evidence(
        "E1", EvidenceKind.PASSAGE, "p-guide-1", TEXT, "guide", ("test",), 1.0, {}, {}, 0, len(TEXT),
        version_id=sha256("guide"),
    )  # fmt: skip

    def check(quote: str, start: int, end: int) -> Citation:
        (statement,) = verifier.verify([Statement(quote, "x", (Citation("E1", quote, start, end),))], [evidence])
        return statement.citations[0]

    yield check
    corpus.close()


SPANS = st.tuples(st.integers(0, len(TEXT)), st.integers(0, len(TEXT))).filter(lambda span: span[0] < span[1])
MANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(span=SPANS)
def test_any_exact_span_is_found_on_its_page(verify: Verify, span: tuple[int, int]) -> None:
    start, end = span
    found = verify(TEXT[start:end], start, end)
    assert (found.verdict, found.page, found.problem) == (Verdict.SUPPORTED, 1, None)


@MANY
@given(span=SPANS, at=st.integers(0, len(TEXT)), sign=st.sampled_from(string.printable + "“–µ"))
def test_a_quote_with_one_other_sign_is_not_found(verify: Verify, span: tuple[int, int], at: int, sign: str) -> None:
    start, end = span
    place = start + at % (end - start)
    assume(TEXT[place] != sign)
    altered = TEXT[start:place] + sign + TEXT[place + 1 : end]
    found = verify(altered, start, end)
    assert (found.verdict, found.problem) == (Verdict.UNSUPPORTED, "the quote is not in the stored text")


@MANY
@given(span=SPANS, shift=st.integers(-2 * len(TEXT), 2 * len(TEXT)))
@example(span=(len(TEXT) - 6, len(TEXT) - 1), shift=-len(TEXT))
def test_a_quote_at_another_place_is_not_found_there(verify: Verify, span: tuple[int, int], shift: int) -> None:
    start, end = span
    assume(start + shift < 0 or TEXT[start + shift : end + shift] != TEXT[start:end])
    assert verify(TEXT[start:end], start + shift, end + shift).verdict is Verdict.UNSUPPORTED


@MANY
@given(place=st.integers(-5, len(TEXT) + 5))
def test_an_empty_quote_supports_nothing(verify: Verify, place: int) -> None:
    assert verify("", place, place).verdict is Verdict.UNSUPPORTED


PIECES = [
    "Dr. ",
    "e.g. ",
    "No. 5",
    "1.5 mg",
    ". ",
    "! ",
    "?) ",
    '." ',
    "\n",
    "\n\n",
    "  ",
    "A",
    "skin",
    "Then",
    "…",
    " ",
]
PROSE = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))


@given(PROSE)
def test_sentences_cover_every_visible_character_exactly_once(text: str) -> None:
    covered = [place for start, end in sentence_spans(text) for place in range(start, end)]
    assert len(covered) == len(set(covered))
    assert {place for place, sign in enumerate(text) if not sign.isspace()} <= set(covered)


@given(PROSE)
def test_sentences_are_trimmed_in_order_and_never_empty(text: str) -> None:
    spans = list(sentence_spans(text))
    assert spans == sorted(spans)
    assert all(start < end and text[start:end] == text[start:end].strip() for start, end in spans)


@given(PROSE)
def test_no_sentence_goes_over_a_line_break(text: str) -> None:
    assert not any("\n" in text[start:end] for start, end in sentence_spans(text))
