"""The command line of measurements: `dermacite evaluate ...`, also `python -m evaluation.cli ...`, and `dermacite ablate`.

A command belongs to this group: write it in a module of its own here, and add it at the end.
"""

import os
from pathlib import Path

import click

from evaluation.ablate_command import ablate
from evaluation.case_retrieval import cases
from evaluation.report.command import report
from evaluation.rescore_command import rescore
from evaluation.retrieval_command import retrieval
from runtime.cli.group import Teaching
from runtime.settings import CONFIGURATIONS, default_home, load_settings


@click.group(cls=Teaching, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Folder whose settings hold.")
@click.option("--configuration", type=click.Choice(sorted(CONFIGURATIONS)), help="Named configuration.")
@click.pass_context
def evaluate(ctx: click.Context, home: Path | None, configuration: str | None) -> None:
    """Measure what is served, on data of your own. Nothing is written to a home."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    ctx.obj = load_settings(home or default_home(), configuration=configuration)


evaluate.add_command(retrieval)
evaluate.add_command(cases)
evaluate.add_command(report)
evaluate.add_command(rescore)
evaluate.add_command(ablate)

if __name__ == "__main__":
    evaluate(prog_name="dermacite evaluate")
