"""What an answer is recorded as, and which cases are asked."""

from dataclasses import replace
from pathlib import Path

import pytest

from evaluation.annotations import annotations_of
from evaluation.datasets import Dataset, Item, folder_dataset, kin, limited
from evaluation.errors import CollectionRefused
from evaluation.outcomes import LabelNames, Question, failed_record, record_of
from evaluation.records import Result
from evaluation.splits import divided, write_collection
from inference.labelsets import label_sets, load_label_set
from inference.types import (
    Abstention,
    Candidate,
    CitationCheck,
    Diagnosis,
    Evidence,
    EvidenceKind,
    StageRecord,
    Statement,
    Trace,
    Verdict,
)
from knowledge.pictures import admit_picture
from knowledge.types import ReferenceCase
from tests.sample import drawn

ROOT = Path(__file__).parents[3]
STAGE = StageRecord(
    "disease", "p", "m", "vllm", "P0", "hash", "single", 1, (), (), "bound", None, 2, 100, 7, ("psoriasis",)
)
TRACE = Trace({}, {"total": 5.0}, stages=(STAGE,))
PLAIN = LabelNames(None, [])


def item(name: str = "1", label: str = "psoriasis", **given: object) -> Item:
    return Item(name, "set", label, f"{name}.png", f"sha of {name}", lambda: b"", **given)  # type: ignore[arg-type]


def candidates(*shares: tuple[str, float | None]) -> tuple[Candidate, ...]:
    return tuple(Candidate(label, share, None, ()) for label, share in shares)


def abstention(reason: str) -> Abstention:
    return Abstention(reason, "", "", (), (), TRACE, (), "")


def diagnosis(*shares: tuple[str, float | None]) -> Diagnosis:
    ledger = (
        Evidence("E1", EvidenceKind.CASE, "c-1", "", "", (), 0.9, {"picture": 0.9}, {}, 0, 0, label="psoriasis"),
        Evidence("E2", EvidenceKind.PASSAGE, "p-1", "", "", (), 0.7, {}, {}, 0, 0),
        Evidence("E3", EvidenceKind.CASE, "c-2", "", "", (), 0.8, {"picture": 0.8}, {}, 0, 0, label="acne"),
    )
    report = (Statement("a", "psoriasis", (), Verdict.SUPPORTED), Statement("b", "psoriasis", (), Verdict.PARTLY))
    return Diagnosis(candidates(*shares), report, ledger, CitationCheck(2, 3), TRACE, ("w",), "")


def test_an_answer_becomes_a_record() -> None:
    answer = diagnosis(("psoriasis", 0.8), ("acne", 0.2))
    asked = Question("arm", 3, item(body_site="elbow", caption="a plaque"))
    one = record_of(asked, answer, answer.candidates, PLAIN, 7.123)
    assert (one.key, one.result, one.first) == (("arm", "1", 3), Result.CORRECT, "psoriasis")
    assert one.probabilities == (("psoriasis", 0.8), ("acne", 0.2))
    assert [(e.kind, e.rank, e.id, e.label) for e in one.evidence] == [
        ("case", 1, "c-1", "psoriasis"), ("passage", 1, "p-1", None), ("case", 2, "c-2", "acne"),
    ]  # fmt: skip
    assert (one.citations_verified, one.citations, one.statements_supported, one.statements) == (2, 3, 1, 2)
    assert (one.prompt_tokens, one.completion_tokens, one.raw, one.prompt_hashes) == (100, 7, ("psoriasis",), ("hash",))
    assert (one.body_site, one.reference_caption, one.caption) == ("elbow", "a plaque", None)
    assert dict(one.timings_ms) == {"total": 5.0, "consultation": 7.12}


@pytest.mark.parametrize(
    ("reason", "result", "first"),
    [
        ("undecided", Result.ABSTAINED, "acne"), ("out_of_domain", Result.ABSTAINED, "acne"),
        ("outside_labels", Result.ABSTAINED, "acne"), ("unparsed", Result.UNPARSED, None),
        ("engine_unreachable", Result.FAILED, "acne"), ("constraint_ignored", Result.FAILED, "acne"),
        ("context_too_long", Result.FAILED, "acne"),
    ],
)  # fmt: skip
def test_no_diagnosis_is_one_of_three_things(reason: str, result: Result, first: str | None) -> None:
    one = record_of(Question("a", 0, item()), abstention(reason), candidates(("acne", 0.6)), PLAIN, 1.0)
    assert (one.result, one.reason, one.first) == (result, reason, first)
    assert one.probabilities == (("acne", 0.6),)


