"""Commands about indexes: build, switch encoders, list."""

from dataclasses import asdict
from pathlib import Path

import click

from retrieval.generation import SPACES, Manifest
from retrieval.listing import index_sets
from runtime import printing
from runtime.cli.engine import with_engine
from runtime.cli.group import AS_JSON, Lazy, bar
from runtime.engines import Engine
from runtime.settings import EncoderChoice


class Assignment(click.ParamType[tuple[str, EncoderChoice]]):
    """SPACE=CARD, or SPACE=CARD@FOLDER with the absolute folder of its weights."""

    name = "SPACE=CARD[@FOLDER]"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, EncoderChoice]:
        """The space and its encoder."""
        space, _, encoder = value.partition("=")
        card, _, folder = encoder.partition("@")
        if space not in SPACES or not card or (folder and not Path(folder).is_absolute()):
            self.fail(
                f"{value!r}: write SPACE=CARD, for instance passages=pubmedbert; spaces are {', '.join(SPACES)}. "
                "A folder with weights follows as @/absolute/folder",
                param,
                ctx,
            )
        return space, EncoderChoice(card=card, folder=Path(folder) if folder else None)


@click.command()
@click.option(
    "--encoder", "encoders", multiple=True, type=Assignment(),
    help="Switch a space to another encoder: pictures, captions or passages. May be given for each.",
)  # fmt: skip
@click.option("--rollback", is_flag=True, help="Serve the encoders from before the last switch again.")
@with_engine
@AS_JSON
@click.pass_obj
def reindex(
    lazy: Lazy, encoders: tuple[tuple[str, EncoderChoice], ...], rollback: bool, as_json: bool, engine: Engine
) -> None:
    """Build a new index generation from the registry, verify it, and only then switch to it.

    Without options it has the encoders that are configured. With --encoder the index of other ones is built beside the
    one that serves, from stored texts and pictures; the home serves it from the switch on, and a server that runs must be
    restarted. A kill at any moment leaves what served before.

    \b
    dermacite reindex --encoder passages=pubmedbert
    dermacite reindex --rollback
    """
    if rollback and encoders:
        raise click.UsageError("--rollback returns to the encoders from before; it takes no --encoder")
    curator = lazy.curator(engine)
    steps: dict[str, int] = {}
    with bar("encoding", None) as advance:

        def progress(step: str, done: int, of: int) -> None:
            advance(done - steps.get(step, 0), of)
            steps[step] = done

        if rollback:
            folder = curator.roll_back(progress)
        elif encoders:
            folder = curator.reindex_with(dict(encoders), progress)
        else:
            folder = curator.reindex(progress)
    manifest = Manifest.read(folder)
    told = {
        "generation": folder.name,
        "encoded": steps,
        "encoders": manifest.encoders,
        "recall_at_10": manifest.recall_at_10,
    }
    click.echo(printing.as_json(told) if as_json else "\n".join(printing.built_lines(folder.name, manifest)))
    if encoders or rollback:
        click.echo("a server that runs answers with the earlier encoders until it is restarted", err=True)


@click.command()
@AS_JSON
@click.pass_obj
def indexes(lazy: Lazy, as_json: bool) -> None:
    """Every set of encoders that has an index, and which one serves.

    The others are opened by settings that name their encoders, for instance DERMACITE_PASSAGES__CARD=minilm.
    """
    service = lazy.service()
    found = list(index_sets(service.home.indexes.resolve(), service.index.folder))
    if as_json:
        click.echo(printing.as_json({"indexes": [asdict(one) for one in found]}))
        return
    for one in found:
        click.echo("\n".join(printing.index_lines(one)))
    if not found:
        click.echo("No index yet. Take evidence in first: dermacite ingest cases FOLDER")
