"""Commands for collections of cases, and for what the knowledge base has no answer for."""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import click

from knowledge.types import Dataset
from runtime import printing
from runtime.cli.group import AS_JSON, Lazy, bar
from runtime.coverage import Coverage, coverage
from runtime.dataset_report import DatasetReport, dataset_report
from runtime.deletion import CasesReceipt, proof_lines

SHOWN_PAIRS = 20  # of a report for a person; the JSON has all that are listed
UNKNOWN = "unknown"


@click.group()
def datasets() -> None:
    """List, check, retire and delete collections of cases."""


@datasets.command("list")
@AS_JSON
@click.pass_obj
def datasets_list(lazy: Lazy, as_json: bool) -> None:
    """Every dataset with its state and number of cases."""
    found = lazy.service().registry.datasets.all()
    if as_json:
        click.echo(printing.as_json({"datasets": [asdict(one) for one in found]}))
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("No datasets yet. Add one: dermacite ingest cases FOLDER")


@datasets.command("show")
@click.argument("name")
@AS_JSON
@click.pass_obj
def datasets_show(lazy: Lazy, name: str, as_json: bool) -> None:
    """One dataset: its state, and who did what to it."""
    registry = lazy.service().registry
    dataset = registry.datasets.one(name)
    deeds = registry.audit.entries(name)
    if as_json:
        click.echo(printing.as_json({**asdict(dataset), "audit": [asdict(one) for one in deeds]}))
        return
    click.echo(_line(dataset))
    for one in deeds:
        details = ", ".join(f"{key} {value}" for key, value in one.details.items())
        click.echo(f"    {one.at} {one.actor}: {one.action} ({details})")


@datasets.command("retire")
@click.argument("name")
@AS_JSON
@click.pass_obj
def datasets_retire(lazy: Lazy, name: str, as_json: bool) -> None:
    """Hide all cases of a dataset from every search at once; nothing is deleted."""
    _told(lazy.curator().retire_dataset(name), as_json)


@datasets.command("restore")
@click.argument("name")
@AS_JSON
@click.pass_obj
def datasets_restore(lazy: Lazy, name: str, as_json: bool) -> None:
    """Let the cases of a retired dataset be found again."""
    _told(lazy.curator().restore_dataset(name), as_json)


@datasets.command("delete")
@click.argument("name")
@AS_JSON
@click.pass_obj
def datasets_delete(lazy: Lazy, name: str, as_json: bool) -> None:
    """Delete a dataset with everything derived from it, and print a receipt that proves its absence."""
    _receipt(lazy.curator().delete_dataset(name), as_json)


@datasets.command("report")
@click.argument("name")
@click.option("--thorough", is_flag=True, help="Look for cropped copies too, case by case: 13 ms each among 40,000.")
@AS_JSON
@click.pass_obj
def datasets_report(lazy: Lazy, name: str, thorough: bool, as_json: bool) -> None:
    """Licences, what became of every label, labels by skin tone and split, and pictures that come twice."""
    done = 0
    with bar("comparing", None) as advance:

        def progress(now: int, of: int) -> None:
            nonlocal done
            advance(now - done, of)
            done = now

        report = dataset_report(lazy.service(), name, thorough=thorough or None, progress=progress)
    _echo(report, _report_lines, as_json)


@click.group()
def cases() -> None:
    """Single reference cases."""


@cases.command("delete")
@click.argument("case_id")
@AS_JSON
@click.pass_obj
def cases_delete(lazy: Lazy, case_id: str, as_json: bool) -> None:
    """Delete one case with everything derived from it, and print a receipt that proves its absence."""
    _receipt(lazy.curator().delete_case(case_id), as_json)


@click.command("coverage")
@AS_JSON
@click.pass_obj
def coverage_command(lazy: Lazy, as_json: bool) -> None:
    """Labels of which no guideline passage speaks, and guidelines that no kept answer ever showed.

    A passage speaks of a label when its text or headings hold any of its names in whole words. Where none does, the most
    similar passage is named, if its cosine reaches the setting cosine_floor.
    """
    _echo(coverage(lazy.service()), _coverage_lines, as_json)


