"""`dermacite evaluate retrieval DIR`: what it asks for and what it prints."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from evaluation.beir import TestCollection, read_collection
from evaluation.lines import write_lines
from evaluation.passage_retrieval import DEFAULT, MEASURES, Comparison, build, compare, measure
from retrieval.encoders import load_text_encoder, quick_loading
from retrieval.protocols import TextEncoder
from runtime import printing
from runtime.cli.group import AS_JSON, bar
from runtime.describing import card_of
from runtime.settings import Settings


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--per-query", type=click.Path(dir_okay=False, path_type=Path), help="Write one JSON object a query here."
)
@AS_JSON
@click.pass_obj
def retrieval(settings: Settings, folder: Path, per_query: Path | None, as_json: bool) -> None:
    """Measure text retrieval on a folder in BEIR's layout: corpus.jsonl, queries.jsonl, qrels.tsv.

    Compares the default with dense, BM25, RRF and fixed 60/40 in nDCG@10, recall and MRR, with paired 95 % intervals.
    """
    collection = read_collection(folder)
    if per_query is not None:
        write_lines(per_query, ())  # a path that cannot be written is found out before the hour of encoding
    with quick_loading():
        encoder = load_text_encoder(card_of(settings.passages), settings.passages.folder)
    with bar("encoding", len(collection.texts)) as advance:
        index = build(collection.texts, encoder, advance)
    with bar("searching", len(collection.queries)) as advance:
        results = measure(collection, index, encoder, advance)
    if per_query is not None:
        write_lines(per_query, [asdict(one) for one in results])
    comparison = compare(results)
    if as_json:
        click.echo(printing.as_json(_answer(collection, encoder, comparison)))
    else:
        click.echo("\n".join(_lines(collection, encoder, comparison)))


def _answer(collection: TestCollection, encoder: TextEncoder, comparison: Comparison) -> dict[str, Any]:
    counts = {"documents": len(collection.texts), "queries": len(collection.queries), "unjudged": collection.unjudged}
    return {"collection": counts, "encoder": encoder.card.name, **asdict(comparison)}


def _lines(collection: TestCollection, encoder: TextEncoder, comparison: Comparison) -> Iterator[str]:
    left_out = f", {collection.unjudged} without a relevant document left out" if collection.unjudged else ""
    yield f"{len(collection.texts)} documents, {len(collection.queries)} queries{left_out}; encoder {encoder.card.name}"
    yield f"{'':<12}" + "".join(f"{one:>12}" for one in MEASURES)
    for name, means in comparison.systems.items():
        yield f"{name:<12}" + "".join(f"{means[one]:>12.4f}" for one in MEASURES)
    yield f"{DEFAULT} minus the others, nDCG@10 with its 95 % interval"
    for name, of in comparison.differences.items():
        one = of["ndcg@10"]
        counts = f"better {one.better}, worse {one.worse}, same {one.same}"
        yield f"{name:<12}{one.mean:>+12.4f}  [{one.low:+.4f}, {one.high:+.4f}]  {counts}"
