"""Divides a collection into cases to be asked and cases to compare with: no lesion, person or picture is in both."""

import hashlib
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.datasets import Item
from knowledge.errors import KnowledgeError
from knowledge.pictures import Picture
from knowledge.registry import CaseGuard
from retrieval.leakage import GuardTable
from retrieval.origins import origin_of
from retrieval.sketches import SKETCH_BYTES, sketch_of
from retrieval.twins import SketchTable

Admit = Callable[[bytes], Picture]


@dataclass(frozen=True, slots=True)
class Split:
    """`asked` and `reference` have no lesion, subject, source or picture in common. `unreadable` are in neither."""

    asked: tuple[Item, ...]
    reference: tuple[Item, ...]
    unreadable: int


def divided(items: Sequence[Item], share: float, seed: int, admit: Admit) -> Split:
    """About `share` of every label is asked; whole families only, drawn in an order that `seed` decides."""
    readable, table = _table(items, admit)
    families = _families(readable, table)
    wanted = {label: share * number for label, number in Counter(one.label for one in readable).items()}
    asked: list[Item] = []
    taken: Counter[str] = Counter()
    for family in sorted(families, key=lambda some: _draw(seed, some)):
        labels = Counter(readable[row].label for row in family)
        if all(taken[label] + number <= wanted[label] + 0.5 for label, number in labels.items()):
            asked += [readable[row] for row in family]
            taken.update(labels)
    chosen = {one.id for one in asked}
    rest = tuple(one for one in readable if one.id not in chosen)
    return Split(tuple(sorted(asked, key=lambda one: one.id)), rest, len(items) - len(readable))


def write_collection(folder: Path, items: Sequence[Item]) -> Path:
    """The items as a collection that can be taken in: their pictures, linked where that is possible, and a manifest."""
    if folder.exists():
        shutil.rmtree(folder)  # half made by a run that was killed
    folder.mkdir(parents=True)
    with (folder / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
        for number, item in enumerate(items):
            name = f"{number:06d}{Path(item.picture).suffix.lower()}"
            _link(Path(item.picture), folder / name)
            facts = {key: item.facts()[key] for key in _KEPT}
            manifest.write(json.dumps({"picture": name, **facts}, ensure_ascii=False) + "\n")
    return folder


_KEPT = ("label", "caption", "group", "subject", "lesion", "skin_tone", "licence", "source")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, target)


def _table(items: Sequence[Item], admit: Admit) -> tuple[list[Item], GuardTable]:
    readable, guards, sketches = [], [], []
    for item in items:
        try:
            picture = admit(item.read())
        except (OSError, KnowledgeError):
            continue
        readable.append(item)
        sketches.append(sketch_of(picture.rgb))
        guards.append(
            CaseGuard(item.id, item.dataset, item.label, item.id, picture.sha256, picture.perceptual_hash, item.subject,
                      item.lesion, None, item.source)
        )  # fmt: skip
    stacked = np.stack(sketches) if sketches else np.zeros((0, SKETCH_BYTES), dtype=np.uint8)
    return readable, GuardTable.of(guards, SketchTable.of(stacked))


def _families(items: Sequence[Item], table: GuardTable) -> list[list[int]]:
    """Rows that belong together, directly or through others."""
    parent = list(range(len(items)))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in _ties(items, table):
        parent[root(one)] = root(other)
    families: dict[int, list[int]] = defaultdict(list)
    for row in range(len(items)):
        families[root(row)].append(row)
    return list(families.values())


def _ties(items: Sequence[Item], table: GuardTable) -> Iterator[tuple[int, int]]:
    first: dict[Hashable, int] = {}
    for row, item in enumerate(items):
        names = {
            "lesion": item.lesion,
            "subject": item.subject,
            "original": item.original,
            "source": origin_of(item.source),
        }
        for name in names.items():
            if name[1]:
                yield row, first.setdefault(name, row)
        yield from ((row, int(copy)) for copy in np.flatnonzero(table.copies(table.probe_of(row))))


def _draw(seed: int, family: Sequence[int]) -> str:
    return hashlib.sha256(f"{seed} {min(family)}".encode()).hexdigest()
