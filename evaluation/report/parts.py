"""The same cases in parts: by skin tone, label and body site, with how many there are of each."""

from collections.abc import Iterator
from typing import Final

from evaluation.measures.registry import Measure
from evaluation.measures.tools import Tools
from evaluation.report.blocks import Block, Section, Table, Text
from evaluation.report.numbers import Numbers, cell_of
from evaluation.report.reading import Run
from evaluation.report.results import Notes, called, in_cell
from evaluation.statistics import Subgroup, subgroups
from evaluation.statistics.subgroups import FEW, NOT_RECORDED, By

PARTS: Final[tuple[tuple[By, str], ...]] = (("skin_tone", "skin tone"), ("label", "label"), ("body_site", "body site"))


def parts(run: Run, numbers: Numbers) -> Section:
    """In the measure in which the comparison is made."""
    blocks: list[Block] = []
    if numbers.primary is not None:
        text = (
            f"{called(numbers.primary).capitalize()} in parts of the cases. A part of fewer than {FEW} cases is marked few: it "
            "says little more than that it was there. Parts are looked at, not tested."
        )
        blocks = [Text(text), *_tables(run, numbers.primary)]
    return Section("parts", "Subgroups", blocks)


def _tables(run: Run, measure: Measure) -> Iterator[Block]:
    everything = [one for records in run.records.values() for one in records]
    for by, title in PARTS:
        found = subgroups(everything, by)
        if not found or [one.name for one in found] == [NOT_RECORDED]:
            yield Text(f"By {title}: not recorded for any case.")
            continue
        notes = Notes()
        rows = [(one.name, _cases(one), *_cells(one, run, measure, notes)) for one in found]
        yield Table(f"{called(measure).capitalize()} by {title}", (title, "cases", *run.records), rows, notes.all)


def _cases(part: Subgroup) -> str:
    return f"{part.cases} (few)" if part.few else str(part.cases)


def _cells(part: Subgroup, run: Run, measure: Measure, notes: Notes) -> Iterator[str]:
    for arm in run.records:
        own = [one for one in part.records if one.arm == arm]
        cell = cell_of(measure.of(own, Tools()), run.clusters)
        yield in_cell(cell, measure, notes) + (f"\nn = {len(own)}" if len(own) != part.cases else "")
