"""The commands that measure."""

import importlib

import click

from runtime.cli.group import Lazy

_FORWARDS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=_FORWARDS, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def evaluate(lazy: Lazy, arguments: tuple[str, ...]) -> None:
    """Measure what is served, on data of your own: dermacite evaluate --help"""
    _measure(lazy, arguments, "dermacite evaluate")


@click.command(context_settings=_FORWARDS, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def ablate(lazy: Lazy, arguments: tuple[str, ...]) -> None:
    """Run a plan that switches parts of retrieval on and off: dermacite ablate --help"""
    _measure(lazy, ("ablate", *arguments), "dermacite")


def _measure(lazy: Lazy, arguments: tuple[str, ...], name: str) -> None:
    # Measurements sit above this layer and may not be imported from here: they are called as the program they are.
    configured = ["--configuration", lazy.configuration] if lazy.configuration else []
    program = importlib.import_module("evaluation.cli").evaluate
    program.main(["--home", str(lazy.home), *configured, *arguments], prog_name=name)
