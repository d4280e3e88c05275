"""How well case retrieval finds cases of the same label, every lesion left out once, and whether anything leaked.

    dermacite evaluate cases DIR [--json]

DIR is any collection that `dermacite ingest cases` takes. It is ingested into a temporary home by the code that serves, and
each case then asks as a consultation with its picture, lesion and subject would: through the leak guard, by picture alone.

    recall@k        share of cases with a case of their label among the first k neighbours
    vote_accuracy   share of cases whose label the calibrated vote puts first

A case that finds no neighbour at all counts as a miss and is reported. What the guard let through is judged anew, pair by
pair: by ids, by hash, and by laying every shown neighbour over the query.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from evaluation.lines import write_lines
from evaluation.statistics import wilson
from inference.exemplars import Calibration, vote
from knowledge.errors import CasesRefused
from knowledge.types import FileOutcome, Outcome, ReferenceCase
from retrieval import search
from retrieval.leakage import NEAR_DUPLICATE_BITS, Probe
from retrieval.sketches import Sketch, known_sketches
from retrieval.twins import same_picture
from retrieval.view import View
from runtime import printing
from runtime.cli.group import AS_JSON, bar
from runtime.curation import Curator
from runtime.service import Service, open_service
from runtime.settings import Settings

KS = (1, 5)
LEAKS = ("same_case", "same_lesion", "same_subject", "near_duplicate")

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """One case as a query: its neighbours nearest first, the label the vote put first, and what became of the guard."""

    case: str
    label: str
    neighbours: tuple[str, ...]
    neighbour_labels: tuple[str, ...]
    voted: str | None
    let_through: Mapping[str, int]
    excluded: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """`measures` are shares 0..1 over all `cases`; `intervals` are Wilson's at 95 %. `leak` counts neighbours let through.

    `baselines` are what the most frequent label alone would reach. `rejected` rows of the collection could not be used.
    """

    dataset: str
    cases: int
    labels: int
    rejected: int
    without_neighbour: int
    measures: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    baselines: Mapping[str, float]
    leak: Mapping[str, Any]
    vote: Mapping[str, Any]
    configuration: Mapping[str, Any] = field(default_factory=dict)


def evaluate_collection(
    service: Service, path: Path, progress: Callable[[int, int], None]
) -> tuple[Report, list[Asked]]:
    """Ingest the collection at `path` into the (empty) home of `service` and ask every case.

    Raises CasesRefused when fewer than two cases can be used, and what ingest raises.
    """
    outcomes = Curator(service).ingest_cases(path, None, progress)
    usable = sum(one.state is not Outcome.REFUSED for one in outcomes)
    if usable < 2:
        raise CasesRefused("no_cases_found", _why_too_few(outcomes, usable))
    view = service.reader.view()
    with bar("asking", usable) as advance:
        asked = list(_ask_all(service, view, advance))
    report = summarise(asked, Calibration.load(view.generation))
    dataset = next(iter(service.registry.datasets.names()))
    return replace(report, dataset=dataset, rejected=len(outcomes) - usable, configuration=service.configuration), asked


def _why_too_few(outcomes: Sequence[FileOutcome], usable: int) -> str:
    first = next((one.message for one in outcomes if one.state is Outcome.REFUSED), None)
    why = f" The first problem: {first}" if first else ""
    return f"{usable} of {len(outcomes)} cases of the collection can be used; at least 2 are needed.{why}"


def _ask_all(service: Service, view: View, advance: Advance) -> Iterator[Asked]:
    """Every live case in order of its id, with the vectors and sketches that serve."""
    cases = service.registry.cases(view.cases.ids)
    rows = {case_id: row for row, case_id in enumerate(view.cases.ids) if case_id in cases}
    calibration = Calibration.load(view.generation)
    fingerprint = service.fingerprints["pictures"]
    for case_id in sorted(cases):
        case = cases[case_id]
        vectors = service.embeddings.get(fingerprint, [case.picture])
        yield _ask(service, view, case, vectors[case.picture], rows, cases, calibration)
        advance(1)


def _ask(
    service: Service, view: View, case: ReferenceCase, vector: Any, rows: Mapping[str, int],
    cases: Mapping[str, ReferenceCase], calibration: Calibration,
) -> Asked:  # fmt: skip
    probe = replace(
        view.cases.guard.probe_of(rows[case.id]),
        lesions=frozenset(filter(None, [case.lesion])),
        subjects=frozenset(filter(None, [case.subject])),
        sources=frozenset(filter(None, [case.source])),
    )
    options = replace(service.case_options, k=max(*KS, calibration.k))
    ranking = search.neighbours(view, service.encoders, np.asarray(vector)[None], "", probe, options)
    found = [cases[hit.id] for hit in ranking.hits]
    votes = vote(
        [(one.label, hit.score) for one, hit in zip(found, ranking.hits, strict=True)], view.cases.labels, calibration
    )
    return Asked(
        case=case.id,
        label=case.label,
        neighbours=tuple(one.id for one in found),
        neighbour_labels=tuple(one.label for one in found),
        voted=votes[0][0] if found else None,
        let_through=_let_through(case, found, probe, [view.cases.guard.sketches.sketch(rows[one.id]) for one in found]),
        excluded=ranking.excluded,
    )


def _let_through(
    case: ReferenceCase, found: Sequence[ReferenceCase], probe: Probe, sketches: Sequence[Sketch]
) -> dict[str, int]:
    near = {one.id for one in found if _hash_distance(case, one) <= NEAR_DUPLICATE_BITS}
    if found and probe.sketches:
        stacked = np.stack(sketches)
        copies = same_picture(probe.sketches[0], stacked) & known_sketches(stacked)
        near |= {one.id for one, copy in zip(found, copies, strict=True) if copy}
    same_set = [one for one in found if one.dataset == case.dataset]
    return {
        "same_case": sum(one.id == case.id or one.original == case.original for one in found),
        "same_lesion": sum(case.lesion is not None and one.lesion == case.lesion for one in same_set),
        "same_subject": sum(case.subject is not None and one.subject == case.subject for one in same_set),
        "near_duplicate": len(near),
    }


def _hash_distance(one: ReferenceCase, other: ReferenceCase) -> int:
    return (int(one.perceptual_hash, 16) ^ int(other.perceptual_hash, 16)).bit_count()


def summarise(asked: Sequence[Asked], calibration: Calibration) -> Report:
    """The figures of one run."""
    hits = {f"recall@{k}": [one.label in one.neighbour_labels[:k] for one in asked] for k in KS}
    hits["vote_accuracy"] = [one.voted == one.label for one in asked]
    labels = Counter(one.label for one in asked)
    measures = {name: sum(found) / len(asked) for name, found in hits.items()}
    measures["vote_balanced_accuracy"] = _balanced(asked, labels)
    return Report(
        dataset="",
        cases=len(asked),
        labels=len(labels),
        rejected=0,
        without_neighbour=sum(not one.neighbours for one in asked),
        measures=measures,
        intervals={name: wilson(sum(found), len(asked)) for name, found in hits.items()},
        baselines={"most_frequent_label": max(labels.values()) / len(asked)},
        leak={
            **{name: sum(one.let_through[name] for one in asked) for name in LEAKS},
            "excluded": _added(one.excluded for one in asked),
        },
        vote=asdict(calibration),
    )


def _balanced(asked: Sequence[Asked], labels: Mapping[str, int]) -> float:
    right = Counter(one.label for one in asked if one.voted == one.label)
    return sum(right[label] / number for label, number in labels.items()) / len(labels)


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))


def report_lines(report: Report) -> Iterator[str]:
    """For a terminal."""
    yield f"{report.dataset}: {report.cases} cases, {report.labels} labels, {report.rejected} rows rejected"
    for name, value in report.measures.items():
        interval = report.intervals.get(name)
        shown = f"   95 % {interval[0]:.1%} to {interval[1]:.1%}" if interval else ""
        yield f"  {name:<24}{value:>7.1%}{shown}"
    yield f"  {'most frequent label':<24}{report.baselines['most_frequent_label']:>7.1%}"
    yield f"let through: {', '.join(f'{report.leak[name]} {name}' for name in LEAKS)}"
    yield f"kept back: {', '.join(f'{number} {reason}' for reason, number in report.leak['excluded'].items()) or 'nothing'}"
    if report.without_neighbour:
        yield f"! {report.without_neighbour} cases found no neighbour at all and count as missed"
    for space, encoder in report.configuration.get("encoders", {}).items():
        yield f"{space}: {encoder['card']}; trained on {encoder['training_overlap']}"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write one JSON line per case.")
@AS_JSON
@click.pass_obj
def cases(settings: Settings, folder: Path, out: Path | None, as_json: bool) -> None:
    """Measure case retrieval on a collection, every lesion left out once: recall@1, recall@5, vote accuracy, leaks.

    DIR holds one folder per label, or a manifest with picture, label and, where known, lesion and subject. Nothing of it is
    kept. Exits with 1 when it cannot be read.
    """
    if out is not None:
        write_lines(out, ())  # a path that cannot be written is found out before the hour of encoding
    report, asked = _measured(folder, settings)
    if out is not None:
        write_lines(out, [asdict(one) for one in asked])
    click.echo(printing.as_json(report) if as_json else "\n".join(report_lines(report)))


def _measured(folder: Path, settings: Settings) -> tuple[Report, list[Asked]]:
    with tempfile.TemporaryDirectory(prefix="dermacite-") as temporary, bar("reading cases", None) as advance:
        done = 0

        def progress(now: int, of: int) -> None:
            nonlocal done
            advance(now - done, of)
            done = now

        service = open_service(Path(temporary), settings)
        try:
            return evaluate_collection(service, folder, progress)
        finally:
            service.close()