def _echo(value: object, lines: Callable[..., Iterator[str]], as_json: bool) -> None:
    click.echo(printing.as_json(value) if as_json else "\n".join(map(printing.harmless, lines(value))))


def _told(dataset: Dataset, as_json: bool) -> None:
    click.echo(printing.as_json(dataset) if as_json else _line(dataset))


def _receipt(receipt: CasesReceipt, as_json: bool) -> None:
    if as_json:
        click.echo(printing.as_json(receipt))
        return
    click.echo(
        printing.harmless(f"deleted {len(receipt.cases)} cases of {receipt.dataset}, {receipt.pictures} pictures")
    )
    for line in proof_lines(receipt):
        click.echo(line)


def _line(one: Dataset) -> str:
    by = f" by {one.created_by}" if one.created_by else ""
    retired = f", retired {one.retired_at} by {one.retired_by}" if one.retired_at else ""
    return printing.harmless(f"{one.name}: {one.state}, {one.cases} cases, added {one.created_at}{by}{retired}")


def _report_lines(report: DatasetReport) -> Iterator[str]:
    yield _line(report.dataset)
    for warning in report.warnings:
        yield f"! {warning}"
    yield "Licences"
    for one in report.licences:
        terms = "shown" if one.show else "never shown"
        more = [
            terms,
            *(["attribution"] if one.attribution else []),
            *(["non-commercial"] if one.non_commercial else []),
        ]
        yield f"  {one.cases:>6}  {one.licence or UNKNOWN}: {', '.join(more) if one.known else 'unknown terms, shown here'}"
    yield "Labels (as written -> as stored; label sets that know it)"
    for label in report.labels:
        known = ", ".join(label.known_to) or "no label set"
        yield f"  {label.cases:>6}  {label.written or UNKNOWN} -> {label.label}  ({known})"
    yield "Cases by label, skin tone, split"
    for count in report.coverage:
        yield f"  {count.cases:>6}  {count.label}  {count.skin_tone or UNKNOWN}  {count.split or UNKNOWN}"
    yield from _duplicate_lines(report)


def _duplicate_lines(report: DatasetReport) -> Iterator[str]:
    found = report.duplicates
    yield f"Pictures that come twice (cropped copies {'looked for' if found.crops else 'not looked for: --thorough'})"
    for where, numbers in (
        ("within", found.within), ("other datasets", found.across_datasets), ("between splits", found.across_splits),
    ):  # fmt: skip
        yield f"  {where}: {', '.join(f'{number} {reason}' for reason, number in numbers.items()) or 'none'}"
    for pair in found.pairs[:SHOWN_PAIRS]:
        both = (
            f"{case} ({dataset}, {label}, {split or 'no split'})"
            for case, dataset, label, split in zip(pair.ids, pair.datasets, pair.labels, pair.splits, strict=True)
        )
        yield f"    {pair.reason}: {' and '.join(both)}"
    if len(found.pairs) > SHOWN_PAIRS:
        yield f"    and {len(found.pairs) - SHOWN_PAIRS} more: --json"


def _coverage_lines(found: Coverage) -> Iterator[str]:
    yield f"{found.covered} labels are named by a guideline passage"
    yield f"Labels without a guideline passage (none names them, none has a cosine of {found.floor:g})"
    for one in found.without_passage:
        yield f"  {one.label}  ({one.cases} cases)"
    yield "Labels that no passage names, but some come near"
    for one in found.not_named:
        yield f"  {one.label}  ({one.cases} cases; {one.nearest}, cosine {one.similarity:.2f})"
    yield f"Guidelines that were never retrieved ({found.retrieval})"
    for document in found.never_retrieved or ():
        yield f"  {document.id}  {document.title}"
    if found.never_retrieved is not None and not found.never_retrieved:
        yield "  none"
