"""Reads presets.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from retrieval.errors import EncoderMissing
from retrieval.types import EncoderCard

PRESETS_FILE = Path(__file__).parent / "presets.toml"


@dataclass(frozen=True, slots=True)
class Preset:
    """Encoders by the names of their cards; None is whatever else is configured. `alpha` is the picture's share, 0..1."""

    name: str
    note: str
    pictures: str | None = None
    captions: str | None = None
    passages: str | None = None
    strategy: str | None = None
    alpha: float | None = None

    def values(self) -> dict[str, Any]:
        """As settings name them; what the preset leaves open is absent."""
        cards = {space: getattr(self, space) for space in ("pictures", "captions", "passages")}
        named: dict[str, Any] = {space: {"card": card} for space, card in cards.items() if card is not None}
        others = {"strategy": self.strategy, "alpha": self.alpha}
        return named | {name: value for name, value in others.items() if value is not None}


@cache
def presets() -> dict[str, Preset]:
    """Every preset by name."""
    return {
        name: Preset(name=name, **values) for name, values in tomllib.loads(PRESETS_FILE.read_text("utf-8")).items()
    }


def preset(name: str) -> Preset:
    """One preset. Raises EncoderMissing with the names there are."""
    try:
        return presets()[name]
    except KeyError:
        raise EncoderMissing(f"no preset is called {name!r}; known: {', '.join(presets())}") from None


def share_a_space(one: EncoderCard, other: EncoderCard) -> bool:
    """Whether a picture of the one can be compared with a text of the other, which strategy A does."""
    same_model = (one.model, one.revision) == (other.model, other.revision)
    return same_model if one.space is None else one.space == other.space
