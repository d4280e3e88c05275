"""What came out: every arm's results and measures, with what is missing and why."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from evaluation.measures.registry import Better, Measure
from evaluation.records import Result
from evaluation.report.blocks import Block, Section, Table, Text
from evaluation.report.numbers import TIMES, Cell, Numbers
from evaluation.report.reading import Run
from evaluation.report.wording import NONE, counted, listed, plain, share_of, signed, span

ACROSS: Final = 6  # measures beside each other in a table: as many as a printed page holds
FEW: Final = 20  # cases; an interval from fewer is too narrow
EVERY: Final = "every arm"
SPELLED: Final = {
    "aurc": "AURC", "bert": "BERT", "bleu": "BLEU", "bleurt": "BLEURT", "brier": "Brier score", "cohens": "Cohen's",
    "ece": "ECE", "f1": "F1", "l": "L", "mcc": "MCC", "meteor": "METEOR", "ndcg@5": "nDCG@5", "p50": "P50", "p95": "P95",
    "rouge": "ROUGE",
}  # fmt: skip


def summary(run: Run, numbers: Numbers) -> Section:
    """The first thing to be read."""
    blocks: list[Block] = [Text(run.about)] if run.about else []
    seeds = f" Seeds: {', '.join(map(str, run.seeds))}." if len(run.seeds) > 1 else ""
    asked = f"{counted(run.cases, 'case')}, {counted(len(run.records), 'arm')}.{seeds}"
    if run.reference is None:
        return Section("summary", "Summary", [*blocks, Text(f"{asked} Nothing was asked.")])
    blocks.append(Text(f"{asked} The arms are compared with {run.reference}."))
    blocks.append(_glance(run, numbers))
    if numbers.primary is not None:
        blocks.extend(Text(one) for one in _shown(run, numbers, numbers.primary))
    if run.cases < FEW:
        blocks.append(
            Text(f"Only {counted(run.cases, 'case')}: intervals from so few are too narrow; read them as a hint.")
        )
    return Section("summary", "Summary", blocks)


def _glance(run: Run, numbers: Numbers) -> Table:
    measure = numbers.primary
    notes = Notes()
    rows = []
    for arm, records in run.records.items():
        cell = numbers.cells[arm][measure.name] if measure else None
        rows.append((
            arm, str(len(records)), str(sum(one.result is Result.CORRECT for one in records)),
            in_cell(cell, measure, notes) if cell and measure else NONE, _difference(run, numbers, arm),
        ))  # fmt: skip
    name = called(measure) if measure else "accuracy"
    head = ("arm", "answers asked for", "right", f"{name} [95 % interval]", "difference [95 % interval]")
    return Table(f"Arms by {name}, and their difference to {run.reference}", head, rows, notes.all)


def _difference(run: Run, numbers: Numbers, arm: str) -> str:
    if arm == run.reference or numbers.primary is None:
        return "compared with" if arm == run.reference else NONE
    one = numbers.comparisons[numbers.primary.name][arm]
    if one.difference is None or one.low is None or one.high is None:
        return NONE
    return f"{signed(one.difference)} {span(one.low, one.high, sign=True)}"


def _shown(run: Run, numbers: Numbers, measure: Measure) -> Iterator[str]:
    verdicts = numbers.verdicts[measure.name]
    better = [arm for arm, one in verdicts.items() if one.winner == "first"]
    worse = [arm for arm, one in verdicts.items() if one.winner == "second"]
    if better:
        yield f"Shown to be better than {run.reference} in {called(measure)}: {listed(better)}."
    if worse:
        yield f"Shown to be worse than {run.reference} in {called(measure)}: {listed(worse)}."
    rest = [arm for arm in verdicts if arm not in (*better, *worse)]
    if rest:
        yield f"No difference to {run.reference} shown, which is not the same as none: {listed(rest)}."


def outcomes(run: Run) -> Section:
    """The five results as counts."""
    rows = []
    for arm, records in run.records.items():
        counts = Counter(one.result for one in records)
        rows.append((arm, str(len(records)), *(share_of(counts[one], len(records)) for one in Result)))
    text = (
        "Five different things: right; wrong; unparsed (a model answered, and its answer names no label); abstained (the "
        "service declined, with its reason); failed (an engine or a file failed, and nobody answered)."
    )
    blocks: list[Block] = [Text(text), Table("Results by arm", ("arm", "n", *map(str, Result)), rows)]
    if any(one.reason for of in run.records.values() for one in of):
        blocks.append(_reasons(run))
    return Section("results", "What became of each case", blocks)


def _reasons(run: Run) -> Table:
    counts = Counter(
        (f"{one.result}: {one.reason}", arm) for arm, of in run.records.items() for one in of if one.reason
    )
    reasons = sorted({reason for reason, _ in counts})
    rows = [(reason, *(str(counts[reason, arm]) for arm in run.records)) for reason in reasons]
    return Table("Reasons given, in cases", ("reason", *run.records), rows)


def measures(run: Run, numbers: Numbers) -> Section:
    """One table per family, arms down and measures across."""
    text = (
        "Each value with its 95 % interval: bootstrap of the cases, those of one person or lesion together. A dash is "
        "a measure that could not be had, with the reason; it is never 0. What each measure says stands at the end."
    )
    blocks: list[Block] = [Text(text), *_families(run, numbers, times=False)]
    absent = _absent(run, numbers)
    if absent.rows:
        blocks.append(absent)
    return Section("measures", "Measures", blocks)


def timings(run: Run, numbers: Numbers, varying: Sequence[tuple[str, str]]) -> Section:
    """What another run of the same plan need not repeat, hence apart from everything else."""
    text = "Everything above is the same to the byte for the same records. What stands here differs from run to run."
    blocks: list[Block] = [Text(text), *_families(run, numbers, times=True)]
    if varying:
        blocks.append(Table("When and how long", ("what", "value"), list(varying)))
    return Section("timings", "Timings", blocks)


def glossary(numbers: Numbers) -> Section:
    """What each measure says, of those that any arm has."""
    ways = {Better.HIGHER: "higher is better", Better.LOWER: "lower is better", Better.NEITHER: "neither way is better"}
    rows = [
        (called(one), one.family, one.says, ways[one.better])
        for one in numbers.measures
        if any(cells[one.name].measured.value is not None for cells in numbers.cells.values())
    ]
    head = ("measure", "family", "what it says", "which way")
    return Section("glossary", "What the measures say", [Table("Measures of this report", head, rows)] if rows else [])


class Notes:
    """Reasons, each once, by number."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def number(self, reason: str) -> int:
        """From 1."""
        if reason not in self.all:
            self.all.append(reason)
        return self.all.index(reason) + 1


