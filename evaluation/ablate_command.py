"""`dermacite ablate PLAN`: from one file to a run folder with its report."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from evaluation.extra import tell_of_lacking
from evaluation.records import read_records
from evaluation.report import write_report
from evaluation.running import Asked, results_of, run_plan
from evaluation.runs import RunFolder
from runtime import printing
from runtime.cli.group import AS_JSON, bar

RUNS = Path("runs")


def _variables(_ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [one.partition("=") for one in given]
    if wrong := [name for name, sign, _ in pairs if not (sign and re.fullmatch(r"\w+", name))]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


@click.command(hidden=True)  # its name is `dermacite ablate`
@click.argument("plan", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the run. "
              "[default: runs/NAME-OF-THE-PLAN]")  # fmt: skip
@click.option("--set", "variables", multiple=True, metavar="NAME=VALUE", callback=_variables,
              help="What ${NAME} in the plan stands for; may be repeated.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the run that is in the folder.")
@click.option("--retry-failed", is_flag=True, help="With --resume: ask again where an engine or a file failed.")
@click.option(
    "--dry-run", "dry", is_flag=True, help="Check the plan, ask three cases of each arm, print what all would cost."
)
@AS_JSON
@click.pass_context
def ablate(
    ctx: click.Context, /, plan: Path, out: Path | None, variables: Mapping[str, str], resume: bool, retry_failed: bool,
    dry: bool, as_json: bool,
) -> None:  # fmt: skip
    """Measure what each part of retrieval is worth: every case of a data set under every arm of PLAN, and a report.

    Cases that are in the knowledge base are asked under the leak guard (leave_one_out) or refused. A run that was killed
    goes on with --resume and ends as if nothing had happened. Examples of plans: corpora/plans. Nothing is written to a
    home that is named in the plan.
    """
    if retry_failed and not resume:
        raise click.UsageError("--retry-failed is for a run that is there: give --resume, too")
    tell_of_lacking()
    folder = out or RUNS / plan.stem
    configuration = ctx.parent.params["configuration"] if ctx.parent else None
    asked = Asked(
        plan, folder, variables, configuration, resume, retry_failed, dry,
        lambda line: click.echo(line, err=True), shown_bar,
    )  # fmt: skip
    done = run_plan(asked)
    results: dict[str, dict[str, int]] = {}
    if not dry:
        records = list(read_records(RunFolder(folder).records))
        write_report(folder, done.picture, watched=bar)
        results = {one.arm: results_of(records, one.arm) for one in done.estimates}
    if as_json:
        told = {"run": str(folder), "estimates": [asdict(one) for one in done.estimates], "results": results}
        click.echo(printing.as_json(told))
        return
    click.echo("\n".join(_lines(folder, results, dry)))


@contextmanager
def shown_bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Progress on stderr."""
    with bar(label, length) as advance:
        yield advance


def _lines(folder: Path, results: Mapping[str, Mapping[str, int]], dry: bool) -> Iterator[str]:
    if dry:
        yield "nothing was written down; leave --dry-run out to run it"
        return
    for arm, counts in results.items():
        yield f"{arm:<24}" + "   ".join(f"{number} {name}" for name, number in counts.items() if number)
    yield f"report: {folder / 'report.html'}"
