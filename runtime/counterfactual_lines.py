"""A counterfactual as a person reads it in a terminal."""

from collections.abc import Iterator, Sequence

from inference.counterfactual import Counterfactuals, Effect, ItemEffect, Standpoint
from runtime.printing import harmless

WIDTH = 34  # of what an item is called


def counterfactual_lines(found: Counterfactuals) -> Iterator[str]:
    """A table of every run, and what follows."""
    return map(harmless, _lines(found))


def _lines(found: Counterfactuals) -> Iterator[str]:
    yield f"Counterfactuals ({found.runs} runs; the answer: {_stood(found.before)})"
    yield f"  {'taken away':<{WIDTH}} cited  first label after            points  statements lost"
    for item in found.items:
        yield _row(_called(item), "yes" if item.cited else "no", item.without)
    if found.together is not None:
        yield _row("all that is cited, at once", "", found.together)
    if found.unshown is not None:
        yield _row("cases that voted unshown, at once", "", found.unshown)
    for effect in found.shuffled:
        yield _row(effect.intervention, "", effect)
    yield _row("nothing, asked again", "", found.again)
    yield ""
    yield f"depends on: {_keys(found.depends_on)}"
    yield f"cited, but the answer is the same without it: {_keys(found.cited_not_used)}"
    yield f"used, but not cited: {_keys(found.used_not_cited)}"
    if found.depends_on_labels is not None:
        yield f"depends on the labels of the cases: {'yes' if found.depends_on_labels else 'no'}"
    if found.untested:
        yield f"not tested, for want of runs: {_keys(found.untested)}"
    for warning in found.warnings:
        yield f"! {warning}"


def _called(item: ItemEffect) -> str:
    return f"{item.key} {item.kind} {item.label or item.title}"


def _row(name: str, cited: str, effect: Effect) -> str:
    shown = name if len(name) <= WIDTH else f"{name[: WIDTH - 1]}…"
    # Rounded first, so that there is no -0.0; a difference of two probabilities is in points.
    shift = "" if effect.shift is None else f"{round(effect.shift * 100, 1) + 0.0:+.1f}"
    mark = "*" if effect.changed else " "
    return f"{mark} {shown:<{WIDTH}} {cited:<5}  {_after(effect.after):<30} {shift:>8}  {effect.statements_lost:>5}".rstrip()


def _after(stood: Standpoint) -> str:
    label = stood.label or "none"
    return label if stood.reason is None else f"declined ({stood.reason})"


def _stood(stood: Standpoint) -> str:
    sure = "" if stood.probability is None else f" {stood.probability:.1%}"
    return f"{_after(stood)}{sure if stood.label else ''}"


def _keys(keys: Sequence[str]) -> str:
    return ", ".join(keys) or "nothing"
