"""The extractive report: exact quotes of evidence that names the candidate."""

from dataclasses import replace

import pytest

from inference.reports import LONGEST, SHORTEST, extractive_report
from inference.types import Candidate, Evidence, EvidenceKind, Statement

GUIDE = (
    "Offer a potent corticosteroid for plaque psoriasis. Acne and psoriasis may occur together in adults.\n"
    "Psoriasis of the scalp needs a shampoo with salicylic acid. Emollients are good for every skin."
)


def case(key: str, label: str, text: str) -> Evidence:
    return Evidence(key, EvidenceKind.CASE, f"c-{key}", text, "atlas", (), 0.9, {}, {}, 0, len(text), label=label)


def passage(key: str, text: str, start: int = 0) -> Evidence:
    end = start + len(text)
    return Evidence(key, EvidenceKind.PASSAGE, f"p-{key}", text, "guide", (), 0.9, {}, {}, start, end)


def report(labels: list[str], ledger: list[Evidence], words: str = "", **idf: float) -> tuple[Statement, ...]:
    candidates = [Candidate(label, 0.5, None, ()) for label in labels]
    return extractive_report(candidates, ledger, words, lambda term: idf.get(term, 1.0))


def said(statements: tuple[Statement, ...]) -> list[str]:
    return [statement.text for statement in statements]


def test_sentences_that_name_the_candidate_are_quoted_and_others_not() -> None:
    assert sorted(said(report(["psoriasis"], [passage("E1", GUIDE)]))) == [
        "Acne and psoriasis may occur together in adults.",
        "Offer a potent corticosteroid for plaque psoriasis.",
        "Psoriasis of the scalp needs a shampoo with salicylic acid.",
    ]


def test_a_quote_says_exactly_where_it_stands() -> None:
    (statement,) = report(["acne"], [passage("E7", GUIDE, start=1_000)])
    (citation,) = statement.citations
    assert citation.evidence == "E7"
    assert citation.quote == statement.text == "Acne and psoriasis may occur together in adults."
    assert (citation.start, citation.end) == (1_000 + GUIDE.index("Acne"), 1_000 + GUIDE.index("adults.") + 7)
    assert statement.about == "acne"


def test_a_caption_is_quoted_for_the_label_of_its_own_case_only() -> None:
    ledger = [case("E1", "psoriasis", "Scaly plaque. Second sentence."), case("E2", "acne", "Psoriasis? No, pustules.")]
    assert said(report(["psoriasis"], ledger)) == ["Scaly plaque."]


@pytest.mark.parametrize("caption", ["", "  \n "], ids=repr)
def test_a_case_without_a_caption_is_not_quoted(caption: str) -> None:
    assert report(["psoriasis"], [case("E1", "psoriasis", caption)]) == ()


def test_the_likeliest_gets_most_of_the_room() -> None:
    names = ["first", "second", "third"]
    captions = [case(f"E{n}{label}", label, f"Caption {n} of {label}.") for label in names for n in range(3)]
    guide = " ".join(f"A sentence number {n} about {label} itself." for n in range(4) for label in names)
    statements = report(names, [*captions, passage("E9", guide)])
    assert [statement.about for statement in statements] == ["first"] * 5 + ["second"] * 2 + ["third"] * 2


def test_no_more_than_three_candidates_are_spoken_of() -> None:
    ledger = [case(label, label, f"Caption of {label}.") for label in "ABCD"]
    assert [statement.about for statement in report(["A", "B", "C", "D"], ledger)] == ["A", "B", "C"]


def test_what_was_asked_for_comes_first() -> None:
    first = said(report(["psoriasis"], [passage("E1", GUIDE)], "salicylic shampoo"))[0]
    assert first == "Psoriasis of the scalp needs a shampoo with salicylic acid."


def test_rare_words_of_the_question_weigh_more() -> None:
    ledger = [passage("E1", GUIDE)]
    assert "corticosteroid" in said(report(["psoriasis"], ledger, "scalp corticosteroid", corticosteroid=9))[0]
    assert "scalp" in said(report(["psoriasis"], ledger, "scalp corticosteroid", scalp=9))[0]


def test_one_sentence_is_said_once_for_the_likelier_candidate() -> None:
    both = "Acne and psoriasis may occur together in adults."
    statements = report(["psoriasis", "acne"], [passage("E1", both), passage("E2", both)])
    assert [(statement.text, statement.about) for statement in statements] == [(both, "psoriasis")]


def test_equally_good_sentences_come_by_id_then_place() -> None:
    one, two = "Psoriasis is the first of them.", "Psoriasis is the other of them."
    ledger = [passage("E2", one), passage("E1", f"{two}\n{one[:-1]} again.")]
    ids = [statement.citations[0].evidence for statement in report(["psoriasis"], ledger)]
    assert ids == ["E1", "E1", "E2"]


@pytest.mark.parametrize(
    ("length", "quoted"), [(SHORTEST - 1, False), (SHORTEST, True), (LONGEST, True), (LONGEST + 1, False)]
)
def test_fragments_and_walls_of_text_are_not_quoted(length: int, quoted: bool) -> None:
    sentence = "Psoriasis " + "x" * (length - 11) + "."
    assert len(sentence) == length
    assert bool(report(["psoriasis"], [passage("E1", sentence)])) is quoted


def test_without_evidence_nothing_is_said() -> None:
    assert report(["psoriasis"], []) == ()
    assert report([], [passage("E1", GUIDE)]) == ()


def test_every_statement_rests_on_a_citation_of_its_own_words() -> None:
    ledger = [case("E1", "psoriasis", "Scaly plaque."), replace(passage("E2", GUIDE), id="p-2")]
    statements = report(["psoriasis", "acne"], ledger, "scalp")
    assert len(statements) == 4
    assert all([citation.quote for citation in one.citations] == [one.text] for one in statements)
