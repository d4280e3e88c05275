"""Reads cards.toml."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from retrieval.errors import EncoderMissing
from retrieval.types import EncoderCard

CARDS_FILE = Path(__file__).parent.parent / "cards.toml"


@cache
def encoder_cards() -> dict[str, EncoderCard]:
    """Every known card by name."""
    return {name: _card(name, values) for name, values in tomllib.loads(CARDS_FILE.read_text("utf-8")).items()}


def encoder_card(name: str) -> EncoderCard:
    """One card. Raises EncoderMissing with the names there are."""
    try:
        return encoder_cards()[name]
    except KeyError:
        raise EncoderMissing(f"no encoder is called {name!r}; known: {', '.join(sorted(encoder_cards()))}") from None


def _card(name: str, values: dict[str, Any]) -> EncoderCard:
    sequences = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return EncoderCard(name=name, **{**values, **sequences})