def called(measure: Measure) -> str:
    """A measure's name as it is read."""
    return " ".join(SPELLED.get(word, word) for word in measure.name.split("_"))


def in_cell(cell: Cell, measure: Measure, notes: Notes) -> str:
    """The value over its interval, or the number of the reason why there is none."""
    if cell.measured.value is None:
        return f"{NONE} ({notes.number(cell.measured.missing or 'no value')})"
    value = plain(cell.measured.value, measure.unit)
    if cell.interval is None:
        return f"{value}\n({notes.number('a single case: no interval')})"
    return f"{value}\n{span(cell.interval.low, cell.interval.high, measure.unit)}"


def _families(run: Run, numbers: Numbers, *, times: bool) -> Iterator[Table]:
    had = [one for one in numbers.measures if (one.unit == TIMES) is times and _anywhere(numbers, one)]
    for family in dict.fromkeys(one.family for one in had):
        own = [one for one in had if one.family == family]
        tables = -(-len(own) // ACROSS)
        size = -(-len(own) // tables)  # as evenly as it goes: a table of one column says little
        for number in range(tables):
            part = f" ({number + 1} of {tables})" if tables > 1 else ""
            yield _family(f"{family.capitalize()}{part}", run, numbers, own[number * size : (number + 1) * size])


def _family(caption: str, run: Run, numbers: Numbers, own: Sequence[Measure]) -> Table:
    notes = Notes()
    rows = [
        (arm, str(len(records)), *(in_cell(numbers.cells[arm][one.name], one, notes) for one in own))
        for arm, records in run.records.items()
    ]
    units = {TIMES: " (ms)", "tokens": " (tokens)"}
    head = ("arm", "n", *(called(one) + units.get(one.unit, "") for one in own))
    return Table(caption, head, rows, notes.all)


def _anywhere(numbers: Numbers, measure: Measure) -> bool:
    return any(cells[measure.name].measured.value is not None for cells in numbers.cells.values())


def _absent(run: Run, numbers: Numbers) -> Table:
    """Measures that no arm has. Those which some arm has stand in its family's table."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in numbers.measures:
        if not _anywhere(numbers, one):
            for arm in run.records:
                reason = numbers.cells[arm][one.name].measured.missing or "no value"
                found.setdefault((called(one), reason), []).append(arm)
    grouped = _by_reason(found, len(run.records))
    return Table("Not measured", ("reason", "measures", "arms"), grouped)


def _by_reason(found: Mapping[tuple[str, str], Sequence[str]], arms: int) -> list[tuple[str, str, str]]:
    by_reason: dict[tuple[str, str], list[str]] = {}
    for (name, reason), of in found.items():
        who = EVERY if len(of) == arms else ", ".join(of)
        by_reason.setdefault((reason, who), []).append(name)
    return [(reason, ", ".join(names), who) for (reason, who), names in by_reason.items()]
