"""Commands that ask: a search, a diagnosis."""

import asyncio
from pathlib import Path
from typing import Any

import click

from inference.types import Consultation, DiagnosisOptions
from knowledge.errors import PictureRefused
from runtime import printing
from runtime.cli.group import AS_JSON, Lazy

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("text")
@click.option("--image", type=PICTURE, help="Find cases by a picture.")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 50), help="Results of each kind.")
@AS_JSON
@click.pass_obj
def search(lazy: Lazy, text: str, image: Path | None, k: int, as_json: bool) -> None:
    """Find guideline passages and reference cases, with the score and rank of every leg."""
    service = lazy.service()
    picture = service.admit(image.read_bytes()) if image else None
    result = service.lookup.search(text, picture, k)
    click.echo(printing.as_json(result) if as_json else "\n".join(printing.search_lines(result)))


@click.command()
@click.argument("images", nargs=-1, required=True, type=PICTURE)
@click.option("--note", default="", help="History and findings in your own words.")
@click.option("--age", type=click.IntRange(0, 130))
@click.option("--sex", type=click.Choice(["female", "male", "other", "unknown"]))
@click.option("--body-site", help="Where on the body.")
@click.option("-k", type=click.IntRange(0, 20), help="Reference cases to show. [default: from the settings]")
@click.option("--alpha", type=click.FloatRange(0, 1), help="Share of the picture in case retrieval.")
@click.option("--no-cases", is_flag=True, help="Switch case retrieval off.")
@click.option("--no-passages", is_flag=True, help="Switch guideline retrieval off.")
@click.option("--no-leak-guard", is_flag=True, help="Let the query find itself; the answer says so.")
@click.option("--leak-report", is_flag=True, help="List in the trace (--json) which cases were kept back, and why.")
@AS_JSON
@click.pass_obj
def diagnose(lazy: Lazy, /, images: tuple[Path, ...], note: str, as_json: bool, **given: Any) -> None:
    """Diagnose 1 to 4 pictures of one patient, with cited and verified evidence, or decline and say why."""
    service = lazy.service()
    pictures = []
    for number, image in enumerate(images, start=1):
        try:
            pictures.append(service.admit(image.read_bytes()))
        except PictureRefused as error:
            raise PictureRefused(error.reason, f"picture {number}: {error}") from error
    consultation = Consultation(tuple(pictures), note, given["age"], given["sex"], given["body_site"])
    options = DiagnosisOptions(
        given["k"],
        given["alpha"],
        not given["no_cases"],
        not given["no_passages"],
        not given["no_leak_guard"],
        given["leak_report"],
    )
    answer = asyncio.run(service.pipeline.diagnose(consultation, options))
    click.echo(printing.as_json(answer) if as_json else "\n".join(printing.answer_lines(answer)))
