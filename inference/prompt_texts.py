"""The prompts by name. Exact strings, kept in `prompts.toml`; here they are only looked up and filled."""

import hashlib
import tomllib
from functools import cache
from pathlib import Path

from inference.errors import PromptRefused

FILE = Path(__file__).parent / "prompts.toml"
_SLOTS = ("group", "disease")


@cache
def _texts() -> dict[str, str]:
    return {name: str(text) for name, text in tomllib.loads(FILE.read_text("utf-8")).items()}


def prompt_names() -> tuple[str, ...]:
    """All prompts, in the order of the file."""
    return tuple(_texts())


def prompt_text(name: str) -> str:
    """The prompt with its slots still open. Raises PromptRefused for an unknown name."""
    if name not in _texts():
        raise PromptRefused(f"there is no prompt {name!r}; there are: {', '.join(prompt_names())}")
    return _texts()[name]


def slots_of(name: str) -> frozenset[str]:
    """What the prompt needs filled: "group", "disease", both or nothing."""
    return frozenset(slot for slot in _SLOTS if f"{{{slot}}}" in prompt_text(name))


def prompt_hash(name: str) -> str:
    """First 16 hex digits of the sha256 of the open prompt, for the trace of an answer."""
    return hashlib.sha256(prompt_text(name).encode()).hexdigest()[:16]


def filled(name: str, *, group: str | None = None, disease: str | None = None) -> str:
    """The prompt with its slots filled. Raises PromptRefused when one is missing or one is given that it lacks."""
    given = {slot: value for slot, value in (("group", group), ("disease", disease)) if value is not None}
    if given.keys() != slots_of(name):
        needs = ", ".join(sorted(slots_of(name))) or "nothing"
        raise PromptRefused(f"prompt {name} takes {needs}; given: {', '.join(sorted(given)) or 'nothing'}")
    text = prompt_text(name)
    for slot, value in given.items():
        text = text.replace(f"{{{slot}}}", value)
    return text
