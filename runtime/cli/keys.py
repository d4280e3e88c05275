"""Commands for keys: who may call the service, and as what."""

from dataclasses import asdict

import click

from knowledge.registry.keys import AccessKey
from runtime import printing
from runtime.cli.group import AS_JSON, Lazy
from runtime.keys import DEFAULT_DAYS, MOST_DAYS, Role, state_of

FIRST = (
    "This home now needs keys: every request to `dermacite serve` without one is refused, also from this machine. "
    "The command line needs none: it has the files themselves."
)


@click.group()
def keys() -> None:
    """Who may call the service, and as what. Without any key it serves this machine only, and everybody on it."""


@keys.command()
@click.option("--name", required=True, help="Whose key it is; the audit log shows it.")
@click.option(
    "--role", required=True, type=click.Choice([role.value for role in Role]),
    help="Each may do what those before it may: reader asks, researcher switches parts of retrieval, curator changes what is "
    "known, admin looks at the running service.",
)  # fmt: skip
@click.option(
    "--days",
    default=DEFAULT_DAYS,
    show_default=True,
    type=click.IntRange(1, MOST_DAYS),
    help="How long it opens anything.",
)
@AS_JSON
@click.pass_obj
def create(lazy: Lazy, name: str, role: str, days: int, as_json: bool) -> None:
    """Make a key and print it, once: only its hash is kept. Send it as `Authorization: Bearer KEY`."""
    ring = lazy.service().keys
    first = not ring.needed()
    text, key = ring.create(name, Role(role), days, lazy.actor)
    if as_json:
        click.echo(printing.as_json({"key": text, **_told(key), "first": first}))
        return
    click.echo(text)
    click.echo(
        f"This is shown once. {name} is {role} until {key.expires_at}; revoke: dermacite keys revoke {key.id}", err=True
    )
    if first:
        click.echo(FIRST, err=True)


@keys.command("list")
@AS_JSON
@click.pass_obj
def list_(lazy: Lazy, as_json: bool) -> None:
    """Every key with its role, its state and the day of its last use; never the key itself."""
    found = lazy.service().keys.all()
    if as_json:
        click.echo(printing.as_json({"keys": [_told(one) for one in found]}))
        return
    for one in found:
        used = one.last_used or "never"
        click.echo(f"{one.id}  {one.role:<10}  {state_of(one):<7}  until {one.expires_at}  used {used:<10}  {one.name}")
    if not found:
        click.echo("no keys: the service answers this machine only, and everybody on it may do everything", err=True)


@keys.command()
@click.argument("key_id", metavar="ID")
@AS_JSON
@click.pass_obj
def revoke(lazy: Lazy, key_id: str, as_json: bool) -> None:
    """End a key and its sessions at once, also in a server that runs."""
    key = lazy.service().keys.revoke(key_id, lazy.actor)
    if as_json:
        click.echo(printing.as_json(_told(key)))
        return
    click.echo(f"revoked {key.id} of {key.name}")


def _told(key: AccessKey) -> dict[str, object]:
    return {**asdict(key), "state": state_of(key)}
