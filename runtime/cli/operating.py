"""Commands that run and check a service."""

import runpy
import sys
from dataclasses import asdict

import click

from runtime import printing
from runtime.cli.group import AS_JSON, REFUSED, Lazy
from runtime.doctor import examine


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; others than loopback need keys and the setting public_url.",
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.pass_obj
def serve(lazy: Lazy, host: str, port: int) -> None:
    """Answer over HTTP. API document: http://HOST:PORT/schema/openapi.json"""
    # The API sits above this layer and may not be imported from here: it is run as the program it is.
    arguments = ["--home", str(lazy.home), "--host", host, "--port", str(port)]
    if lazy.configuration:
        arguments += ["--configuration", lazy.configuration]
    sys.argv = ["dermacite serve", *arguments]
    runpy.run_module("api.server", run_name="__main__")


@click.command()
@AS_JSON
@click.pass_obj
def doctor(lazy: Lazy, as_json: bool) -> None:
    """Prove that everything is whole: files, indexes, leftovers of killed work, and that every leg is alive."""
    checks = []
    for check in examine(lazy.service()):
        checks.append(check)
        if not as_json:
            click.echo(printing.check_line(check))
    healthy = all(check.healthy for check in checks)
    if as_json:
        click.echo(printing.as_json({"healthy": healthy, "checks": [asdict(check) for check in checks]}))
    else:
        click.echo("healthy" if healthy else "not healthy: see BAD above")
    if not healthy:
        sys.exit(REFUSED)
