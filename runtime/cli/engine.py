"""The options that say where the costly steps of an ingest are done."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from runtime.engines import Engine, Here

HERE, RAY = "here", "ray"


def with_engine(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --engine and --address; the command gets `engine`."""

    @click.option(
        "--engine", "name", type=click.Choice([HERE, RAY]), default=HERE, show_default=True,
        help="Where PDFs are read, pictures decoded and everything encoded: in this process, or on a Ray cluster.",
    )  # fmt: skip
    @click.option(
        "--address", metavar="HOST:PORT",
        help="Head of the Ray cluster, of which this machine is a node. [default: one of this machine alone]",
    )  # fmt: skip
    @wraps(command)
    def chosen(*args: Any, name: str, address: str | None, **options: Any) -> None:
        if address is not None and name != RAY:
            raise click.UsageError("--address is of a Ray cluster; add --engine ray")
        command(*args, engine=_engine(name, address), **options)

    return chosen


def _engine(name: str, address: str | None) -> Engine:
    if name == HERE:
        return Here()
    from runtime.bulk.engine import RayEngine  # who does without it must not wait for it

    return RayEngine(address)
