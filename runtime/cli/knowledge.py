"""Commands that change or list what is known."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from knowledge.sources import read_sources
from knowledge.types import FileOutcome, Outcome
from runtime import printing
from runtime.cli.group import AS_JSON, REFUSED, Lazy, bar
from runtime.jobs import Upload

LOCAL = click.Path(exists=True, path_type=Path)


@click.group()
def ingest() -> None:
    """Take evidence in. The same bytes twice are a no-op; a kill leaves nothing half visible."""


@ingest.command("documents")
@click.argument("paths", nargs=-1, required=True, type=LOCAL)
@AS_JSON
@click.pass_obj
def ingest_documents(lazy: Lazy, paths: tuple[Path, ...], as_json: bool) -> None:
    """Take guideline PDFs in: files, or folders that are searched for *.pdf.

    A file documents.jsonl in a folder may give title, publisher, licence and dates per PDF. Exits with 1 when a file
    was refused; the others are in all the same.
    """
    uploads = [upload for path in paths for upload in uploads_of(path)]
    with bar("reading documents", len(uploads)) as advance:
        outcomes = lazy.curator().ingest_documents(uploads, lambda _outcome: advance(1))
    _report(outcomes, as_json)
    if any(outcome.state is Outcome.REFUSED for outcome in outcomes):
        sys.exit(REFUSED)


@ingest.command("cases")
@click.argument("path", type=LOCAL)
@click.option("--dataset", help="Name of the collection. [default: the folder's name, or skincap]")
@AS_JSON
@click.pass_obj
def ingest_cases(lazy: Lazy, path: Path, dataset: str | None, as_json: bool) -> None:
    """Take captioned pictures in: SkinCAP's folder, a manifest.csv or .jsonl, or one folder per label.

    \b
    manifest columns: picture, label; optional caption, group, subject, lesion, split, skin_tone, licence, source

    Every rejected row is reported with its reason. Exits with 1 when no row could be used.
    """
    done = 0
    with bar("reading cases", None) as advance:

        def progress(now: int, of: int) -> None:
            nonlocal done
            advance(now - done, of)
            done = now

        outcomes = lazy.curator().ingest_cases(path, dataset, progress)
    _report(outcomes, as_json)
    if all(outcome.state is Outcome.REFUSED for outcome in outcomes):
        sys.exit(REFUSED)


@click.group()
def documents() -> None:
    """List, show and delete guidelines."""


@documents.command("list")
@AS_JSON
@click.pass_obj
def documents_list(lazy: Lazy, as_json: bool) -> None:
    """Every document with its state, pages and passages."""
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
    """One document with what became of each page."""
    registry = lazy.service().registry
    document = registry.document(document_id)
    pages = registry.pages(document.version.id)
    if as_json:
        click.echo(printing.as_json({**asdict(document), "pages": [asdict(page) for page in pages]}))
        return
    click.echo("\n".join(printing.document_lines(document)))
    for page in pages:
        click.echo(
            f"    page {page.number}: {page.state}, {page.end - page.start} characters {page.reason or ''}".rstrip()
        )


@documents.command("delete")
@click.argument("document_id")
@AS_JSON
@click.pass_obj
def documents_delete(lazy: Lazy, document_id: str, as_json: bool) -> None:
    """Delete a document with everything derived from it, and print a receipt that proves its absence."""
    receipt = lazy.curator().delete_document(document_id)
    if as_json:
        click.echo(printing.as_json(receipt))
    else:
        click.echo(f"deleted {receipt.document_id}: {receipt.passages} passages")
        click.echo(f"absent from: {', '.join(receipt.absent_from)}")


def uploads_of(path: Path) -> Iterator[Upload]:
    """The PDFs that a path means, with what a documents.jsonl says of them."""
    if path.is_file():
        yield Upload(str(path), path.read_bytes, read_sources(path.parent).get(path.resolve()))
        return
    sources = read_sources(path)
    for file in sorted(one for one in path.rglob("*") if one.suffix.lower() == ".pdf" and one.is_file()):
        yield Upload(str(file), file.read_bytes, sources.get(file.resolve()))


def _report(outcomes: list[FileOutcome], as_json: bool) -> None:
    totals = printing.totals(outcomes)
    if as_json:
        click.echo(printing.as_json({"outcomes": [asdict(one) for one in outcomes], "totals": totals}))
        return
    for one in outcomes:
        if one.state is Outcome.REFUSED or one.pages:
            click.echo(printing.outcome_line(one))
        for warning in one.warnings if one.cases or one.rejected else ():
            click.echo(f"! {warning}")
    click.echo(", ".join(f"{number} {name}" for name, number in totals.items()))
