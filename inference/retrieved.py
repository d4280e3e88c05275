"""What retrieval gives a consultation, and its search for cases, which can be asked again about fewer of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from inference.evidence import Found
from inference.exemplars import Calibration, vote
from inference.labels import group_of
from inference.types import Candidate, Consultation
from knowledge.registry import Registry
from knowledge.types import ReferenceCase
from retrieval import search
from retrieval.cases import CaseOptions
from retrieval.leakage import Probe, leak_guard
from retrieval.sketches import sketch_of
from retrieval.types import Explanation, Hit, Mask, Ranking, Vectors
from retrieval.view import CaseCollection, View


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What case retrieval gave: the ranking, its hydrated cases, the vote, and the best picture cosine.

    `relabelled` has the own labels of cases that an intervention gave another.
    """

    ranking: Ranking = field(default_factory=lambda: Ranking(()))
    cases: Mapping[str, ReferenceCase] = field(default_factory=dict)
    vote: tuple[Candidate, ...] = ()
    similarity: float | None = None
    relabelled: Mapping[str, str] = field(default_factory=dict)

    @property
    def hits(self) -> list[Hit]:
        """Those the registry still knows, nearest first."""
        return [hit for hit in self.ranking.hits if hit.id in self.cases]

    def with_hits(self, hits: Sequence[Hit], *warnings: str) -> "Neighbours":
        """The same with these hits instead, in this order, and more to tell a reader."""
        said = (*self.ranking.warnings, *warnings)
        return replace(self, ranking=replace(self.ranking, hits=tuple(hits), warnings=said))

    def voted(self, labels: Sequence[str], calibration: Calibration) -> "Neighbours":
        """The same with the vote of its hits on `labels`."""
        hits = self.hits
        voters = [(self.cases[hit.id].label, hit.score) for hit in hits]
        shares = vote(voters, labels, calibration) if voters else []
        groups = {self.cases[hit.id].label: self.cases[hit.id].group for hit in hits}
        return replace(
            self, vote=tuple(Candidate(label, p, groups.get(label) or group_of(label), ()) for label, p in shares)
        )


@dataclass(frozen=True, slots=True)
class Passages:
    """The best passages of all parts in one order, what was degraded, and how each part's ranking came about."""

    found: tuple[Found, ...] = ()
    warnings: tuple[str, ...] = ()
    explanations: Mapping[str, Explanation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CaseSearch:
    """The search for cases of one consultation. `probe` None: without the leak guard.

    Scores are exact, so a case has the same score whatever else is searched.
    """

    view: View
    encoders: search.Encoders
    registry: Registry
    consultation: Consultation
    pictures: Vectors
    probe: Probe | None
    options: CaseOptions

    @property
    def allowed(self) -> Mask:
        """[n] rows that this consultation may be shown."""
        cases = self.view.cases
        return cases.alive if self.probe is None else cases.alive & leak_guard(cases.guard, self.probe).allowed

    def found(self, among: Mask | None = None) -> Neighbours:
        """The nearest cases, hydrated, without their vote; with `among` [n] only of these rows."""
        view = self.view if among is None else replace(self.view, cases=_among(self.view.cases, among))
        ranking = search.neighbours(
            view, self.encoders, self.pictures, self.consultation.note, self.probe, self.options
        )
        cases = self.registry.cases([hit.id for hit in ranking.hits])
        return Neighbours(ranking, cases, similarity=nearest(ranking.hits))

    def rows_of(self, ids: Collection[str]) -> Mask:
        """[n] the rows of these cases."""
        return np.isin(np.array(self.view.cases.ids, dtype=np.str_), list(ids))


def nearest(hits: Sequence[Hit]) -> float | None:
    """The best picture cosine; None where no hit has one."""
    return max((hit.legs["picture"].score for hit in hits if "picture" in hit.legs), default=None)


def probe_of(consultation: Consultation) -> Probe:
    """What the leak guard compares with the reference cases."""
    return Probe(
        originals=frozenset(picture.sha256 for picture in consultation.pictures),
        hashes=tuple(picture.perceptual_hash for picture in consultation.pictures),
        lesions=frozenset(filter(None, [consultation.lesion])),
        subjects=frozenset(filter(None, [consultation.subject])),
        sources=frozenset(filter(None, [consultation.source])),
        sketches=[sketch_of(picture.rgb) for picture in consultation.pictures],
    )


def _among(cases: CaseCollection, rows: Mask) -> CaseCollection:
    captions = replace(cases.captions, alive=cases.alive & rows)
    return replace(cases, captions=captions, captioned=cases.captioned & rows)
