"""`dermacite evaluate rescore FILE`: predictions made elsewhere, under the measures and the report of our own runs."""

from importlib.metadata import version
from pathlib import Path

import click

from evaluation.errors import RunRefused
from evaluation.extra import tell_of_lacking
from evaluation.predictions import read_predictions
from evaluation.records import line_of
from evaluation.report import write_report
from evaluation.running import results_of
from evaluation.runs import FORMAT, RunFolder, as_text, write_whole
from runtime import printing
from runtime.cli.group import AS_JSON, bar


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the report. "
              "[default: runs/NAME-OF-THE-FILE]")  # fmt: skip
@AS_JSON
def rescore(file: Path, out: Path | None, as_json: bool) -> None:
    """Score predictions of another program: FILE is CSV or JSON lines with case, label, prediction.

    Optional: probabilities (a JSON object), arm, seed, caption, reference, group, skin_tone, body_site, result, reason. An
    empty prediction is an answer that names no label. Exits with 1, naming the line, when a line cannot be read.
    """
    tell_of_lacking()
    records = read_predictions(file)
    folder = RunFolder(out or Path("runs") / file.stem)
    with folder.alone():
        begun = folder.read_description()
        if begun is not None and begun.get("kind") != "predictions":
            raise RunRefused("this folder holds a run; name another one: --out")
        write_whole(folder.records, "".join(map(line_of, records)))
        arms: dict[str, dict[str, str]] = {one.arm: {} for one in records}
        description = {
            "format": FORMAT,
            "kind": "predictions",
            "name": file.stem,
            "version": version("dermacite"),
            "arms": arms,
        }
        write_whole(folder.description, as_text(description))
        write_report(folder.root, watched=bar)
    results = {arm: results_of(records, arm) for arm in arms}
    if as_json:
        click.echo(printing.as_json({"run": str(folder.root), "results": results}))
        return
    for arm, counts in results.items():
        click.echo(f"{arm:<24}" + "   ".join(f"{number} {name}" for name, number in counts.items() if number))
    click.echo(f"report: {folder.root / 'report.html'}")
