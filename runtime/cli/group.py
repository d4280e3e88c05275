"""The group that every command belongs to: home, configuration, errors as sentences."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from inference.errors import InferenceError
from knowledge.errors import KnowledgeError
from retrieval.errors import RetrievalError
from runtime import printing
from runtime.curation import Curator
from runtime.engines import Engine, Here
from runtime.errors import RuntimeRefused
from runtime.service import Service, open_service
from runtime.settings import ACTOR_VARIABLE, CONFIGURATIONS, default_home, load_settings

REFUSED = 1  # exit code; 2 is click's for wrong usage
_FOR_PROGRAMS = f"{__name__}.as_json"  # key in the context's meta: errors, too, are then a JSON object


def _remember(ctx: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    ctx.meta[_FOR_PROGRAMS] = value
    return value


AS_JSON = click.option(
    "--json", "as_json", is_flag=True, callback=_remember, help="Print one JSON object for a program to read."
)


class Teaching(click.Group):
    """Turns every error of ours into one sentence that says what to do, and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KnowledgeError, RetrievalError, InferenceError, RuntimeRefused) as error:
            if ctx.meta.get(_FOR_PROGRAMS):
                click.echo(printing.as_json({"error": {"reason": error.reason, "message": str(error)}}))
            click.echo(f"Refused: {error}", err=True)
            ctx.exit(REFUSED)


class Lazy:
    """The service of this command, made on first use: `--help` and `serve` need none."""

    def __init__(self, make: Callable[[], Service], home: Path, configuration: str | None, actor: str) -> None:
        self._make = make
        self.actor = actor
        self.home = home
        self.configuration = configuration

    def service(self) -> Service:
        """Open the home. Raises SettingsRefused."""
        return self._make()

    def curator(self, engine: Engine = Here()) -> Curator:
        """The writing side."""
        waiting = partial(click.echo, "waiting for another writer to finish ...", err=True)
        return Curator(self.service(), waiting, actor=self.actor, engine=engine)


@click.group(cls=Teaching, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Folder of the knowledge base. "
              "[default: $DERMACITE_HOME, else the platform's data folder]")  # fmt: skip
@click.option(
    "--configuration", type=click.Choice(sorted(CONFIGURATIONS)), help="Named configuration. [default: embedded]"
)
@click.option(
    "--actor", envvar=ACTOR_VARIABLE, help="Who you are, for the audit log. [default: the user of this machine]"
)
@click.version_option(package_name="dermacite")
@click.pass_context
def main(ctx: click.Context, home: Path | None, configuration: str | None, actor: str | None) -> None:
    """Retrieval-grounded dermatology decision support for research. Every statement cites evidence you can open.

    \b
    Start:   dermacite ingest cases FOLDER          captioned pictures to compare with
             dermacite ingest documents FILE...     guidelines to quote
    Ask:     dermacite diagnose PICTURE --note "itchy red plaques on both elbows"
             dermacite search "first line treatment of psoriasis"
    Serve:   dermacite serve
             dermacite keys create --name you --role admin   from then on callers need a key
    Keep:    dermacite documents list|approve|diff|retire|delete, jobs, audit
    Check:   dermacite check                        is this machine set up to serve
             dermacite doctor                       is the data whole
             dermacite evaluate retrieval FOLDER    how well passages are found, on questions with judged answers
             dermacite evaluate cases FOLDER        how well cases are found, and whether anything leaks
             dermacite ablate PLAN                  what each part of retrieval is worth, with a report
    Choose:  DERMACITE_PRESET=R2, or preset = "R2" in settings.toml (embedded, R0 to R4, S: docs/settings.md)

    It supports a decision and never takes one.
    """
    # Models come from packages, folders or the local cache; nothing may reach for a hub behind the user's back.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    folder = home or default_home()

    def make() -> Service:
        service = open_service(folder, load_settings(folder, configuration=configuration))
        ctx.call_on_close(service.close)
        return service

    ctx.obj = Lazy(make, folder, configuration, actor or _user())


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"user {os.getuid()}"


@contextmanager
def bar(label: str, length: int | None) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr; `advance(n, of)` moves it. Silent where stderr is not a terminal."""
    with click.progressbar(length=length or 1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()) as shown:

        def advance(steps: int, of: int | None = None) -> None:
            if of is not None:
                shown.length = of
            shown.update(steps)

        yield advance
