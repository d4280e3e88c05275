"""Which figures a report has, and for those it has not, why."""

from collections.abc import Iterator
from typing import Any, Final

from evaluation.extra import not_installed
from evaluation.report.blocks import Block, Figures, Section, Text
from evaluation.report.confusion import Confusion, confusion_of
from evaluation.report.curves import VARIED, curves_of
from evaluation.report.numbers import Numbers
from evaluation.report.reading import Run
from evaluation.report.wording import counted, listed

PANELS: Final = 6  # arms with a figure of their own
MATRICES: Final = 4
LINES: Final = 8  # arms in one figure: as many as can be told apart
LABELS: Final = 20  # of a confusion matrix that can still be read


def figures(run: Run, numbers: Numbers) -> Section:
    """Calibration, coverage, curves, confusion. Without matplotlib the section says how to get it."""
    try:
        from evaluation.report import charts  # here, because drawing needs a library that a table does not
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return Section("figures", "Figures", [Text(f"Figures are left out: {not_installed('matplotlib')}")])
    blocks = [
        *_calibration(run, numbers, charts), *_coverage(run, numbers, charts), *_curves(run, numbers, charts),
        *_confusion(run, charts),
    ]  # fmt: skip
    return Section("figures", "Figures", blocks)


def _calibration(run: Run, numbers: Numbers, charts: Any) -> Iterator[Block]:
    bins = {arm: numbers.details(arm, "bins") for arm in run.records}
    known = [arm for arm, of in bins.items() if of]
    if not known:
        yield Text("Calibration and coverage: no arm gives probabilities.")
        return
    yield Text(f"Calibration: how often the label put first was right, by its probability.{_left_out(known, PANELS)}")
    yield Figures([
        charts.reliability(f"calibration-{place}", arm, bins[arm]) for place, arm in enumerate(known[:PANELS])
    ])  # fmt: skip


def _coverage(run: Run, numbers: Numbers, charts: Any) -> Iterator[Block]:
    curves = {arm: curve for arm in run.records if (curve := numbers.details(arm, "curve"))}
    if curves:
        kept = dict(list(curves.items())[:LINES])
        text = "Coverage and accuracy: how accurate the labels put first would be if only the surest were given."
        yield Text(text + _left_out(list(curves), LINES))
        yield Figures([charts.coverage("coverage", kept)])


def _curves(run: Run, numbers: Numbers, charts: Any) -> Iterator[Block]:
    found = [
        charts.over_values(f"curve-{option}", title, axis, curves[:LINES])
        for option, (title, axis) in VARIED.items()
        if (curves := curves_of(run, numbers, option))
    ]
    if found:
        yield Text("Arms that differ in one number alone, with 95 % intervals.")
        yield Figures(found)


def _confusion(run: Run, charts: Any) -> Iterator[Block]:
    answered = [arm for arm, records in run.records.items() if records]
    if not answered:
        return
    counts = {arm: confusion_of(run.records[arm]) for arm in answered[:MATRICES]}
    yield Text(
        "Confusion: truths down, answers across, darker with their share of the truth's cases; framed: right. In brackets: no "
        f"label was answered.{_left_out(answered, MATRICES)}"
    )
    drawn = {arm: one for arm, one in counts.items() if _readable(one)}
    if drawn:
        yield Figures(
            [charts.confusion(f"confusion-{place}", arm, one) for place, (arm, one) in enumerate(drawn.items())]
        )
    for arm, one in counts.items():
        if arm not in drawn:
            labels = counted(max(len(one.truths), len(one.answers)), "label")
            yield Text(f"No matrix of {arm}: {labels}, and more than {LABELS} cannot be read. Its mistakes instead:")
            yield charts.mistakes(arm, one)


def _readable(counts: Confusion) -> bool:
    return max(len(counts.truths), len(counts.labels)) <= LABELS


def _left_out(arms: list[str], most: int) -> str:
    rest = arms[most:]
    return f" The first {most} arms are drawn; not drawn: {listed(rest)}." if rest else ""
