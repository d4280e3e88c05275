"""The leak guard: what is kept back for which reason."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from knowledge.registry import CaseGuard
from retrieval.leakage import MOST_OF_ONE_ORIGIN, NEAR_DUPLICATE_BITS, GuardTable, Probe, is_held_out, leak_guard
from retrieval.twins import SketchTable
from tests.fakes import case_of, sha256, sketch_named


def guard(name: str, **fields: Any) -> CaseGuard:
    case = case_of(name, **fields)
    return CaseGuard(**{field: getattr(case, field) for field in CaseGuard.__dataclass_fields__})


def flipped(perceptual_hash: str, bits: int) -> str:
    return f"{int(perceptual_hash, 16) ^ ((1 << bits) - 1):016x}"


def shown(guards: list[CaseGuard | None], probe: Probe) -> tuple[list[bool], dict[str, int]]:
    guarded = leak_guard(GuardTable.of(guards), probe)
    return guarded.allowed.tolist(), guarded.counts


SAME_BYTES = Probe(originals=frozenset({sha256("query")}))
OTHERS: list[CaseGuard | None] = [guard("a"), guard("b")]


def test_strangers_are_shown() -> None:
    assert shown([*OTHERS], SAME_BYTES) == ([True, True], {})


def test_an_empty_probe_keeps_nothing_back() -> None:
    assert shown([*OTHERS], Probe()) == ([True, True], {})


def test_the_same_bytes_are_kept_back() -> None:
    assert shown([*OTHERS, guard("query")], SAME_BYTES) == ([True, True, False], {"same_picture": 1})


@pytest.mark.parametrize(
    ("bits", "visible"), [(0, False), (NEAR_DUPLICATE_BITS, False), (NEAR_DUPLICATE_BITS + 1, True)]
)
def test_a_picture_is_a_near_duplicate_up_to_so_many_bits(bits: int, visible: bool) -> None:
    query = sha256("query")[:16]
    known = guard("edited", perceptual_hash=flipped(query, bits))
    assert shown([known], Probe(hashes=[query]))[0] == [visible]


def test_a_near_duplicate_is_counted_as_one() -> None:
    query = sha256("query")[:16]
    known = guard("edited", perceptual_hash=flipped(query, 2))
    assert shown([*OTHERS, known], Probe(hashes=[query]))[1] == {"near_duplicate": 1}


def test_each_picture_of_the_query_is_looked_for() -> None:
    hashes = [sha256("a")[:16], sha256("b")[:16]]
    assert shown([*OTHERS, guard("c")], Probe(hashes=hashes))[0] == [False, False, True]


def test_the_first_reason_that_applies_is_counted() -> None:
    known = guard("query", lesion="L1", subject="S1", split="test")
    probe = replace(SAME_BYTES, hashes=[sha256("query")[:16]], lesions=frozenset({"L1"}), subjects=frozenset({"S1"}))
    assert shown([known], probe) == ([False], {"same_picture": 1})


def test_each_reason_is_counted_by_itself() -> None:
    query = sha256("query")[:16]
    guards: list[CaseGuard | None] = [
        guard("query"),
        guard("edited", perceptual_hash=flipped(query, 1)),
        guard("other view", lesion="L1", subject="S1"),
        guard("other lesion", lesion="L2", subject="S1"),
        guard("kept for testing", split="test"),
        guard("stranger", lesion="L3", subject="S3"),
    ]
    probe = replace(SAME_BYTES, hashes=[query], lesions=frozenset({"L1"}), subjects=frozenset({"S1"}))
    assert shown(guards, probe) == (
        [False] * 5 + [True],
        {"same_picture": 1, "near_duplicate": 1, "same_lesion": 1, "same_subject": 1, "held_out_split": 1},
    )


def test_the_twin_tells_which_lesion_and_subject_the_query_is() -> None:
    guards: list[CaseGuard | None] = [
        guard("query", lesion="L1", subject="S1"),
        guard("other view", lesion="L1", subject="S1"),
        guard("other lesion", lesion="L2", subject="S1"),
        guard("stranger", lesion="L3", subject="S3"),
    ]
    expected = {"same_picture": 1, "same_lesion": 1, "same_subject": 1}
    assert shown(guards, SAME_BYTES) == ([False, False, False, True], expected)


def test_a_near_duplicate_tells_it_too() -> None:
    query = sha256("query")[:16]
    guards: list[CaseGuard | None] = [
        guard("edited", perceptual_hash=flipped(query, 3), lesion="L1"),
        guard("other view", lesion="L1"),
    ]
    assert shown(guards, Probe(hashes=[query])) == ([False, False], {"near_duplicate": 1, "same_lesion": 1})


def test_derived_names_count_in_the_twin_s_dataset_only() -> None:
    guards: list[CaseGuard | None] = [
        guard("query", lesion="7", subject="1", dataset="one"),
        guard("namesake", lesion="7", subject="1", dataset="another"),
    ]
    assert shown(guards, SAME_BYTES)[0] == [False, True]


@pytest.mark.parametrize("reason", ["lesion", "subject"])
def test_given_names_count_in_any_dataset(reason: str) -> None:
    guards: list[CaseGuard | None] = [
        guard("a", dataset="one", **{reason: "7"}),
        guard("b", dataset="another", **{reason: "7"}),
        guard("c", dataset="one", **{reason: "17"}),
        guard("d", dataset="7"),
    ]
    probe = Probe(lesions=frozenset({"7"})) if reason == "lesion" else Probe(subjects=frozenset({"7"}))
    assert shown(guards, probe) == ([False, False, True, True], {f"same_{reason}": 2})


def test_unknown_lesions_are_no_common_lesion() -> None:
    guards: list[CaseGuard | None] = [guard("query"), guard("other")]
    assert shown(guards, SAME_BYTES)[0] == [False, True]


@pytest.mark.parametrize("split", ["test", "Test ", "VAL", "validation", "held-out", "holdout", "dev"])
def test_a_held_out_case_is_never_shown(split: str) -> None:
    assert shown([guard("a", split=split)], Probe()) == ([False], {"held_out_split": 1})


@pytest.mark.parametrize("split", [None, "train", "training", "", "tested"])
def test_other_splits_are_shown(split: str | None) -> None:
    assert not is_held_out(split)
    assert shown([guard("a", split=split)], Probe())[0] == [True]


def test_a_row_that_is_gone_is_neither_shown_nor_counted_nor_a_twin() -> None:
    # Its hash stands as 0 in the table.
    assert shown([None, guard("a")], Probe(hashes=["0" * 16])) == ([False, True], {})


def test_an_empty_corpus_has_nothing_to_keep_back() -> None:
    guarded = leak_guard(GuardTable.of([]), replace(SAME_BYTES, hashes=["0" * 16], lesions=frozenset({"L"})))
    assert (guarded.allowed.shape, guarded.counts) == ((0,), {})


def test_near_compares_with_every_row() -> None:
    table = GuardTable.of([guard("a"), None, guard("b")])
    assert np.flatnonzero(table.near(sha256("b")[:16])).tolist() == [2]


def test_a_row_that_is_gone_is_near_nothing() -> None:
    assert GuardTable.of([None, guard("a")]).near("0" * 16).tolist() == [False, False]


# --- sketches ------------------------------------------------------------------------------------------------------


def sketched(*names: str) -> SketchTable:
    return SketchTable.of(np.stack([sketch_named(name) for name in names]))


def test_a_copy_by_its_sketch_is_a_near_duplicate_and_tells_lesion_and_subject() -> None:
    guards: list[CaseGuard | None] = [guard("copy", lesion="L1"), guard("other view", lesion="L1"), guard("stranger")]
    table = GuardTable.of(guards, sketched("copy", "other view", "stranger"))
    guarded = leak_guard(table, Probe(sketches=[sketch_named("copy")]))
    assert guarded.allowed.tolist() == [False, False, True]
    assert {reason: rows.tolist() for reason, rows in guarded.kept_back.items()} == {
        "near_duplicate": [0], "same_lesion": [1],
    }  # fmt: skip


def test_each_sketch_of_the_query_is_looked_for() -> None:
    table = GuardTable.of([guard("a"), guard("b"), guard("c")], sketched("a", "b", "c"))
    assert leak_guard(table, Probe(sketches=[sketch_named("c"), sketch_named("a")])).allowed.tolist() == [
        False,
        True,
        False,
    ]


def test_a_row_that_is_gone_is_no_copy() -> None:
    table = GuardTable.of([None, guard("b")], sketched("a", "b"))
    assert leak_guard(table, Probe(sketches=[sketch_named("a")])).kept_back == {}


def test_rows_without_a_sketch_are_counted_unless_they_are_gone() -> None:
    assert GuardTable.of([guard("a"), None, guard("b")]).unsketched == 2
    assert GuardTable.of([guard("a"), None], sketched("a", "b")).unsketched == 0


def test_a_case_asks_as_a_consultation_with_its_picture_would() -> None:
    guards: list[CaseGuard | None] = [guard("a", lesion="L1"), guard("b", lesion="L1"), guard("c")]
    table = GuardTable.of(guards, sketched("a", "b", "c"))
    probe = Probe(frozenset({sha256("a")}), [sha256("a")[:16]], sketches=[sketch_named("a")])
    assert leak_guard(table, table.probe_of(0)).allowed.tolist() == leak_guard(table, probe).allowed.tolist()
    assert leak_guard(table, table.probe_of(0)).allowed.tolist() == [False, False, True]


# --- declared sources ----------------------------------------------------------------------------------------------


def test_a_case_from_the_twin_s_source_is_kept_back_in_any_dataset() -> None:
    guards: list[CaseGuard | None] = [
        guard("query", source="atlas https://a.org/x/7.jpg"),
        guard("taken over", source="HTTPS://www.a.org/x/7.jpg?size=l", dataset="another"),
        guard("stranger", source="https://a.org/x/8.jpg"),
    ]
    assert shown(guards, SAME_BYTES) == ([False, False, True], {"same_picture": 1, "same_source": 1})


def test_a_declared_source_is_heeded_without_a_twin() -> None:
    guards: list[CaseGuard | None] = [guard("a", source="ISIC_0024306"), guard("b", source="ISIC_0024307"), guard("c")]
    assert shown(guards, Probe(sources=frozenset({"isic_0024306.jpg"}))) == ([False, True, True], {"same_source": 1})


def test_the_name_of_a_collection_is_no_common_source() -> None:
    guards: list[CaseGuard | None] = [guard("query", source="atlas"), guard("other", source="atlas")]
    assert shown(guards, SAME_BYTES)[0] == [False, True]


def test_an_address_that_very_many_cases_name_is_that_of_their_collection() -> None:
    address = "https://doi.org/10.7910/DVN/DBW86T"
    few: list[CaseGuard | None] = [guard("query", source=address)]
    few += [guard(str(number), source=address) for number in range(MOST_OF_ONE_ORIGIN - 1)]
    many = [*few, guard("one more", source=address)]
    assert shown(few, SAME_BYTES)[1] == {"same_picture": 1, "same_source": MOST_OF_ONE_ORIGIN - 1}
    assert shown(many, SAME_BYTES)[1] == {"same_picture": 1}
    assert shown(many, Probe(sources=frozenset({address})))[1] == {"same_source": len(many)}
