"""Interventions: what a study changes in that which retrieval gave a consultation, before anything is made of it.

The vote, the prompts, the report and the ledger see what the intervention left, and the answer says that there was one.
For studies: no caller of the service can ask for one by its name. See docs/design/0017.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from inference.evidence import Found
from inference.labels import group_of
from inference.retrieved import CaseSearch, Neighbours, Passages, nearest
from inference.types import Consultation, Evidence, EvidenceKind
from retrieval.facets import folded
from retrieval.types import Hit, LegScore
from retrieval.view import View

LISTED = 5  # ids in a name; a trace that lists hundreds says nothing

ONE_LABEL = "the knowledge base has one label only: there is none to put in its place"
NO_ORACLE = "no reference case that may be shown has the label of the oracle"


class Intervention(Protocol):
    """Changes what retrieval gave. Everything here may block; it is called in threads.

    A class that derives from it inherits that nothing is changed. The vote is taken anew from what `neighbours` gives back,
    whose `similarity` stays the measure of whether the picture is in the domain at all.
    """

    @property
    def name(self) -> str:
        """What was done, for the answer's warnings and trace; "" where nothing is."""
        return ""

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:  # noqa: ARG002
        """The cases instead of those found; `search` can be asked for others. Not called where cases are switched off."""
        return found

    def references(self, hits: Sequence[Hit]) -> Sequence[Hit]:
        """The same cases in the order in which the stage 2 model is shown them; given nearest first."""
        return hits

    def passages(self, found: Passages, view: View) -> Passages:  # noqa: ARG002
        """The passages instead of those found. Not called where passages are switched off."""
        return found


class Nothing(Intervention):
    """Changes nothing: the answer is that of a service."""


NOTHING = Nothing()


@dataclass(frozen=True, slots=True)
class Without(Intervention):
    """Cases and passages with these ids vanish as if retrieval had not found them; nothing is searched in their place.

    Cases that were found behind them move up, into the vote and among those shown.
    """

    ids: frozenset[str]

    @property
    def name(self) -> str:
        """See Intervention."""
        ids = sorted(self.ids)
        more = f" and {len(ids) - LISTED} more" if len(ids) > LISTED else ""
        return f"without {', '.join(ids[:LISTED])}{more}"

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:  # noqa: ARG002
        """See Intervention."""
        hits = [hit for hit in found.ranking.hits if hit.id not in self.ids]
        return replace(found.with_hits(hits), similarity=nearest(hits))

    def passages(self, found: Passages, view: View) -> Passages:  # noqa: ARG002
        """See Intervention."""
        return replace(found, found=tuple(one for one in found.found if one.hit.id not in self.ids))


@dataclass(frozen=True, slots=True)
class ShuffledLabels(Intervention):
    """Labels of the nearest `first` cases (None: of all found) are no longer their own; pictures and captions stay.

    "permuted": dealt out among the same cases, so each label is as frequent as before. "replaced": each case gets another
    label than its own, all others being equally likely. Captions may still name the diagnosis; where they are masked
    (DiagnosisOptions.captions), the case's own label is masked too.
    """

    seed: int
    how: Literal["permuted", "replaced"] = "permuted"
    first: int | None = None

    @property
    def name(self) -> str:
        """See Intervention."""
        of = "" if self.first is None else f" of the first {self.first} cases"
        return f"labels {self.how}{of}, seed {self.seed}"

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:
        """See Intervention."""
        hits = found.hits[: self.first]
        own = [found.cases[hit.id].label for hit in hits]
        labels = search.view.cases.labels
        if self.how == "replaced" and len(labels) < 2:
            return found.with_hits(found.ranking.hits, ONE_LABEL)
        drawn = _generator(self.seed, search.consultation)
        if self.how == "permuted":
            given = [own[at] for at in drawn.permutation(len(own))]
        else:
            others = ([other for other in labels if other != label] for label in own)
            given = [some[drawn.integers(len(some))] for some in others]
        return _relabelled(found, {hit.id: label for hit, label in zip(hits, given, strict=True)})


class Reversed(Intervention):
    """The stage 2 model is shown the same references, the nearest last. The vote has no order to turn round."""

    @property
    def name(self) -> str:
        """See Intervention."""
        return "references in reverse order"

    def references(self, hits: Sequence[Hit]) -> Sequence[Hit]:
        """See Intervention."""
        return hits[::-1]


@dataclass(frozen=True, slots=True)
class RandomExemplars(Intervention):
    """As many cases as were found, drawn from all that the consultation may be shown, in the order drawn.

    Each has the score that it has in this consultation, and its rank among them. With the same seed another consultation
    draws others.
    """

    seed: int

    @property
    def name(self) -> str:
        """See Intervention."""
        return f"random cases, seed {self.seed}"

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:
        """See Intervention."""
        ids = search.view.cases.ids
        # By id: rows change with every rebuild of an index, and the draw must not.
        pool = sorted(ids[row] for row in np.flatnonzero(search.allowed))
        count = min(len(found.ranking.hits), len(pool))
        drawn = _generator(self.seed, search.consultation).choice(len(pool), count, replace=False)
        place = {pool[at]: number for number, at in enumerate(drawn)}
        given = search.found(search.rows_of(place))
        hits = sorted(given.ranking.hits, key=lambda hit: place[hit.id])
        return replace(found.with_hits(hits), cases=given.cases)


