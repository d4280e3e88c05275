"""The ledger."""

from collections.abc import Sequence

import pytest

from inference.evidence import Found, ledger_of
from inference.types import Evidence, EvidenceKind
from knowledge.types import Passage, Source
from retrieval.types import Hit, LegScore
from tests.fakes import case_of

SOURCE = Source("A guideline", licence="CC0-1.0")
PASSAGE = Passage("p-1", "d-1", "v-1", 100, 122, "Excise with 2 mm margin.", 3, 4, ("Therapy", "Surgery"), SOURCE)
CASE = case_of("1", "psoriasis", "Scaly plaque.", licence="CC-BY-4.0", source="An atlas")


def found(item: str, by: str = "query", score: float = 0.5) -> Found:
    return Found(Hit(item, score, {"semantic": LegScore(0.7, 2), "lexical": LegScore(0.0, None)}), (by,))


def ledger(cases: Sequence[Found] = (), passages: Sequence[Found] = ()) -> tuple[Evidence, ...]:
    return ledger_of(cases, {"c-1": CASE, "c-2": case_of("2", "BCC")}, passages, {"p-1": PASSAGE})


def test_cases_come_before_passages_and_are_numbered_through() -> None:
    items = ledger([found("c-2"), found("c-1")], [found("p-1")])
    assert [(item.key, item.id, item.kind) for item in items] == [
        ("E1", "c-2", EvidenceKind.CASE),
        ("E2", "c-1", EvidenceKind.CASE),
        ("E3", "p-1", EvidenceKind.PASSAGE),
    ]


def test_a_case_says_where_it_comes_from() -> None:
    (item,) = ledger([found("c-1")])
    assert (item.text, item.label, item.title, item.licence) == ("Scaly plaque.", "psoriasis", "An atlas", "CC-BY-4.0")
    assert (item.start, item.end) == (0, len("Scaly plaque."))
    assert item.picture == CASE.picture
    assert item.group == "1. Inflammatory & Autoimmune Diseases"


def test_a_case_without_a_source_is_named_after_its_dataset() -> None:
    (item,) = ledger([found("c-2")])
    assert item.title == "set"
    assert item.group == "3. Malignant Skin Tumors"


def test_a_passage_says_where_it_stands() -> None:
    (item,) = ledger(passages=[found("p-1")])
    assert (item.document_id, item.version_id, item.start, item.end) == ("d-1", "v-1", 100, 122)
    assert (item.first_page, item.last_page, item.section) == (3, 4, ("Therapy", "Surgery"))
    assert (item.title, item.licence) == ("A guideline", "CC0-1.0")


def test_a_hit_says_why_it_was_found() -> None:
    (item,) = ledger(passages=[found("p-1", "note", 0.8)])
    assert item.found_by == ("note",)
    assert (item.score, item.scores, item.ranks) == (
        0.8, {"semantic": 0.7, "lexical": 0.0}, {"semantic": 2, "lexical": None},
    )  # fmt: skip


@pytest.mark.parametrize("scores", [(0.2, 0.9), (0.9, 0.2)])
def test_what_was_found_twice_is_one_item_with_its_better_hit(scores: tuple[float, float]) -> None:
    (item,) = ledger(passages=[found("p-1", "candidate psoriasis", scores[0]), found("p-1", "note", scores[1])])
    assert item.score == 0.9
    assert item.found_by == ("candidate psoriasis", "note")


def test_what_was_found_twice_by_the_same_question_names_it_once() -> None:
    (item,) = ledger(passages=[found("p-1", "note"), found("p-1", "note")])
    assert item.found_by == ("note",)


def test_what_the_registry_no_longer_knows_is_left_out() -> None:
    items = ledger([found("c-gone"), found("c-1")], [found("p-gone")])
    assert [(item.key, item.id) for item in items] == [("E1", "c-1")]


def test_nothing_found_is_an_empty_ledger() -> None:
    assert ledger() == ()
