"""The figures of a report, each with its numbers as a table: who cannot see it, or prints it, loses nothing."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import Any, Final

from matplotlib.patches import Rectangle

from evaluation.report.blocks import Figure, Table
from evaluation.report.confusion import Confusion
from evaluation.report.curves import Curve
from evaluation.report.drawing import DASHES, FAINT, INK, MARKERS, SERIES, SHADE, Canvas
from evaluation.report.wording import NONE, counted, listed, plain, share_of, span

CELL: Final = 34  # px, of a confusion matrix
LETTERS: Final = 24  # of a name on an axis; the table has all of it
PAST: Final = 0.04  # how far an axis of shares goes beyond 0 and 1, so that a point there is whole

Styled = tuple[str, Any, str]


def reliability(name: str, arm: str, bins: Sequence[Mapping[str, float]]) -> Figure:
    """How often an arm was right, by how sure it was. The area of a point is its number of cases."""
    most = max(one["cases"] for one in bins)
    with Canvas(name, 330, 300) as canvas:
        axes = canvas.axes
        axes.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1)
        x, y = [one["confidence"] for one in bins], [one["accuracy"] for one in bins]
        axes.plot(x, y, color=SERIES[0])
        axes.scatter(x, y, s=[20 + 160 * one["cases"] / most for one in bins], color=SERIES[0], zorder=3, clip_on=False)
        _shares(axes, "mean confidence", "share right")
        svg = canvas.svg()
    rows = [
        (
            f"up to {one['to']:.1f}",
            str(int(one["cases"])),
            plain(one["confidence"]),
            plain(one["accuracy"]),
        )
        for one in bins
    ]
    head = ("confidence", "cases", "mean confidence", "share right")
    gaps = [one["accuracy"] - one["confidence"] for one in bins]
    worst = max(range(len(bins)), key=lambda place: abs(gaps[place]))
    way = "right more often than it says" if gaps[worst] > 0 else "right less often than it says"
    alt = (
        f"Reliability of arm {arm}: {counted(len(bins), 'group')} of cases by confidence. Farthest from the diagonal at a "
        f"confidence of {plain(x[worst])}, where {plain(y[worst])} are right: {way}."
    )
    return Figure(f"Calibration: {arm}", alt, svg, Table(f"Calibration: {arm}", head, rows))


def coverage(name: str, curves: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Accuracy of the answers if only the surest were given, one line per arm."""
    with Canvas(name, 640, 360) as canvas:
        axes = canvas.axes
        for (arm, curve), (colour, dash, _) in zip(curves.items(), _styles(), strict=False):
            # From the left edge: nobody can answer fewer than the surest case.
            x, y = [one["coverage"] for one in curve], [one["accuracy"] for one in curve]
            axes.plot(x, y, color=colour, linestyle=dash, label=_short(arm), drawstyle="default")
            axes.plot(x[-1:], y[-1:], color=colour, marker="o", clip_on=False)
        _shares(axes, "share of cases answered, the surest first", "share of those right")
        _legend(canvas, len(curves))
        svg = canvas.svg()
    wanted = (0.25, 0.5, 0.75, 1.0)
    rows = [(arm, *(_at(curve, share) for share in wanted)) for arm, curve in curves.items()]
    head = ("arm", *(f"right, if about {share:.0%} are answered" for share in wanted))
    alt = "Accuracy over the share of cases answered. " + " ".join(
        f"{arm}: {plain(curve[-1]['accuracy'])} of the {plain(curve[-1]['coverage'])} that have a confidence."
        for arm, curve in curves.items()
    )
    return Figure("Coverage and accuracy", alt, svg, Table("Coverage and accuracy", head, rows))


