"""Commands about guidelines and their versions: list, show, approve, compare, retire, delete."""

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

import click

from knowledge.types import DocumentVersion, Page, Source
from runtime import printing
from runtime.changes import difference
from runtime.cli.group import AS_JSON, Lazy
from runtime.deletion import Receipt, proof_lines

C = TypeVar("C", bound=Callable[..., Any])

TEXTS = tuple(field.name for field in fields(Source) if field.name != "tags")


@click.group()
def documents() -> None:
    """List, show, approve, compare, retire and delete guidelines."""


@documents.command("list")
@AS_JSON
@click.pass_obj
def documents_list(lazy: Lazy, as_json: bool) -> None:
    """Every document with its current version: the one in force, else the newest."""
    found = lazy.service().registry.documents()
    if as_json:
        click.echo(printing.as_json({"documents": [asdict(one) for one in found]}))
        return
    for one in found:
        click.echo("\n".join(printing.document_lines(one)))
    if not found:
        click.echo("No documents yet. Add some: dermacite ingest documents FILE...")


@documents.command("show")
@click.argument("document_id")
@AS_JSON
@click.pass_obj
def documents_show(lazy: Lazy, document_id: str, as_json: bool) -> None:
    """One document, by its id or that of a version, with all versions and what became of each page."""
    registry = lazy.service().registry
    document = registry.document(document_id)
    versions = registry.versions(document.id)
    shown = next((one for one in versions if one.id == document_id), document.version)
    pages = registry.pages(shown.id)
    if as_json:
        told = {**asdict(document), "version": asdict(shown), "pages": [asdict(page) for page in pages]}
        click.echo(printing.as_json({**told, "all_versions": [asdict(one) for one in versions]}))
        return
    click.echo("\n".join(printing.document_lines(document)))
    for version in versions:
        click.echo(printing.version_line(version))
    for page in pages:
        state = f"{page.state}{_sure(page)}, {page.end - page.start} characters {page.reason or ''}"
        click.echo(f"    page {page.number}: {state}".rstrip())


@documents.command("passages")
@click.argument("version_id")
@AS_JSON
@click.pass_obj
def documents_passages(lazy: Lazy, version_id: str, as_json: bool) -> None:
    """The passages that were understood of a version, in order: what a curator reads before approving."""
    registry = lazy.service().registry
    found = registry.passages_of(registry.version_named(version_id).id)
    if as_json:
        click.echo(printing.as_json({"passages": [asdict(one) for one in found]}))
        return
    for one in found:
        click.echo("\n".join(printing.passage_lines(one)))


@documents.command("approve")
@click.argument("version_id")
@AS_JSON
@click.pass_obj
def documents_approve(lazy: Lazy, version_id: str, as_json: bool) -> None:
    """Put a version in force: a draft, or one that was superseded or retired. The one in force is superseded."""
    _told(lazy.curator().approve(version_id), as_json)


@documents.command("retire")
@click.argument("version_id")
@AS_JSON
@click.pass_obj
def documents_retire(lazy: Lazy, version_id: str, as_json: bool) -> None:
    """Take a version out of use. It is found no more unless asked for, and can still be opened."""
    _told(lazy.curator().retire(version_id), as_json)


def _source_options(command: C) -> C:
    for name in reversed(TEXTS):
        command = click.option(f"--{name}", help=f"{name.capitalize()}; empty: unknown.")(command)
    return command


@documents.command("describe")
@click.argument("version_id")
@_source_options
@click.option("--tag", "tags", multiple=True, help="All its tags anew; several times for several.")
@AS_JSON
@click.pass_obj
def documents_describe(
    lazy: Lazy, /, version_id: str, tags: tuple[str, ...], as_json: bool, **texts: str | None
) -> None:
    """Correct what is known of a version's source. Dates: 2024-01-31."""
    curator = lazy.curator()
    changed: dict[str, Any] = {name: text or None for name, text in texts.items() if text is not None}
    if "title" in changed and not changed["title"]:
        raise click.UsageError("a title is needed")
    if tags:
        changed["tags"] = tuple(filter(None, tags))
    source = replace(curator.service.registry.version(version_id).source, **changed)
    _told(curator.describe(version_id, source), as_json)


@documents.command("diff")
@click.argument("before")
@click.argument("after")
@AS_JSON
@click.pass_obj
def documents_diff(lazy: Lazy, before: str, after: str, as_json: bool) -> None:
    """Compare two versions: passages added, removed and changed, with the numbers that changed and the answers it touches."""
    service = lazy.service()
    found = difference(service.registry, before, after, answers_kept=service.settings.keep_answers)
    click.echo(printing.as_json(found) if as_json else "\n".join(printing.difference_lines(found)))


@documents.command("delete")
@click.argument("document_id")
@click.option("--version", "only_version", is_flag=True, help="The id is a version's; only that one goes.")
@AS_JSON
@click.pass_obj
def documents_delete(lazy: Lazy, document_id: str, only_version: bool, as_json: bool) -> None:
    """Delete a document with all its versions and everything derived, and print a receipt that proves its absence."""
    curator = lazy.curator()
    receipt = curator.delete_version(document_id) if only_version else curator.delete_document(document_id)
    show_receipt(receipt, as_json)


def show_receipt(receipt: Receipt, as_json: bool) -> None:
    """What was deleted, and where it is absent."""
    if as_json:
        click.echo(printing.as_json(receipt))
        return
    click.echo(f"deleted {receipt.document_id}: {receipt.passages} passages")
    for line in proof_lines(receipt):
        click.echo(line)


def _sure(page: Page) -> str:
    return f" ({page.confidence:.0%} sure)" if page.confidence is not None else ""


def _told(version: DocumentVersion, as_json: bool) -> None:
    click.echo(printing.as_json(version) if as_json else printing.version_line(version))
