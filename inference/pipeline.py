"""The way of a consultation: neighbours, vote, passages, report, verification, judgement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread

from inference.abstention import NOTICE, Reason, Thresholds, unusable_picture, weak_evidence
from inference.citations import CitationVerifier, count
from inference.clock import StepClock
from inference.errors import ConsultationRefused
from inference.evidence import Found, ledger_of
from inference.exemplars import Calibration, vote
from inference.labels import group_of
from inference.reports import extractive_report
from inference.types import (
    MAX_PICTURES,
    Abstention,
    Answer,
    Candidate,
    Consultation,
    Diagnosis,
    DiagnosisOptions,
    Evidence,
    EvidenceKind,
    Statement,
    Trace,
    Verdict,
)
from knowledge.registry import Registry
from knowledge.types import ReferenceCase
from retrieval import search
from retrieval.cases import CaseOptions
from retrieval.expansion import morphology_words
from retrieval.hybrid import HybridOptions
from retrieval.leakage import Probe
from retrieval.sketches import sketch_of
from retrieval.types import Ranking
from retrieval.view import IndexReader, View

T = TypeVar("T")

MAX_NOTE = 4_000  # characters; longer is a document, not a note
ASKED = 3  # candidates for which passages are sought and quotes given
WORTH_ASKING = 0.05  # probability below which a label is not a candidate worth a reader's time
MORPHOLOGY_FROM = 5  # neighbours whose captions say which findings to ask for


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What the service is configured to do; every field is part of the answer."""

    shown_cases: int = 5
    passages_per_query: int = 4
    cases: CaseOptions = field(default_factory=CaseOptions)
    passages: HybridOptions = field(default_factory=lambda: HybridOptions(cosine_floor=0.2))
    thresholds: Thresholds = field(default_factory=Thresholds)
    workers: int = 2  # consultations computed at once; more only take each other's cores


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """What case retrieval gave: the ranking, its hydrated cases, the vote, and the best picture cosine."""

    ranking: Ranking
    cases: Mapping[str, ReferenceCase]
    candidates: tuple[Candidate, ...]
    similarity: float | None


class Pipeline:
    """Answers consultations from one knowledge base with the embedded exemplar classifier."""

    def __init__(
        self, reader: IndexReader, encoders: search.Encoders, registry: Registry, verifier: CitationVerifier,
        settings: PipelineSettings, configuration: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self._reader = reader
        self._encoders = encoders
        self._registry = registry
        self._verifier = verifier
        self._settings = settings
        self._configuration = configuration
        self._limiter: anyio.CapacityLimiter | None = None
        self._calibration: tuple[Path | None, Calibration] | None = None

    async def diagnose(self, consultation: Consultation, options: DiagnosisOptions = DiagnosisOptions()) -> Answer:
        """A diagnosis, or an abstention with its reason. Raises ConsultationRefused for a request out of bounds."""
        _check(consultation, options)
        clock = StepClock()
        answer = await self._blocking(partial(self._answer, consultation, options, clock))
        return replace(answer, trace=replace(answer.trace, timings_ms=clock.timings_ms()))

    async def _blocking(self, work: Callable[[], T]) -> T:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._settings.workers)
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    def _answer(self, consultation: Consultation, options: DiagnosisOptions, clock: StepClock) -> Answer:
        view = self._reader.view()
        calibration = self._calibration_of(view)
        trace = Trace(self._effective(view, calibration, options), {})
        unusable = unusable_picture(consultation.pictures, self._settings.thresholds)
        if unusable is not None:
            return _declined(unusable, (), (), trace, ())
        found = self._neighbours(view, consultation, options, calibration, clock)
        voters = tuple(hit.id for hit in found.ranking.hits[: calibration.k])
        kept_back = found.ranking.excluded_ids if options.leak_report else {}
        trace = replace(trace, excluded=found.ranking.excluded, excluded_ids=kept_back, voters=voters)
        words = self._question(consultation, found)
        with clock.step("passages"):
            passage_hits, remarks = self._passages(view, found.candidates, words) if options.passages else ((), ())
        with clock.step("ledger"):
            ledger = self._ledger(found, passage_hits, options)
        candidates = _with_evidence(found.candidates, ledger)
        warnings = (*found.ranking.warnings, *remarks, *_calibration_warnings(calibration))
        weak = weak_evidence(candidates, found.similarity, calibration, self._settings.thresholds)
        if weak is not None:
            return _declined(weak, _leading(candidates), ledger, trace, warnings)
        with clock.step("report"):
            report = extractive_report(_leading(candidates), ledger, words, view.passages.lexical.idf)
        with clock.step("verify"):
            checked = self._verifier.verify(report, ledger)
        kept = tuple(statement for statement in checked if _holds(statement))
        if len(kept) < len(checked):
            warnings += (f"{len(checked) - len(kept)} statements were left out: their citations could not be verified",)
        return Diagnosis(candidates, kept, ledger, count(checked), trace, warnings, NOTICE)

    def _neighbours(
        self, view: View, consultation: Consultation, options: DiagnosisOptions, calibration: Calibration,
        clock: StepClock,
    ) -> _Neighbours:  # fmt: skip
        if not options.cases or not view.cases.ids:
            return _Neighbours(Ranking(()), {}, (), None)
        with clock.step("encode_pictures"):
            pictures = search.encode_pictures(self._encoders, [picture.rgb for picture in consultation.pictures])
        with clock.step("neighbours"):
            alpha = self._settings.cases.alpha if options.alpha is None else options.alpha
            asked = replace(self._settings.cases, alpha=alpha, k=max(self._settings.cases.k, calibration.k))
            probe = _probe(consultation) if options.leak_guard else None
            ranking = search.neighbours(view, self._encoders, pictures, consultation.note, probe, asked)
            cases = self._registry.cases([hit.id for hit in ranking.hits])
        voters = [(cases[hit.id].label, hit.score) for hit in ranking.hits if hit.id in cases]
        votes = vote(voters, view.cases.labels, calibration) if voters else []
        groups = {case.label: case.group for case in cases.values()}
        candidates = tuple(Candidate(label, p, groups.get(label) or group_of(label), ()) for label, p in votes)
        best = max((hit.legs["picture"].score for hit in ranking.hits), default=None)
        return _Neighbours(ranking, cases, candidates, best)

    def _question(self, consultation: Consultation, found: _Neighbours) -> str:
        nearest = [found.cases[hit.id].caption for hit in found.ranking.hits[:MORPHOLOGY_FROM] if hit.id in found.cases]
        site = consultation.body_site or ""
        return " ".join(filter(None, (consultation.note.strip(), site, *morphology_words(nearest))))

    def _passages(
        self, view: View, candidates: Sequence[Candidate], words: str
    ) -> tuple[tuple[Found, ...], tuple[str, ...]]:
        """Passages for each likely candidate and for the words themselves; and what was degraded."""
        if not view.passages.ids:
            return (), ("there are no guideline passages; add some: dermacite ingest documents FILE...",)
        options = replace(self._settings.passages, k=self._settings.passages_per_query)
        questions = {f"candidate {one.label}": f"{one.label}. {words}" for one in _leading(candidates)}
        if words:
            questions["note and findings"] = words
        rankings = {by: search.passages(view, self._encoders, text, options) for by, text in questions.items()}
        found = tuple(Found(hit, by) for by, ranking in rankings.items() for hit in ranking.hits)
        warnings = (f"{by}: {warning}" for by, ranking in rankings.items() for warning in ranking.warnings)
        return found, tuple(warnings)

    def _ledger(
        self, found: _Neighbours, passage_hits: Sequence[Found], options: DiagnosisOptions
    ) -> tuple[Evidence, ...]:
        shown = self._settings.shown_cases if options.k is None else options.k
        hits = [hit for hit in found.ranking.hits if hit.id in found.cases]
        chosen = hits[:shown]
        for candidate in _leading(found.candidates) if shown else ():
            # The best case of each likely label is shown even when others crowd it out: the reader needs the contrast.
            best = next((hit for hit in hits if found.cases[hit.id].label == candidate.label), None)
            if best is not None and best not in chosen:
                chosen.append(best)
        passages = self._registry.passages([item.hit.id for item in passage_hits])
        return ledger_of([Found(hit, "similar case") for hit in chosen], found.cases, passage_hits, passages)

    def _calibration_of(self, view: View) -> Calibration:
        if self._calibration is None or self._calibration[0] != view.generation:
            self._calibration = (view.generation, Calibration.load(view.generation))
        return self._calibration[1]

    def _effective(self, view: View, calibration: Calibration, options: DiagnosisOptions) -> dict[str, Any]:
        return {
            **self._configuration,
            "index": {
                "generation": view.generation.name if view.generation else None,
                "corpus_generation": view.corpus_generation,
                "delta": view.delta_size,
                "masked": view.masked,
            },
            "classifier": {"name": "exemplar vote", **asdict(calibration)},
            "pipeline": asdict(self._settings),
            "options": asdict(options),
        }


