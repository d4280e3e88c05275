"""Commands that run and check a service."""

import runpy
import sys
from dataclasses import asdict

import click

from runtime import printing
from runtime.checking import Finding, State, findings
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
@click.option("--no-models", is_flag=True, help="Do not ask the served models for a token.")
@AS_JSON
@click.pass_obj
def check(lazy: Lazy, no_models: bool, as_json: bool) -> None:
    """Look whether this machine is SET UP to serve: settings, disk, schema, keys, encoders, index, models, extras.

    Changes nothing and takes seconds; before every start and after every change of settings. Exit code 1 where something
    is an error. Whether the data is whole: dermacite doctor.
    """
    found = []
    for finding in findings(lazy.home, lazy.configuration, models=not no_models):
        found.append(finding)
        if not as_json:
            click.echo(_line(finding))
    errors = sum(one.state is State.ERROR for one in found)
    if as_json:
        click.echo(printing.as_json({"ok": not errors, "findings": [asdict(one) for one in found]}))
    else:
        click.echo(f"{errors} errors: see above" if errors else "ready to serve")
    if errors:
        sys.exit(REFUSED)


def _line(finding: Finding) -> str:
    state = finding.state.upper() if finding.state is State.ERROR else finding.state
    return f"{state:8}{finding.name}: {finding.detail}{f'  -> {finding.mend}' if finding.mend else ''}"


@click.command()
@AS_JSON
@click.pass_obj
def doctor(lazy: Lazy, as_json: bool) -> None:
    """Prove that the DATA is whole: files, indexes, leftovers of killed work, and that every leg is alive.

    Reads everything, which takes its time; after a crash, a full disk or a move. Whether this machine is set up to serve it:
    dermacite check.
    """
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
