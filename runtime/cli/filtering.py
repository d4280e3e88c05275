"""The option `--filter NAME=VALUE`, which may be given several times."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from typing import Any

import click

from retrieval.filters import DATES, Filters

NAMES = tuple(field.name for field in fields(Filters))


def filters_of(pairs: Sequence[str]) -> Filters:
    """From `NAME=VALUE` texts. Raises click.BadParameter naming what is wrong and what there is."""
    given: dict[str, list[str]] = {}
    for pair in pairs:
        name, sign, value = (part.strip() for part in pair.partition("="))
        if not sign or not value or name not in NAMES:
            raise click.BadParameter(f"“{pair}” is no NAME=VALUE; the names are: {', '.join(NAMES)}")
        given.setdefault(name, []).append(value)
    return Filters(**{name: _value(name, values) for name, values in given.items()})


def _value(name: str, values: Sequence[str]) -> Any:
    if name not in DATES:
        return tuple(values)
    if len(values) > 1:
        raise click.BadParameter(f"{name} is one date; it was given {len(values)} times")
    try:
        return date.fromisoformat(values[0])
    except ValueError:
        raise click.BadParameter(f"{name} must be a calendar date like 2024-01-31") from None


def _read(_ctx: click.Context, _parameter: click.Parameter, pairs: tuple[str, ...]) -> Filters:
    return filters_of(pairs)


FILTER = click.option(
    "--filter", "filters", multiple=True, metavar="NAME=VALUE", callback=_read,
    help=f"Only evidence of this kind; several values of one name: any of them. Names: {', '.join(NAMES)}.",
)  # fmt: skip
