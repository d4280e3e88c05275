"""Cases to be asked: of a folder (SkinCAP, manifests, class folders), or a knowledge base's own, each left out once."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.annotations import annotations_of
from evaluation.errors import CollectionRefused
from inference.labels import group_of
from knowledge.cases import CaseFolder, CaseRow, read_cases
from knowledge.types import ReferenceCase
from runtime.service import Service


@dataclass(frozen=True, slots=True)
class Item:
    """One case to be asked. `id` names it within the data set; `picture` says where it is, `read` gives its bytes.

    `read` raises OSError or KnowledgeError. `original` is the sha256 of the bytes as they came in, "" where they cannot
    be read. `note`, `age`, `sex` and `body_site` are what the manifest's columns of that name say.
    """

    id: str
    dataset: str
    label: str
    picture: str
    original: str
    read: Callable[[], bytes]
    caption: str = ""
    group: str | None = None
    subject: str | None = None
    lesion: str | None = None
    split: str | None = None
    skin_tone: str | None = None
    licence: str | None = None
    source: str | None = None
    note: str = ""
    age: int | None = None
    sex: str | None = None
    body_site: str | None = None

    def facts(self) -> dict[str, str | int | None]:
        """Everything but its bytes: what the report of a run knows of a case."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "read"}


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is asked, in the order of the ids. `rejected` counts the rows that could not be used, by reason."""

    name: str
    items: tuple[Item, ...]
    leave_one_out: bool
    rejected: Mapping[str, int]

    @property
    def labels(self) -> dict[str, int]:
        """How many cases each label has, by name."""
        return dict(sorted(Counter(one.label for one in self.items).items()))

    @property
    def fingerprint(self) -> str:
        """64 hex digits that change with any picture or fact of it. Where a picture lies is no fact."""
        facts = [{**one.facts(), "picture": None} for one in self.items]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def folder_dataset(folder: Path, *, name: str | None = None, split: str | None = None) -> Dataset:
    """The cases of a folder or manifest. Raises CollectionRefused when there are none, and CasesRefused."""
    found = read_cases(folder, dataset=name)
    rows = [row for row in found.rows if isinstance(row, CaseRow) and (split is None or row.split == split)]
    rejected = Counter(row.reason for row in found.rows if not isinstance(row, CaseRow))
    if not rows:
        raise CollectionRefused(_nothing(found, split))
    root = (folder if folder.is_dir() else folder.parent).resolve()
    notes = annotations_of(folder)
    items = [_of_row(found.dataset, row, root, notes.get(row.picture, {})) for row in rows]
    return Dataset(found.dataset, tuple(sorted(items, key=lambda one: one.id)), False, dict(sorted(rejected.items())))


def own_cases(service: Service, *, name: str | None = None, split: str | None = None,
              annotated: Sequence[Path] = ()) -> Dataset:  # fmt: skip
    """Every live case of a home, to be asked under the leak guard. `annotated` are folders whose manifests say more of them.

    Raises CollectionRefused when there are none.
    """
    registry = service.registry
    cases = registry.cases([case_id for case_id, *_ in registry.case_captions()])
    chosen = [one for one in cases.values() if name in (None, one.dataset) and split in (None, one.split)]
    if not chosen:
        there = ", ".join(sorted({one.dataset for one in cases.values()})) or "none"
        raise CollectionRefused(f"this home has no live case of that data set or split; its data sets: {there}")
    more = _by_bytes(annotated)
    items = [_of_case(service, case, more.get(case.original, {})) for case in chosen]
    names = sorted({one.dataset for one in chosen})
    return Dataset(", ".join(names), tuple(sorted(items, key=lambda one: one.id)), True, {})


def limited(dataset: Dataset, limit: int | None) -> Dataset:
    """At most so many of its cases: of every label in turn, within a label in an order that says nothing of the cases."""
    if limit is None or limit >= len(dataset.items):
        return dataset
    shelves: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(dataset.items, key=lambda one: hashlib.sha256(one.id.encode()).hexdigest()):
        shelves[item.label].append(item)
    turns = ((turn, label, item) for label, shelf in shelves.items() for turn, item in enumerate(shelf))
    chosen = [item for *_, item in sorted(turns, key=lambda one: one[:2])[:limit]]
    return replace(dataset, items=tuple(sorted(chosen, key=lambda one: one.id)))


def kin(item: Item | ReferenceCase, other: ReferenceCase) -> bool:
    """Whether two cases are one, or show the same lesion or person. Names of lesions hold within a data set."""
    same_lesion = item.lesion is not None and item.lesion == other.lesion
    same_subject = item.subject is not None and item.subject == other.subject
    return item.original == other.original or (item.dataset == other.dataset and (same_lesion or same_subject))


def _nothing(found: CaseFolder, split: str | None) -> str:
    if split is None:
        return "not a single case of the folder can be used; look at it with: dermacite ingest cases FOLDER"
    splits = sorted({row.split or "none" for row in found.rows if isinstance(row, CaseRow)})
    return f"no case of the folder is in the split {split!r}; its splits: {', '.join(splits)}"


def _of_row(dataset: str, row: CaseRow, root: Path, more: Mapping[str, str]) -> Item:
    return Item(
        id=row.picture.relative_to(root).as_posix(), dataset=dataset, label=row.label, picture=str(row.picture),
        original=digest_of(row.picture), read=row.picture.read_bytes, caption=row.caption,
        group=row.group or group_of(row.label), subject=row.subject, lesion=row.lesion, split=row.split,
        skin_tone=row.skin_tone, licence=row.licence, source=row.source, **_of_annotation(more),
    )  # fmt: skip


def _of_case(service: Service, case: ReferenceCase, more: Mapping[str, str]) -> Item:
    return Item(
        id=case.id, dataset=case.dataset, label=case.label, picture=case.picture, original=case.original,
        read=partial(service.blobs.get, case.picture), caption=case.caption, group=case.group or group_of(case.label),
        subject=case.subject, lesion=case.lesion, split=case.split, skin_tone=case.skin_tone, licence=case.licence,
        source=case.source, **_of_annotation(more),
    )  # fmt: skip


def _of_annotation(more: Mapping[str, str]) -> dict[str, Any]:
    age = more.get("age", "").removesuffix(".0")
    return {
        "note": more.get("note", ""),
        "age": int(age) if age.isdecimal() and int(age) <= 130 else None,
        "sex": more.get("sex") or None,
        "body_site": more.get("body_site") or None,
    }


def _by_bytes(folders: Sequence[Path]) -> dict[str, Mapping[str, str]]:
    return {digest_of(file): more for folder in folders for file, more in annotations_of(folder).items()}


def digest_of(file: Path) -> str:
    """sha256 of a file's bytes; "" where they cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
