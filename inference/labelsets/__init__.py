"""Label sets: what a served model may answer, as data. Aliases come from `inference.labels`, the one place for them."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from inference.errors import LabelSetBroken
from inference.labels import group_of, known_diseases

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Label:
    """One answer. `name` is ours, `answer` what the model writes, `display` what people read; `aliases` the other names.

    `number` is the leading number of a group ("3. Malignant Skin Tumors"), None for diseases.
    """

    name: str
    answer: str
    display: str
    group: str | None
    aliases: tuple[str, ...]
    number: int | None = None


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels in the order of the model's own list."""

    name: str
    title: str
    labels: tuple[Label, ...]
    numbered: bool = False

    def label(self, name: str) -> Label:
        """The label called `name` (ours). Raises LabelSetBroken."""
        for label in self.labels:
            if label.name == name:
                return label
        raise LabelSetBroken(f"label set {self.name} has no label {name!r}")

    def known_as(self, name: str) -> Label | None:
        """The label that has this name or alias, whatever its case and separators; None where there is none."""
        return _owners(self).get(_plain(name))

    @property
    def answers(self) -> tuple[str, ...]:
        """What a server that constrains its output is told to choose from."""
        return tuple(label.answer for label in self.labels)


def label_sets() -> tuple[str, ...]:
    """The names of all label sets."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))


@cache
def load_label_set(name: str) -> LabelSet:
    """The label set called `name`. Raises LabelSetBroken: unknown name, or a file that contradicts itself."""
    if name not in label_sets():
        raise LabelSetBroken(f"there is no label set {name!r}; there are: {', '.join(label_sets())}")
    return read_label_set(FOLDER / f"{name}.toml")


def read_label_set(file: Path) -> LabelSet:
    """A label set from a file. Raises LabelSetBroken, naming the file and what is wrong."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
        numbered = bool(data.get("numbered", False))
        labels = tuple(_label(row, numbered) for row in data["labels"])
        found = LabelSet(file.stem, str(data["title"]), labels, numbered)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabelSetBroken(f"label set {file.name} cannot be read: {error!r}") from error
    _refuse_shared_names(found)
    return found


@cache
def _owners(labels: LabelSet) -> dict[str, Label]:
    return {_plain(name): label for label in labels.labels for name in (label.name, label.display, *label.aliases)}


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _label(row: dict[str, Any], numbered: bool) -> Label:
    unknown = row.keys() - {"name", "answer", "display", "also"}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    name = str(row["name"])
    answer, display = str(row.get("answer", name)), str(row.get("display", name))
    number = int(name.partition(".")[0]) if numbered else None
    plain = (name.partition(".")[2].strip(),) if numbered else known_diseases().get(name, ())
    aliases = dict.fromkeys((*plain, *row.get("also", ()), answer))
    others = tuple(alias for alias in aliases if alias != name)
    return Label(name, answer, display, None if numbered else group_of(name), others, number)


def _refuse_shared_names(labels: LabelSet) -> None:
    owner: dict[str, str] = {}
    for label in labels.labels:
        for name in (label.name, *label.aliases):
            if owner.setdefault(name.casefold(), label.name) != label.name:
                raise LabelSetBroken(f"label set {labels.name}: {name!r} is {owner[name.casefold()]} and {label.name}")
