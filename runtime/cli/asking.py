"""Commands that ask: a search, a diagnosis."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from inference.admission import MAX_SEED
from inference.counterfactual import (
    MOST_ITEMS,
    MOST_SHUFFLES,
    CounterfactualOptions,
    Counterfactuals,
    counterfactuals,
)
from inference.lookup import SearchOptions
from inference.profiles import Layout
from inference.types import Answer, Consultation, DiagnosisOptions, EngineFailure, GroupUse, ReportMode
from knowledge.errors import PictureRefused
from retrieval.hybrid import Fusion
from runtime import explaining, printing
from runtime.cli.filtering import FILTER
from runtime.cli.group import AS_JSON, Lazy, bar
from runtime.counterfactual_lines import counterfactual_lines
from runtime.service import Service

E = TypeVar("E", bound=StrEnum)

PICTURE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("text")
@click.option("--image", type=PICTURE, help="Find cases by a picture.")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 50), help="Results of each kind.")
@click.option("--fusion", type=click.Choice([one.value for one in Fusion]), help="How the legs become one ranking. "
              "[default: adaptive]")  # fmt: skip
@click.option("--rerank", is_flag=True, help="Let the configured reranker read the best hits again.")
@click.option("--alpha", type=click.FloatRange(0, 1), help="With --image: share of the picture.")
@click.option("--strategy", type=click.Choice(["A", "B"]), help="With --image: compare captions with the picture (A) or "
              "the text (B).")  # fmt: skip
@click.option("--hard-negatives", is_flag=True, help="With --image: what looks alike and is something else.")
@click.option("--against", metavar="LABEL", help="What hard negatives must not be. [default: what most neighbours are]")
@click.option(
    "--explain", is_flag=True, help="Also print how each ranking came about: legs, shares, added words, drops."
)
@FILTER
@AS_JSON
@click.pass_obj
def search(
    lazy: Lazy, /, text: str, image: Path | None, explain: bool, as_json: bool, **given: Any
) -> None:  # fmt: skip
    """Find guideline passages and reference cases, with the score and rank of every leg."""
    service = lazy.service()
    picture = service.admit(image.read_bytes()) if image else None
    fusion = Fusion(given.pop("fusion")) if given["fusion"] else given.pop("fusion")
    result = service.lookup.search(text, picture, SearchOptions(fusion=fusion, **given))
    if as_json:
        click.echo(printing.as_json(result))
        return
    click.echo("\n".join(printing.search_lines(result)))
    if explain:
        click.echo("\n".join(explaining.explanation_lines(result.explanations)))


@click.command()
@click.argument("images", nargs=-1, required=True, type=PICTURE)
@click.option("--note", default="", help="History and findings in your own words.")
@click.option("--age", type=click.IntRange(0, 130))
@click.option("--sex", type=click.Choice(["female", "male", "other", "unknown"]))
@click.option("--body-site", help="Where on the body.")
@click.option("-k", type=click.IntRange(0, 20), help="Reference cases to show. [default: from the settings]")
@click.option("--alpha", type=click.FloatRange(0, 1), help="Share of the picture in case retrieval.")
@click.option(
    "--strategy", type=click.Choice(["A", "B"]), help="Compare captions with the picture (A) or the note (B)."
)
@click.option("--fusion", type=click.Choice([one.value for one in Fusion]), help="How the legs of a passage search "
              "become one ranking. [default: adaptive]")  # fmt: skip
@click.option("--rerank", is_flag=True, help="Let the configured reranker read the best passages again.")
@FILTER
@click.option("--no-cases", is_flag=True, help="Switch case retrieval off.")
@click.option("--no-passages", is_flag=True, help="Switch guideline retrieval off.")
@click.option("--explain", is_flag=True, help="Also print how each search for passages came to its ranking.")
@click.option("--no-leak-guard", is_flag=True, help="Let the query find itself; the answer says so.")
@click.option("--leak-report", is_flag=True, help="List in the trace (--json) which cases were kept back, and why.")
@click.option("--references", type=click.IntRange(0, 20), help="Reference cases shown to the stage 2 model. "
              "[default: from its profile]")  # fmt: skip
@click.option("--layout", type=click.Choice([one.value for one in Layout]), help="How they stand in its message.")
@click.option("--prompt", help="Stage 2's prompt by name, as `dermacite models show PROFILE` lists them.")
@click.option("--mask-captions", is_flag=True, help="Take the diagnosis out of the captions shown to it.")
@click.option("--constrain/--free", default=None, help="Hold stage 2 to its labels, or parse its text.")
@click.option("--group", type=click.Choice([one.value for one in GroupUse]), default=GroupUse.IGNORED.value,
              show_default=True, help="What becomes of stage 1's group.")  # fmt: skip
@click.option("--report", type=click.Choice([one.value for one in ReportMode]), help="Who writes about the picture. "
              "[default: what the reporter does best]")  # fmt: skip
@click.option("--on-engine-failure", type=click.Choice([one.value for one in EngineFailure]),
              help="When a served model fails: abstain, or let the reference cases answer. [default: an error]")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=0, help="For models that sample.")
@click.option("--counterfactual", is_flag=True, help="Ask again without each piece of evidence and with wrong labels: what "
              "does the answer depend on?")  # fmt: skip
@click.option("--items", type=click.IntRange(1, MOST_ITEMS), help="With --counterfactual: pieces of evidence taken away at "
              f"most. [default: {CounterfactualOptions().items}]")  # fmt: skip
@click.option("--shuffles", type=click.IntRange(0, MOST_SHUFFLES), help="With --counterfactual: runs with wrong labels. "
              f"[default: {CounterfactualOptions().shuffles}]")  # fmt: skip
@AS_JSON
@click.pass_obj
def diagnose(lazy: Lazy, /, images: tuple[Path, ...], note: str, as_json: bool, **given: Any) -> None:
    """Diagnose 1 to 4 pictures of one patient, with cited and verified evidence, or decline and say why."""
    asked = _counterfactual(given)
    service = lazy.service()
    pictures = []
    for number, image in enumerate(images, start=1):
        try:
            pictures.append(service.admit(image.read_bytes()))
        except PictureRefused as error:
            raise PictureRefused(error.reason, f"picture {number}: {error}") from error
    consultation = Consultation(tuple(pictures), note, given["age"], given["sex"], given["body_site"])
    answer, depends = asyncio.run(_answer(service, consultation, _options(given), asked))
    if as_json:
        click.echo(printing.as_json(depends or answer))
        return
    click.echo("\n".join(printing.answer_lines(answer)))
    if given["explain"]:
        searches = {f"passages for the {part}": one for part, one in answer.trace.explanations.items()}
        click.echo("\n".join(explaining.explanation_lines(searches)))
    if depends is not None:
        click.echo("\n" + "\n".join(counterfactual_lines(depends)))


async def _answer(
    service: Service, consultation: Consultation, options: DiagnosisOptions, asked: CounterfactualOptions | None
) -> tuple[Answer, Counterfactuals | None]:
    pipeline = await asyncio.to_thread(lambda: service.pipeline)
    try:
        if asked is None:
            return await pipeline.diagnose(consultation, options), None
        with bar("asking again", None) as advance:
            moved = 0

            def progress(done: int, of: int) -> None:
                nonlocal moved
                advance(done - moved, of)
                moved = done

            found = await counterfactuals(pipeline, consultation, options, asked, progress)
        return found.answer, found
    finally:
        await service.close_models()


def _counterfactual(given: dict[str, Any]) -> CounterfactualOptions | None:
    """None where it was not asked for; then its own options would have no effect and are refused."""
    chosen = {name: given[name] for name in ("items", "shuffles") if given[name] is not None}
    if not given["counterfactual"]:
        if chosen:
            raise click.UsageError(f"--{' and --'.join(chosen)}: only with --counterfactual")
        return None
    return CounterfactualOptions(**chosen)


def _options(given: dict[str, Any]) -> DiagnosisOptions:
    def chosen(kind: type[E], name: str) -> E | None:
        return None if given[name] is None else kind(given[name])

    return DiagnosisOptions(
        k=given["k"],
        alpha=given["alpha"],
        strategy=given["strategy"],
        fusion=chosen(Fusion, "fusion"),
        rerank=given["rerank"],
        cases=not given["no_cases"],
        passages=not given["no_passages"],
        leak_guard=not given["no_leak_guard"],
        leak_report=given["leak_report"],
        references=given["references"],
        layout=chosen(Layout, "layout"),
        prompt=given["prompt"],
        captions="masked" if given["mask_captions"] else "shown",
        group=GroupUse(given["group"]),
        constrain=given["constrain"],
        report=chosen(ReportMode, "report"),
        on_engine_failure=chosen(EngineFailure, "on_engine_failure"),
        seed=given["seed"],
        filters=given["filters"],
    )
