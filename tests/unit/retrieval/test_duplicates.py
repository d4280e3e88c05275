"""Pictures that come twice in a collection: found by all pairs at once as surely as the leak guard finds them one by one."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.alterations import KINDS, encoded
from knowledge.pictures import admit_picture
from knowledge.registry import CaseGuard
from retrieval import duplicates as module
from retrieval.duplicates import Compared, Duplicates, duplicates
from retrieval.sketches import SKETCH_BYTES, Sketch, sketch_of
from retrieval.twins import SketchTable
from tests.drawing import scene

Shown = tuple[CaseGuard, Sketch]


def shown(name: str, data: bytes, dataset: str = "set", **fields: Any) -> Shown:
    """A case with this picture."""
    picture = admit_picture(data)
    guard = CaseGuard(
        name,
        dataset,
        "psoriasis",
        f"stored {picture.sha256}",
        picture.sha256,
        picture.perceptual_hash,
        None,
        None,
        None,
    )
    return replace(guard, **fields), sketch_of(picture.rgb)


def draw(number: int) -> bytes:
    """A drawn picture, its own for every number."""
    return encoded(Image.fromarray(scene(number)), "PNG")


def altered(data: bytes, kind: str, name: str) -> bytes:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return encoded(KINDS[kind][name](image), "PNG")


def compare(*cases: Shown, thorough: bool = False, asked: frozenset[str] | None = None) -> Duplicates:
    guards, sketches = [guard for guard, _ in cases], SketchTable.of(np.stack([sketch for _, sketch in cases]))
    ids = [guard.id for guard in guards]
    return duplicates(Compared.of(guards, ids, sketches, frozenset(ids) if asked is None else asked), thorough=thorough)


def different() -> list[Shown]:
    return [shown(f"case-{number:02}", draw(number)) for number in range(18)]


@pytest.mark.parametrize("thorough", [False, True])
def test_different_pictures_are_no_duplicates(thorough: bool) -> None:
    found = compare(*different(), thorough=thorough)
    assert (found.total, found.pairs, found.unsketched, found.crops) == (0, (), 0, thorough)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in ("re-encoded", "resized", "turned") for name in KINDS[kind]]
)
def test_a_copy_is_found_among_others_however_it_came(kind: str, name: str) -> None:
    copy = shown("copy", altered(draw(2), kind, name))
    found = compare(*different(), copy)
    assert dict(found.within) == {"near_duplicate": 1}
    assert {*found.pairs[0].ids} == {"case-02", "copy"}


@pytest.mark.parametrize("name", KINDS["cropped"])
def test_a_cropped_copy_is_found_where_every_case_is_asked(name: str) -> None:
    copy = shown("copy", altered(draw(1), "cropped", name))
    assert compare(*different(), copy, thorough=True).total == 1


def test_the_same_bytes_and_the_same_stored_picture_are_told_from_what_is_nearly_it() -> None:
    one = shown("one", draw(0))
    same = shown("same", draw(0), dataset="other")
    stored = (replace(one[0], id="stored", original="other bytes"), one[1])
    found = compare(one, same, stored)
    assert dict(found.within) == {"same_picture": 1}
    assert dict(found.across_datasets) == {"same_bytes": 1, "same_picture": 1}


def test_pairs_of_different_splits_are_counted_again_and_come_first() -> None:
    twins = [
        shown("a", draw(0), split="train"), shown("b", draw(0), split="train "),
        shown("c", draw(0), split="test"), shown("d", draw(0)),
    ]  # fmt: skip
    found = compare(*twins)
    assert dict(found.within) == {"same_bytes": 6}
    assert dict(found.across_splits) == {"same_bytes": 2}
    assert [pair.ids for pair in found.pairs[:2]] == [("a", "c"), ("b", "c")]


def test_lesions_subjects_and_sources_in_two_splits_are_told_without_any_twin() -> None:
    cases = [
        shown("a", draw(0), split="train", lesion="l1", subject="s1", source="ISIC_0000001"),
        shown("b", draw(1), split="test", lesion="l1", subject="s1", source="ISIC_0000001"),
        shown("c", draw(2), split="train", lesion="l1", subject="s2"),
        shown("d", draw(3), "other", split="test", lesion="l1", subject="s2"),
    ]
    found = compare(*cases)
    assert dict(found.across_splits) == {"same_lesion": 1, "same_subject": 1, "same_source": 1}
    assert {pair.ids for pair in found.pairs} == {("a", "b")}
    assert found.total == 0


def test_a_source_that_many_cases_have_names_their_collection() -> None:
    cases = [
        shown(f"{number:02}", draw(number), split="test" if number == 0 else "train", source="doi 10.1000/1234567")
        for number in range(12)
    ]
    assert dict(compare(*cases).across_splits) == {}
    assert dict(compare(*cases[:3]).across_splits) == {"same_source": 1}


def test_twins_with_different_labels_are_counted() -> None:
    found = compare(shown("a", draw(0)), shown("b", draw(0), label="nevus"))
    assert found.conflicting_labels == 1
    assert found.pairs[0].labels == ("psoriasis", "nevus")


def test_only_pairs_of_what_is_asked_for_are_found() -> None:
    cases = [shown(name, draw(0)) for name in ("a", "b", "c")]
    assert compare(*cases, asked=frozenset("a")).total == 2
    assert compare(*cases, asked=frozenset()).total == 0


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = different() + [shown(f"copy-{n}", altered(draw(n), "turned", "mirrored")) for n in range(6)]
    whole = compare(*cases)
    monkeypatch.setattr(module, "_BLOCK", 5)
    assert compare(*cases) == whole
    assert whole.total == 6


def test_a_case_without_a_sketch_is_compared_by_its_hash_and_counted() -> None:
    guard, _ = shown("bare", draw(0))
    bare = (guard, np.zeros(SKETCH_BYTES, dtype=np.uint8))
    found = compare(shown("a", draw(0)), bare, shown("m", altered(draw(0), "turned", "mirrored")))
    assert found.unsketched == 1
    assert {pair.ids for pair in found.pairs} >= {("a", "bare"), ("a", "m")}


def test_of_an_id_that_went_and_came_back_the_later_row_counts() -> None:
    guard, sketch = shown("a", draw(0))
    table = SketchTable.of(np.stack([sketch, sketch]))
    assert duplicates(Compared.of([guard], ["a", "a"], table, frozenset("a"))).total == 0


def test_all_are_counted_and_the_first_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LISTED", 2)
    found = compare(*(shown(name, draw(0)) for name in "abcd"))
    assert (found.total, len(found.pairs)) == (6, 2)