def _leading(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    return [one for one in candidates[:ASKED] if one.probability >= WORTH_ASKING]


def _check(consultation: Consultation, options: DiagnosisOptions) -> None:
    if not 1 <= len(consultation.pictures) <= MAX_PICTURES:
        raise ConsultationRefused(f"send 1 to {MAX_PICTURES} pictures, not {len(consultation.pictures)}")
    if len(consultation.note) > MAX_NOTE:
        raise ConsultationRefused(f"the note is longer than {MAX_NOTE} characters; shorten it")
    if options.alpha is not None and not 0 <= options.alpha <= 1:
        raise ConsultationRefused("alpha is the share of the picture: 0 to 1")
    if options.k is not None and not 0 <= options.k <= 20:
        raise ConsultationRefused("k is how many reference cases are shown: 0 to 20")


def _probe(consultation: Consultation) -> Probe:
    return Probe(
        originals=frozenset(picture.sha256 for picture in consultation.pictures),
        hashes=tuple(picture.perceptual_hash for picture in consultation.pictures),
        lesions=frozenset(filter(None, [consultation.lesion])),
        subjects=frozenset(filter(None, [consultation.subject])),
        sources=frozenset(filter(None, [consultation.source])),
        sketches=[sketch_of(picture.rgb) for picture in consultation.pictures],
    )


def _with_evidence(candidates: Sequence[Candidate], ledger: Sequence[Evidence]) -> tuple[Candidate, ...]:
    keys: dict[str, list[str]] = {}
    for item in ledger:
        if item.kind is EvidenceKind.CASE and item.label is not None:
            keys.setdefault(item.label, []).append(item.key)
    return tuple(replace(one, evidence=tuple(keys.get(one.label, ()))) for one in candidates)


def _holds(statement: Statement) -> bool:
    return all(citation.verdict is not Verdict.UNSUPPORTED for citation in statement.citations)


def _calibration_warnings(calibration: Calibration) -> tuple[str, ...]:
    return () if calibration.queries else ("probabilities are not calibrated; run: dermacite reindex",)


def _declined(
    reason: Reason, considered: Sequence[Candidate], ledger: Sequence[Evidence], trace: Trace,
    warnings: tuple[str, ...],
) -> Abstention:  # fmt: skip
    return Abstention(
        reason.name, reason.explanation, reason.helps, tuple(considered), tuple(ledger), trace, warnings, NOTICE
    )