def over_values(name: str, title: str, axis: str, curves: Sequence[Curve]) -> Figure:
    """Accuracy by α or by K, with 95 % intervals."""
    with Canvas(name, 460, 320) as canvas:
        axes = canvas.axes
        for curve, (colour, dash, marker) in zip(curves, _styles(), strict=False):
            x, y = [one.value for one in curve.points], [one.share for one in curve.points]
            below = [one.share - one.low if one.low is not None else 0.0 for one in curve.points]
            above = [one.high - one.share if one.high is not None else 0.0 for one in curve.points]
            axes.errorbar(
                x, y, yerr=[below, above], color=colour, linestyle=dash, marker=marker, elinewidth=1,
                label=_short(curve.label), clip_on=False,
            )  # fmt: skip
        axes.set(xlabel=axis, ylabel="accuracy", ylim=(0, 1), xticks=sorted({p.value for c in curves for p in c.points}))
        _legend(canvas, len(curves))
        svg = canvas.svg()
    rows = [
        (one.arm, f"{one.value:g}", plain(one.share), NONE if one.low is None else span(one.low, one.high or 0), str(one.n))
        for curve in curves
        for one in curve.points
    ]
    points = [one for curve in curves for one in curve.points]
    alt = f"{title}: " + ", ".join(f"{one.value:g} gives {plain(one.share)}" for one in points) + "."
    return Figure(title, alt, svg, Table(title, ("arm", axis, "accuracy", "95 % interval", "n"), rows))


def confusion(name: str, arm: str, counts: Confusion) -> Figure:
    """Truths down, answers across; a cell is as dark as its share of the row."""
    width, height = 190 + CELL * len(counts.answers), 170 + CELL * len(counts.truths)
    with Canvas(name, width, height) as canvas:
        axes = canvas.axes
        axes.grid(visible=False)
        for row, truth in enumerate(counts.truths):
            for column, answer in enumerate(counts.answers):
                _cell(axes, column, row, counts.of(truth, answer), counts.total(truth), diagonal=truth == answer)
        axes.set(xlim=(-0.5, len(counts.answers) - 0.5), ylim=(len(counts.truths) - 0.5, -0.5), aspect="equal")
        axes.set_xticks(range(len(counts.answers)), [_short(one) for one in counts.answers], rotation=60, ha="left")
        axes.set_yticks(range(len(counts.truths)), [_short(one) for one in counts.truths])
        axes.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        svg = canvas.svg()
    return Figure(f"Confusion: {arm}", _confusion_alt(arm, counts), svg, mistakes(arm, counts))


def mistakes(arm: str, counts: Confusion, most: int = 10) -> Table:
    """What was most often taken for what."""
    found = counts.mistakes()
    rows = [
        (truth, answer, share_of(number, counts.total(truth)))
        for truth, answer, number in found[:most]
    ]  # fmt: skip
    more = [f"{counted(len(found) - most, 'rarer pair')} left out."] if len(found) > most else []
    return Table(f"Most frequent mistakes: {arm}", ("truth", "answer", "cases (share of the truth's)"), rows, more)


def _confusion_alt(arm: str, counts: Confusion) -> str:
    worst = [f"{truth} taken for {answer} {number} times" for truth, answer, number in counts.mistakes()[:3]]
    return f"Confusion matrix of arm {arm}, {counted(len(counts.truths), 'label')}. " + (
        f"Most frequent mistakes: {listed(worst)}." if worst else "No mistakes."
    )


def _cell(axes: Any, column: int, row: int, number: int, of: int, *, diagonal: bool) -> None:
    share = number / of if of else 0.0
    edge = INK if diagonal else FAINT
    patch = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=SHADE, alpha=0.6 * share, linewidth=0)
    axes.add_patch(patch)
    axes.add_patch(
        Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, edgecolor=edge, linewidth=1 if diagonal else 0.4)
    )
    if number:
        axes.text(column, row, str(number), ha="center", va="center", fontsize=10)


def _at(curve: Sequence[Mapping[str, float]], share: float) -> str:
    """The accuracy at the first point that answers at least `share`; none where the curve ends before."""
    found = next((one for one in curve if one["coverage"] >= share - 1e-9), None)
    return NONE if found is None else plain(found["accuracy"])


def _shares(axes: Any, across: str, up: str) -> None:
    axes.set(xlabel=across, ylabel=up, xlim=(0, 1), ylim=(0, 1))
    axes.set_xmargin(PAST)


def _legend(canvas: Canvas, lines: int) -> None:
    if lines > 1:
        canvas.axes.legend(loc="lower left")


def _styles() -> Iterable[Styled]:
    """Told apart by dash and marker as well as by colour, for print and for who sees colours differently."""
    return zip(cycle(SERIES), cycle(DASHES), cycle(MARKERS), strict=False)


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else name[: LETTERS - 1] + "…"
