"""`dermacite evaluate report RUN`: what it asks for and what it prints."""

from pathlib import Path

import click

from evaluation.datasets import digest_of
from evaluation.extra import tell_of_lacking
from evaluation.report.reading import read_facts
from runtime import printing
from runtime.cli.group import AS_JSON, bar


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
    help="Folder of the data set. Worst cases are then shown with their pictures, where the licence allows.",
)  # fmt: skip
@AS_JSON
def report(run: Path, pictures: Path | None, as_json: bool) -> None:
    """Write report.html and report.md into the folder of a run, from what stands in it.

    \b
    RUN holds  cases.jsonl    one record a line (needed)
               plan.toml      the arms and the one that others are compared with
               dataset.jsonl  licence, lesion and person of each case
               leaks.json     the leak report
               run.json       how the run was made

    \b
    Example:  dermacite evaluate report runs/alpha
              dermacite evaluate report runs/alpha --pictures data/ham10000_small

    No model and no knowledge base is needed, and nothing is asked again. The same records give the same report, to the byte,
    but for its last section: timings. A measure that cannot be had from the records is left out with its reason.
    """
    # Here, because they read half of this program.
    from evaluation.report import MARKDOWN, write_report

    tell_of_lacking()
    written = write_report(run, None if pictures is None else FolderPictures(pictures, run), watched=bar)
    made = {"html": str(written), "markdown": str(written.with_name(MARKDOWN))}
    click.echo(printing.as_json(made) if as_json else f"written: {made['html']}\n         {made['markdown']}")


class FolderPictures:
    """The pictures of a data set's folder, each only if its bytes are those that were asked (`original`, a sha256).

    A run over a knowledge base does not know where in the folder they are: then every file is read once, when the first is
    asked for.
    """

    def __init__(self, folder: Path, run: Path) -> None:
        self._folder = folder.resolve()
        self._facts = read_facts(run)
        self._by_bytes: dict[str, Path] | None = None

    def __call__(self, case: str) -> bytes | None:
        facts = self._facts.get(case, {})
        original = str(facts.get("original") or "")
        if not original:
            return None
        named = (self._folder / str(facts.get("picture") or "")).resolve()
        if named.is_relative_to(self._folder) and named.is_file() and digest_of(named) == original:
            return named.read_bytes()
        if self._by_bytes is None:
            self._by_bytes = {digest_of(one): one for one in sorted(self._folder.rglob("*")) if one.is_file()}
        found = self._by_bytes.get(original)
        return None if found is None else found.read_bytes()
