"""Commands that carry a whole knowledge base: export, import, verify."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from runtime import printing
from runtime.archive import ArchiveManifest
from runtime.cli.group import AS_JSON, Lazy, bar
from runtime.exporting import Progress, export_archive
from runtime.importing import Imported, import_archive, verify_archive

ARCHIVE_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@contextmanager
def _counted(label: str) -> Iterator[Progress]:
    """A progress bar over bytes."""
    seen = 0
    with bar(label, None) as advance:

        def progress(done: int, of: int) -> None:
            nonlocal seen
            advance(done - seen, max(of, 1))
            seen = done

        yield progress


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--without-index", is_flag=True, help="Leave the index out; `dermacite reindex` makes it again.")
@AS_JSON
@click.pass_obj
def export_(lazy: Lazy, file: Path, without_index: bool, as_json: bool) -> None:
    """Write the whole knowledge base into one verified archive, FILE.tar.

    It holds documents of every state, cases, stored files, vectors, the index that serves and the record of what was done;
    not settings.toml, which may hold keys. The service answers meanwhile. The same state gives the same bytes.
    """
    with _counted("exporting") as progress:
        done = export_archive(lazy.curator(), file, with_index=not without_index, progress=progress)
    if as_json:
        told = {"archive": str(file), "bytes": done.bytes, **_told(done.sha256, done.manifest), "notes": done.notes}
        click.echo(printing.as_json(told))
        return
    click.echo(f"{file}: {done.bytes / 1e6:.1f} MB, {_counts(done.manifest)}, archive {done.sha256}")
    for note in done.notes:
        click.echo(f"! {note}")


@click.command("import")
@click.argument("file", type=ARCHIVE_FILE)
@AS_JSON
@click.pass_obj
def import_(lazy: Lazy, file: Path, as_json: bool) -> None:
    """Make an empty home the knowledge base of an archive that `dermacite export` wrote.

    Everything is verified before anything is visible; what is refused or killed leaves the home as it was. Nothing is
    encoded again, and with the same encoders and settings every answer is the same.

    \b
    dermacite --home DIR import FILE.tar
    """
    with _counted("importing") as progress:
        done = import_archive(file, lazy.home, lazy.configuration, actor=lazy.actor, progress=progress)
    _report(done, f"imported {_counts(done.manifest)}, archive {done.sha256}", as_json)


@click.group()
def archive() -> None:
    """Look at archives."""


@archive.command("verify")
@click.argument("file", type=ARCHIVE_FILE)
@AS_JSON
@click.pass_obj
def archive_verify(lazy: Lazy, file: Path, as_json: bool) -> None:
    """Prove all that an import would prove, and say what would differ here."""
    with _counted("verifying") as progress:
        done = verify_archive(file, lazy.configuration, progress)
    _report(done, f"whole: {_counts(done.manifest)}, archive {done.sha256}", as_json)


def _report(done: Imported, line: str, as_json: bool) -> None:
    if as_json:
        click.echo(printing.as_json({**_told(done.sha256, done.manifest), "warnings": done.warnings}))
        return
    click.echo(line)
    for warning in done.warnings:
        click.echo(f"! {warning}")


def _told(sha256: str, manifest: ArchiveManifest) -> dict[str, Any]:
    return {
        "sha256": sha256, "program": manifest.program, "schema": manifest.schema,
        "corpus_generation": manifest.corpus_generation, "counts": manifest.counts, "index": manifest.index,
        "encoders": {space: one["card"]["name"] for space, one in manifest.encoders.items()}, "settings": manifest.settings,
    }  # fmt: skip


def _counts(manifest: ArchiveManifest) -> str:
    shown = ("documents", "versions", "passages", "cases")
    return ", ".join(f"{manifest.counts.get(name, 0)} {name}" for name in shown)
