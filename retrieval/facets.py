"""What filters compare: the properties of every row of a view, as columns of small numbers.

A filter is one look-up table over a column's names and one gather over its rows: at 100,000 rows about 0.1 ms. The columns
of a generation are read once; those of the delta are put behind them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.registry import CaseFacts, Registry, VersionFacts
from knowledge.types import Role, Standing
from retrieval.types import Mask

Codes = NDArray[np.int32]  # [n] positions in a column's names
Days = NDArray[np.int32]  # [n] proleptic ordinal days; 0 = unknown

UNKNOWN = ""  # the name of code 0
CASE_PROPERTIES = ("dataset", "source", "label", "skin_tone", "split", "licence")


def folded(name: str) -> str:
    """How names are compared: case, hyphens and runs of white space make no difference."""
    return " ".join(name.casefold().replace("-", " ").split())


@dataclass(frozen=True, slots=True)
class Column:
    """One property of n things. `codes` [n] point into `names`; `places` has the codes of each folded name."""

    codes: Codes = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    names: tuple[str, ...] = (UNKNOWN,)
    places: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def extended(self, values: Iterable[str | None]) -> "Column":
        """With more things behind; None and empty text are unknown, and unknown is never asked for."""
        code_of = {name: code for code, name in enumerate(self.names)}
        codes = [code_of.setdefault(value or UNKNOWN, len(code_of)) for value in values]
        names = tuple(code_of)
        places = dict(self.places)
        for name in names[len(self.names) :]:
            places[folded(name)] = (*places.get(folded(name), ()), code_of[name])
        return Column(np.concatenate([self.codes, np.array(codes, dtype=np.int32)]), names, places)

    def among(self, wanted: Iterable[str]) -> Mask:
        """[n] whether each thing has one of `wanted`."""
        keep = np.zeros(len(self.names), dtype=np.bool_)
        for name in wanted:
            keep[list(self.places.get(folded(name), ()))] = True
        found: Mask = keep[self.codes]
        return found

    def present(self, rows: Mask) -> tuple[str, ...]:
        """The names that the masked things have, sorted, without the unknown one."""
        held = np.flatnonzero(np.bincount(self.codes[rows], minlength=1))
        return tuple(sorted(self.names[code] for code in held if code))


@dataclass(frozen=True, slots=True)
class Facets:
    """Properties of the things that rows are of: passages are of a role in a version, cases of themselves (`of_row` None).

    `columns` has, by the name of a filter, the columns in which its values are looked for.
    """

    columns: Mapping[str, tuple[Column, ...]]
    days: Days = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    of_row: Codes | None = None

    def per_row(self, things: Mask) -> Mask:
        """[n] of rows from [m] of things."""
        if self.of_row is None:
            return things
        rows: Mask = things[self.of_row]
        return rows

    def things(self, rows: Mask) -> Mask:
        """[m] which things have one of the masked rows."""
        if self.of_row is None:
            return rows
        found = np.zeros(len(self.days), dtype=np.bool_)
        found[self.of_row[rows]] = True
        return found


class FacetReader:
    """Facets of cases and passages for one view after the other; the columns of a generation are kept while it serves."""

    def __init__(self, registry: Registry) -> None:
        self._facts = registry.facts
        self._kept: tuple[Path | None, int] | None = None
        self._cases: Mapping[str, Column] = {}
        self._places = Column()

    def read(
        self, folder: Path | None, since: int, cases: Sequence[str], passages: Sequence[str], base: tuple[int, int]
    ) -> tuple[Facets, Facets]:
        """Of the cases and of the passages with these ids in row order, of which the first `base` lie in `folder`.

        `since` is the corpus generation that `folder` holds. An item that the registry no longer knows is unknown.
        """
        if self._kept != (folder, since):
            self._cases = _extended({}, self._facts.cases() if base[0] else [], cases[: base[0]])
            known = self._facts.places_of_passages() if base[1] else {}
            self._places = Column().extended(map(place_named, map(known.get, passages[: base[1]])))
            self._kept = (folder, since)
        new = self._facts.places_of_passages(since)
        places = self._places.extended(map(place_named, map(new.get, passages[base[1] :])))
        columns = _extended(self._cases, self._facts.cases(since), cases[base[0] :])
        return _of_columns(columns), of_passages(places, self._facts.versions())


def of_cases(facts: Sequence[CaseFacts]) -> Facets:
    """Of these cases, in their order."""
    return _of_columns(_extended({}, facts, [one.id for one in facts]))


def place_named(place: tuple[str, Role] | None) -> str | None:
    """The name, in a column, of a role in a version."""
    return f"{place[1]} {place[0]}" if place else None


def of_passages(places: Column, facts: Mapping[str, VersionFacts]) -> Facets:
    """Of the passages in `places` (see place_named), by row. The things are its names; the first, unknown, has no property.

    "standing" has none for a version that may not be found at all.
    """
    roles, versions = zip(*(name.partition(" ")[::2] for name in places.names), strict=True)
    known = [facts.get(version) for version in versions]
    sources = [one.source if one else None for one in known]

    def column(name: str) -> Column:
        return Column().extended(getattr(one, name) if one else None for one in sources)

    return Facets(
        {
            "source": (column("title"), column("publisher")),
            "jurisdiction": (column("jurisdiction"),),
            "language": (
                column("language"),
                Column().extended(_primary(one.language) if one else None for one in sources),
            ),
            "licence": (column("licence"),),
            "grade": (column("grade"),),
            "document": (Column().extended(one.document_id if one else None for one in known),),
            "standing": (Column().extended(one.standing if one else None for one in known),),
            "role": (Column().extended(roles),),
        },
        np.array([_day(one.effective) if one else 0 for one in sources], dtype=np.int32),
        places.codes,
    )


def in_force(facets: Facets) -> Mask:
    """[n] which rows are of versions that are in force."""
    [standing] = facets.columns["standing"]
    return facets.per_row(standing.among([Standing.IN_FORCE]))


def _extended(columns: Mapping[str, Column], facts: Sequence[CaseFacts], ids: Sequence[str]) -> dict[str, Column]:
    known = {one.id: one for one in facts}
    found = [known.get(one) for one in ids]
    return {
        name: columns.get(name, Column()).extended(getattr(one, name) if one else None for one in found)
        for name in CASE_PROPERTIES
    }


def _of_columns(columns: Mapping[str, Column]) -> Facets:
    single = {name: (columns[name],) for name in CASE_PROPERTIES if name != "source"}
    return Facets({**single, "dataset": (columns["dataset"], columns["source"])})


def _primary(tag: str | None) -> str | None:
    """Whoever asks for Portuguese wants Brazil's too: "pt" of "pt-BR"."""
    return tag.partition("-")[0] if tag else None


def _day(text: str | None) -> int:
    """0 where there is no date, or a text that is none."""
    try:
        return date.fromisoformat(text).toordinal() if text else 0
    except ValueError:
        return 0
