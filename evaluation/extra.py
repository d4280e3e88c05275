"""The libraries of the extra "evaluation": without them a report is written all the same, and lacks what they make."""

from importlib.util import find_spec
from typing import Final

import click

INSTALL: Final = (
    'run .venv/bin/python -m pip install --constraint constraints.txt --editable ".[evaluation]" in the checkout'
)
_MAKES: Final = {"matplotlib": "figures", "nltk": "METEOR", "rouge_score": "ROUGE", "sacrebleu": "BLEU"}


def is_here(library: str) -> bool:
    """Whether a library can be imported."""
    return find_spec(library) is not None


def not_installed(library: str) -> str:
    """What to say of what it would have made."""
    return f"{library} is not installed: {INSTALL}"


def tell_of_lacking() -> None:
    """On stderr, before the work is done: what its report will be without, and the command that brings it."""
    missing = [f"{what} ({library})" for library, what in _MAKES.items() if not is_here(library)]
    if missing:
        click.echo(f"! the report will be without {', '.join(missing)}; to have them {INSTALL}", err=True)
