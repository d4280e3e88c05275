"""The command that measures."""

import importlib

import click

from runtime.cli.group import Lazy


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def evaluate(lazy: Lazy, arguments: tuple[str, ...]) -> None:
    """Measure what is served, on data of your own: dermacite evaluate --help"""
    # Measurements sit above this layer and may not be imported from here: they are called as the program they are.
    configured = ["--configuration", lazy.configuration] if lazy.configuration else []
    program = importlib.import_module("evaluation.cli").evaluate
    program.main(["--home", str(lazy.home), *configured, *arguments], prog_name="dermacite evaluate")