def test_wrong_is_wrong_and_a_server_that_cannot_score_has_no_probabilities() -> None:
    answer = diagnosis(("acne", None))
    one = record_of(Question("a", 0, item()), answer, answer.candidates, PLAIN, 1.0)
    assert (one.result, one.first, one.probabilities) == (Result.WRONG, "acne", ())
    failed = failed_record(Question("a", 0, item()), "picture_unreadable", 1.0)
    assert (failed.result, failed.reason, failed.first) == (Result.FAILED, "picture_unreadable", None)


def test_a_models_labels_are_given_the_names_of_the_data_set() -> None:
    labels = next(one for one in map(load_label_set, label_sets()) if not one.numbered)
    known = next(one for one in labels.labels if one.aliases)
    names = LabelNames(labels, [known.aliases[0], "something else"])
    assert names.named(known.name, known.aliases[0]) == known.aliases[0]
    assert names.named(known.name, "something else") == known.aliases[0]
    assert names.named("unheard of", "something else") == "unheard of"


def test_a_limit_takes_every_label_in_turn() -> None:
    items = [item(str(n), label) for n, label in enumerate(["a"] * 10 + ["b"] * 3 + ["c"])]
    chosen = limited(Dataset("d", tuple(items), True, {}), 7)
    assert chosen.labels == {"a": 3, "b": 3, "c": 1}
    assert [one.id for one in chosen.items] == sorted(one.id for one in chosen.items)
    assert limited(chosen, 7) is chosen
    assert chosen.fingerprint != limited(chosen, 6).fingerprint
    moved = replace(chosen, items=tuple(replace(one, picture="elsewhere") for one in chosen.items))
    assert moved.fingerprint == chosen.fingerprint


def test_kin_is_the_case_itself_its_lesion_and_its_person() -> None:
    other = ReferenceCase("c", "set", "psoriasis", "", "p", "sha of 2", "0" * 16, lesion="L", subject="S")
    assert kin(item("1", lesion="L"), other)
    assert kin(item("1", subject="S"), other)
    assert kin(item("2"), other)
    assert not kin(item("1", lesion="M"), other)
    assert not kin(item("1", lesion="L"), replace(other, dataset="another"))


def test_a_manifest_says_more_and_a_split_is_chosen(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(drawn("acne", number))
    rows = [
        "picture,label,split,localization,age,sex,note",
        "0.png,acne,test,face,80.0,male,it itches",
        "1.png,acne,train,,,,",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join([*rows, "9.png,acne,test,,,,"]))
    found = folder_dataset(tmp_path, split="test")
    (one,) = found.items
    assert (one.id, one.body_site, one.age, one.sex, one.note) == ("0.png", "face", 80, "male", "it itches")
    assert found.rejected == {"picture_missing": 1}
    assert len(annotations_of(tmp_path)) == 1
    with pytest.raises(CollectionRefused, match="its splits: test, train"):
        folder_dataset(tmp_path, split="dev")


def test_a_division_tears_no_lesion_person_or_picture_apart() -> None:
    items = folder_dataset(ROOT / "corpora" / "sample" / "cases").items[:40]
    twin = replace(items[3], id="copy", lesion=None, subject=None)
    split = divided([*items, twin], 0.3, 0, admit_picture)
    asked, rest = ({one.subject for one in part if one.subject} for part in (split.asked, split.reference))
    assert not asked & rest
    assert ("copy" in {one.id for one in split.asked}) is (items[3].id in {one.id for one in split.asked})
    assert len(split.asked) + len(split.reference) == 41
    assert 0.15 <= len(split.asked) / 41 <= 0.45
    assert divided([*items, twin], 0.3, 0, admit_picture).asked == split.asked


def test_the_rest_of_a_division_can_be_read_as_a_collection(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(drawn("acne", 1))
    one = replace(item("a", "acne", lesion="L1", caption="ä"), picture=str(tmp_path / "a.png"))
    (read,) = folder_dataset(write_collection(tmp_path / "rest", [one])).items
    assert (read.label, read.lesion, read.caption) == ("acne", "L1", "ä")
