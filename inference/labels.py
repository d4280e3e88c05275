"""What a label is also called, and whether a sentence speaks of it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

LABELS_FILE = Path(__file__).parent / "labels.toml"


@cache
def names_of(label: str) -> tuple[str, ...]:
    """The label and every alias, lower case, longest first. An unknown label is known by its own name only."""
    for name, entry in _entries().items():
        names = {name, *entry["aliases"], *entry.get("related", ())}
        if label.casefold() in names:
            return tuple(sorted(names, key=lambda text: (-len(text), text)))
    return (label.casefold(),)


@cache
def group_of(label: str) -> str | None:
    """The group of a known label, or None."""
    for name, entry in _entries().items():
        if label.casefold() in {name, *entry["aliases"], *entry.get("related", ())}:
            return str(entry["group"]) if "group" in entry else None
    return None


def known_diseases() -> Mapping[str, tuple[str, ...]]:
    """Every disease of the file with the names that mean it and nothing else; words only related to it are left out."""
    return {name: (name, *entry["aliases"]) for name, entry in _entries().items()}


def masked(text: str, label: str, token: str) -> str:
    """`text` with every whole-word mention of the label, under any of its names, replaced by `token`."""
    return _pattern(names_of(label)).sub(lambda _match: token, text)


def mentions(text: str, label: str) -> bool:
    """Whether `text` names the label, in whole words."""
    return _pattern(names_of(label)).search(text.casefold()) is not None


@cache
def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    # A line may break inside a name, and data sets write basal_cell or basal-cell: any separator matches any other.
    alternatives = "|".join(r"[\s_-]+".join(re.escape(word) for word in name.split()) for name in names)
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)


@cache
def _entries() -> dict[str, dict[str, list[str] | str]]:
    return tomllib.loads(LABELS_FILE.read_text("utf-8"))
