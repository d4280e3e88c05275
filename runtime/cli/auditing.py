"""The command that shows who did what."""

from dataclasses import asdict

import click

from runtime import printing
from runtime.cli.group import AS_JSON, Lazy


@click.command()
@click.option("--item", help="Only of this version, document, data set or job.")
@click.option("--after", default=0, show_default=True, type=click.IntRange(0), help="Only entries above this number.")
@click.option("--limit", default=1_000, show_default=True, type=click.IntRange(1, 100_000))
@AS_JSON
@click.pass_obj
def audit(lazy: Lazy, item: str | None, after: int, limit: int, as_json: bool) -> None:
    """Who did what to what, and when, the earliest first; never what anything says."""
    found = lazy.service().registry.audit.entries(item, after=after, limit=limit)
    if as_json:
        click.echo(printing.as_json({"entries": [asdict(one) for one in found]}))
        return
    for one in found:
        details = ", ".join(f"{name} {value}" for name, value in one.details.items())
        click.echo(f"{one.id:>6}  {one.at}  {one.actor:<12} {one.action:<10} {one.kind} {one.item}  {details}".rstrip())
