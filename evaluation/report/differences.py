"""Each arm beside the one it is compared with. Nobody wins without an interval that excludes 0."""

from collections.abc import Iterator

from evaluation.measures.registry import Measure
from evaluation.report.blocks import Block, Section, Table, Text
from evaluation.report.numbers import TIMES, Numbers
from evaluation.report.reading import Run
from evaluation.report.results import Notes, called
from evaluation.report.wording import NONE, chance, counted, plain, signed, span
from evaluation.statistics import Comparison, Verdict

WORDS = {"first": "better", "second": "worse"}


def differences(run: Run, numbers: Numbers) -> Section:
    """Of every measure; that in which the plan's comparison is made comes first, with the test on hits and the power note."""
    if not run.others:
        return Section("differences", "Differences", [Text("There is one arm, and nothing to compare it with.")])
    text = (
        f"Each arm minus {run.reference}, on the cases that both were asked. Interval: paired bootstrap at 95 %. p: paired "
        "randomisation test, with Holm's correction across the arms of one measure; not across measures, so with many of them "
        "some differ by chance. A difference is called shown only where the corrected p is at most 0.05 and the interval at the "
        "corrected level excludes 0."
    )
    blocks: list[Block] = [Text(text), _hits(run, numbers), *(Text(one) for one in _power(run, numbers))]
    blocks.extend(_family(family, run, numbers) for family in _families(numbers))
    return Section("differences", "Differences", blocks)


def _hits(run: Run, numbers: Numbers) -> Table:
    head = ("arm", "cases", "only this arm right", "only the other right", "McNemar p", "p after Holm", "smallest difference found")
    rows = []
    for arm, one in numbers.beside.items():
        smallest = one.detectable.difference
        rows.append((
            arm, str(one.mcnemar.n), str(one.mcnemar.only_first), str(one.mcnemar.only_second), chance(one.mcnemar.p),
            chance(one.adjusted_p), "none" if smallest is None else plain(smallest),
        ))  # fmt: skip
    notes = ["Exact test. The last column: the difference in accuracy that so many cases, differing as often as these, show with "
             "a chance of 80 %."]  # fmt: skip
    if len(run.seeds) > 1:
        notes.append("Of several seeds the lowest counts: answers to one case are not independent.")
    without = [arm for arm in run.others if arm not in numbers.beside]
    if without:
        notes.append(f"No case in common with {run.reference}: {', '.join(without)}.")
    return Table(f"Right answers case by case, beside {run.reference}", head, rows, notes)


def _power(run: Run, numbers: Numbers) -> Iterator[str]:
    known = [one.detectable for one in numbers.beside.values()]
    found = [one.difference for one in known if one.difference is not None]
    if found:
        yield (
            f"Power: with {counted(run.cases, 'case')}, differences in accuracy below {plain(min(found))} to {plain(max(found))} "
            "would more likely than not go unseen at the usual 80 %; that none was found does not show that there is none."
        )
    if len(found) < len(known):
        yield (
            f"Power: {counted(len(known) - len(found), 'arm differs', 'arms differ')} from {run.reference} on too few cases "
            "for any difference to be shown."
        )


def _families(numbers: Numbers) -> list[str]:
    return list(dict.fromkeys(one.family for one in numbers.measures if _compared(numbers, one)))


def _compared(numbers: Numbers, measure: Measure) -> bool:
    of = numbers.comparisons[measure.name].values()
    return measure.unit != TIMES and any(one.difference is not None for one in of)


def _family(family: str, run: Run, numbers: Numbers) -> Table:
    notes = Notes()
    own = [one for one in numbers.measures if one.family == family and _compared(numbers, one)]
    rows = [
        (f"{called(one)}: {arm}", *_row(one, numbers.comparisons[one.name][arm], numbers.verdicts[one.name][arm], notes))
        for one in own
        for arm in run.others
    ]
    head = ("measure: arm", "difference", "95 % interval", "higher / lower / same", "p", "p after Holm", "shown")
    return Table(f"{family.capitalize()}: difference to {run.reference}", head, rows, notes.all)


def _row(measure: Measure, one: Comparison, verdict: Verdict, notes: Notes) -> tuple[str, ...]:
    if one.difference is None or one.low is None or one.high is None:
        return (f"{NONE} ({notes.number(one.missing or 'no value')})", NONE, NONE, NONE, NONE, NONE)
    counts = NONE if one.higher is None else f"{one.higher} / {one.lower} / {one.same}"
    interval = span(one.low, one.high, measure.unit, sign=True) if one.clusters > 1 else NONE
    return (
        signed(one.difference, measure.unit), interval, counts, chance(one.p), chance(verdict.adjusted_p),
        WORDS[verdict.winner] if verdict.winner else f"no ({notes.number(verdict.why)})",
    )  # fmt: skip