@dataclass(frozen=True, slots=True)
class OracleExemplars(Intervention):
    """Only cases of this label, nearest first, of those that the consultation may be shown. Ranks are among these."""

    label: str

    @property
    def name(self) -> str:
        """See Intervention."""
        return f"only cases of {self.label}"

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:
        """See Intervention."""
        cases = search.view.cases
        wanted = [label for label in cases.labels if folded(label) == folded(self.label)]
        given = search.found(np.isin(cases.row_labels, wanted))
        said = () if given.hits else (NO_ORACLE,)
        return replace(found.with_hits(given.ranking.hits, *said), cases=given.cases)


@dataclass(frozen=True, slots=True)
class Frozen(Intervention):
    """The stored evidence of an earlier run in its order and with its scores. Retrieval still runs, and is not heard.

    What is gone since, or may not be shown in this consultation, is left out, and the answer says how much of it.
    """

    cases: tuple[Hit, ...] = ()
    passages_found: tuple[Found, ...] = ()

    @classmethod
    def of(
        cls, cases: Sequence[tuple[str, float]], passages: Sequence[tuple[str, float]] = (), by: str = "stored evidence"
    ) -> "Frozen":
        """From ids with scores, best first."""
        return cls(
            tuple(Hit(one, score, {}) for one, score in cases),
            tuple(Found(Hit(one, score, {}), (by,)) for one, score in passages),
        )

    @classmethod
    def ledger(cls, ledger: Sequence[Evidence]) -> "Frozen":
        """From an answer's ledger. It shows a few of those that voted, so the vote is theirs and not that of before."""
        return cls(
            tuple(_hit_of(item) for item in ledger if item.kind is EvidenceKind.CASE),
            tuple(Found(_hit_of(item), item.found_by) for item in ledger if item.kind is EvidenceKind.PASSAGE),
        )

    @property
    def name(self) -> str:
        """See Intervention."""
        return f"stored evidence: {len(self.cases)} cases, {len(self.passages_found)} passages"

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:
        """See Intervention."""
        rows = search.rows_of([hit.id for hit in self.cases]) & search.allowed
        there = {search.view.cases.ids[row] for row in np.flatnonzero(rows)}
        hits = [hit for hit in self.cases if hit.id in there]
        cases = search.registry.cases([hit.id for hit in hits])
        similarity = nearest(hits) if any("picture" in hit.legs for hit in hits) else found.similarity
        said = _left_out(len(self.cases) - len(hits), "cases")
        return replace(found.with_hits(hits, *said), cases=cases, similarity=similarity if hits else None)

    def passages(self, found: Passages, view: View) -> Passages:  # noqa: ARG002
        """See Intervention."""
        wanted = {one.hit.id for one in self.passages_found}
        there = {
            one for one, alive in zip(view.passages.ids, view.passages.alive, strict=True) if alive and one in wanted
        }
        kept = tuple(one for one in self.passages_found if one.hit.id in there)
        return Passages(kept, _left_out(len(self.passages_found) - len(kept), "passages"))


@dataclass(frozen=True, slots=True)
class InTurn(Intervention):
    """One after the other: each sees what those before it left."""

    interventions: tuple[Intervention, ...]

    @property
    def name(self) -> str:
        """See Intervention."""
        return "; then ".join(one.name for one in self.interventions if one.name)

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:
        """See Intervention."""
        for one in self.interventions:
            found = one.neighbours(found, search)
        return found

    def references(self, hits: Sequence[Hit]) -> Sequence[Hit]:
        """See Intervention."""
        for one in self.interventions:
            hits = one.references(hits)
        return hits

    def passages(self, found: Passages, view: View) -> Passages:
        """See Intervention."""
        for one in self.interventions:
            found = one.passages(found, view)
        return found


def said_of(intervention: Intervention) -> tuple[str, ...]:
    """What a reader of an answer must know of it; nothing where nothing was changed."""
    return (
        (f"under an intervention ({intervention.name}): its evidence is not what retrieval gave",)
        if intervention.name
        else ()
    )


def _generator(seed: int, consultation: Consultation) -> np.random.Generator:
    """The same for the same pictures, whatever else a study asks before."""
    pictures = "".join(picture.sha256 for picture in consultation.pictures)
    return np.random.default_rng([seed, int(hashlib.sha256(pictures.encode()).hexdigest()[:16], 16)])


def _relabelled(found: Neighbours, labels: dict[str, str]) -> Neighbours:
    """A group goes with its label."""
    groups = {case.label: case.group for case in found.cases.values() if case.group}
    cases = {
        one: replace(case, label=labels[one], group=groups.get(labels[one]) or group_of(labels[one]))
        if one in labels
        else case
        for one, case in found.cases.items()
    }
    own = {one: case.label for one, case in found.cases.items() if labels.get(one, case.label) != case.label}
    return replace(found, cases=cases, relabelled={**own, **found.relabelled})


def _hit_of(item: Evidence) -> Hit:
    legs = {name: LegScore(score, item.ranks.get(name)) for name, score in item.scores.items()}
    return Hit(item.id, item.score, legs)


def _left_out(number: int, what: str) -> tuple[str, ...]:
    return (f"{number} stored {what} are left out: they are gone or may not be shown here",) if number else ()
