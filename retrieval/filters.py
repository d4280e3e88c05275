"""Filters: which passages and cases may be found at all. Exact at any selectivity.

A filter is a mask over rows, and what it leaves is compared exactly: nothing is proposed first and filtered afterwards, so
that the best of ten rows among a million are found as surely as those of half of them. How rare a word is (BM25's statistics)
stays that of the whole collection: a filter says where to look, not what a word is worth.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date
from difflib import get_close_matches
from functools import reduce
from typing import Final

import numpy as np

from knowledge.registry.documents import IN_FORCE
from knowledge.types import Role, Standing
from retrieval.facets import Facets, folded
from retrieval.types import Mask
from retrieval.view import CaseCollection, View

Values = tuple[str, ...]  # any of them; none: not filtered

OF_PASSAGES: Final = (
    "source", "jurisdiction", "language", "document", "grade", "effective_from", "effective_to", "licence", "standing", "role",
)  # fmt: skip
OF_CASES: Final = ("dataset", "label", "skin_tone", "split", "licence")
DATES: Final = ("effective_from", "effective_to")
SUGGESTED: Final = 5  # names in a warning
MOST_COMPARED: Final = 2_000  # names among which the nearest are sought; more would take longer than the search


@dataclass(frozen=True, slots=True)
class Filters:
    """All of what is set must hold; of several values of one filter any may. Each restricts only what has the property.

    Passages: `source` (title or publisher), `jurisdiction`, `language` (a tag or its first part), `document` (its id),
    `grade` (of evidence), `effective_from` and `effective_to` (the date a document took effect, both inclusive),
    `standing` (in_force unless said otherwise; expired, superseded, retired), `role` (body, table, caption, footnote,
    references). Cases: `dataset` (or declared source),
    `label`, `skin_tone`, `split`. Both: `licence`. What is not known of an item never passes.
    """

    source: Values = ()
    jurisdiction: Values = ()
    language: Values = ()
    document: Values = ()
    grade: Values = ()
    standing: Values = ()
    role: Values = ()
    effective_from: date | None = None
    effective_to: date | None = None
    dataset: Values = ()
    label: Values = ()
    skin_tone: Values = ()
    split: Values = ()
    licence: Values = ()

    @property
    def active(self) -> Values:
        """Names of those that are set."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name))

    @property
    def standings(self) -> frozenset[Standing]:
        """Of the passages that may be found."""
        wanted = {folded(one) for one in self.standing}
        return frozenset(one for one in Standing if folded(one) in wanted) or IN_FORCE

    def on(self, names: tuple[str, ...]) -> Values:
        """Those of `names` that are set."""
        return tuple(name for name in names if getattr(self, name))


def of_roles(view: View, roles: Collection[Role]) -> View:
    """`view` without the passages that are something else; the view itself where there are none."""
    [column] = view.passage_facets.columns["role"]
    mask = view.passage_facets.per_row(column.among(roles))
    if not (view.present & ~mask).any():
        return view
    passages = replace(view.passages, alive=view.passages.alive & mask)
    return replace(view, passages=passages, present=view.present & mask)


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A view in which only what passes is alive, and what a reader must be told about it."""

    view: View
    warnings: tuple[str, ...] = ()


def narrowed(view: View, filters: Filters) -> Narrowed:
    """`view` without what the filters leave out; the view itself when none is set. Searches of it are exact."""
    warnings: list[str] = []
    if aside := sorted(filters.standings - IN_FORCE):
        warnings.append(f"asked for, and not in force: {', '.join(aside)} guidelines")
    if set_here := filters.on(OF_PASSAGES):
        passages, facets = view.passages, view.passage_facets
        among = view.present if filters.standing else passages.alive
        warnings += _remarks("passage", facets, filters, set_here, among)
        alive = among & mask_of(facets, filters, set_here)
        view = replace(view, passages=replace(passages, alive=alive, vectors=passages.vectors.exact()))
        warnings += _nothing("passage", filters, set_here, alive)
    if set_here := filters.on(OF_CASES):
        cases, facets = view.cases, view.case_facets
        warnings += _remarks("reference case", facets, filters, set_here, cases.alive)
        alive = cases.alive & mask_of(facets, filters, set_here)
        view = replace(view, cases=_narrowed_cases(cases, facets, alive))
        warnings += _nothing("reference case", filters, set_here, alive)
    return Narrowed(view, tuple(warnings))


def mask_of(facets: Facets, filters: Filters, names: Values) -> Mask:
    """[n] which rows pass all of the filters `names`."""
    passing: list[Mask] = []
    for name in names:
        if name in facets.columns:
            has = [column.among(getattr(filters, name)) for column in facets.columns[name]]
            passing.append(reduce(np.bitwise_or, has))
    if _dated(names):
        first = filters.effective_from.toordinal() if filters.effective_from else 1
        last = filters.effective_to.toordinal() if filters.effective_to else date.max.toordinal()
        passing.append((facets.days >= first) & (facets.days <= last))
    return facets.per_row(reduce(np.bitwise_and, passing))


def _dated(names: Values) -> bool:
    return any(name in names for name in DATES)


def said(filters: Filters, names: Values) -> str:
    """Filters as a person writes them: `label=psoriasis, effective_to=2024-01-31`."""
    pairs = ((name, getattr(filters, name)) for name in names)
    return ", ".join(f"{name}={'|'.join(value) if isinstance(value, tuple) else value}" for name, value in pairs)


def _narrowed_cases(cases: CaseCollection, facets: Facets, alive: Mask) -> CaseCollection:
    captions = replace(cases.captions, alive=alive, vectors=cases.captions.vectors.exact())
    labels = facets.columns["label"][0].present(alive)
    return replace(
        cases, captions=captions, pictures=cases.pictures.exact(), captioned=cases.captioned & alive, labels=labels
    )


def _nothing(kind: str, filters: Filters, names: Values, alive: Mask) -> Iterator[str]:
    if not alive.any():
        yield f"no {kind} passes the filters: {said(filters, names)}"


def _remarks(kind: str, facets: Facets, filters: Filters, names: Values, alive: Mask) -> Iterator[str]:
    """Values that nothing has, with the nearest that something has, and what has no date to compare."""
    things = facets.things(alive)
    for name in names:
        for value in getattr(filters, name) if name in facets.columns else ():
            if not any((column.among([value]) & things).any() for column in facets.columns[name]):
                yield f"no {kind} has {name} “{value}”; {_what_there_is(facets, name, value, things)}"
    undated = int((things & (facets.days == 0)).sum()) if _dated(names) else 0
    if undated:
        yield f"left out for want of an effective date: {undated} of {int(things.sum())} documents"


def _what_there_is(facets: Facets, name: str, value: str, things: Mask) -> str:
    there = {one for column in facets.columns[name] for one in column.present(things)}
    if not there:
        return "none has any"
    by_key = {folded(one): one for one in sorted(there)}
    near = get_close_matches(folded(value), by_key, SUGGESTED) if len(there) <= MOST_COMPARED else []
    if near:
        return f"nearest: {', '.join(by_key[key] for key in near)}"
    more = f" and {len(there) - SUGGESTED} more" if len(there) > SUGGESTED else ""
    return f"there are: {', '.join(sorted(there)[:SUGGESTED])}{more}"
