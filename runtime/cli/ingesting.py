"""Commands that take evidence in."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from knowledge.pdf import PdfLimits
from knowledge.sources import read_sources
from knowledge.types import FileOutcome, Outcome
from runtime import printing
from runtime.cli.engine import with_engine
from runtime.cli.group import AS_JSON, REFUSED, Lazy, bar
from runtime.engines import Engine
from runtime.jobs import Upload

LOCAL = click.Path(exists=True, path_type=Path)


@click.group()
def ingest() -> None:
    """Take evidence in. The same bytes twice are a no-op; a kill leaves nothing half visible."""


@ingest.command("documents")
@click.argument("paths", nargs=-1, required=True, type=LOCAL)
@click.option("--document", "document_id", metavar="ID", help="The file is a new version of this document.")
@click.option("--draft", is_flag=True, help="Put it in as a draft, to be approved later.")
@with_engine
@AS_JSON
@click.pass_obj
def ingest_documents(
    lazy: Lazy, paths: tuple[Path, ...], document_id: str | None, draft: bool, as_json: bool, engine: Engine
) -> None:
    """Take guideline PDFs in: files, or folders that are searched for *.pdf.

    A file documents.jsonl in a folder may give title, publisher, licence and dates per PDF. New bytes with the title and
    publisher of a document that is there are its next version, which takes the place of the one in force. Exits with 1
    when a file was refused; the others are in all the same. Interrupted, it goes on with: dermacite jobs run
    """
    curator = lazy.curator(engine)
    uploads = [upload for path in paths for upload in uploads_of(path, curator.document_bytes)]
    if document_id and len(uploads) != 1:
        raise click.UsageError(f"--document is for one file, and there are {len(uploads)}")
    with bar("reading documents", len(uploads)) as advance:
        outcomes = curator.ingest_documents(uploads, lambda _outcome: advance(1), document_id=document_id, draft=draft)
    _report(outcomes, as_json)
    if any(outcome.state is Outcome.REFUSED for outcome in outcomes):
        sys.exit(REFUSED)


@ingest.command("cases")
@click.argument("path", type=LOCAL)
@click.option("--dataset", help="Name of the collection. [default: the folder's name, or skincap]")
@with_engine
@AS_JSON
@click.pass_obj
def ingest_cases(lazy: Lazy, path: Path, dataset: str | None, as_json: bool, engine: Engine) -> None:
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

        outcomes = lazy.curator(engine).ingest_cases(path, dataset, progress)
    _report(outcomes, as_json)
    if all(outcome.state is Outcome.REFUSED for outcome in outcomes):
        sys.exit(REFUSED)


def uploads_of(path: Path, most: int = PdfLimits().bytes) -> Iterator[Upload]:
    """The PDFs that a path means, with what a documents.jsonl says of them. `most`: bytes that are allowed."""
    if not path.is_dir():
        yield Upload(str(path), partial(_bytes_of, path, most), read_sources(path.parent).get(path.resolve()))
        return
    sources = read_sources(path)
    for file in sorted(one for one in path.rglob("*") if one.suffix.lower() == ".pdf" and one.is_file()):
        yield Upload(str(file), partial(_bytes_of, file, most), sources.get(file.resolve()))


def _bytes_of(file: Path, most: int) -> bytes:
    """The file's bytes; of one that is larger than allowed a byte too many. Raises OSError for what is no file."""
    if not file.is_file():  # a pipe would be waited for, a device never ends
        raise OSError("not a regular file")
    with file.open("rb") as opened:
        return opened.read(most + 1)


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
