"""One consultation on its way: what was found so far, and the steps that find more."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from inference.abstention import NOTICE, Reason, out_of_domain, unusable_picture, weak_evidence
from inference.account import Account
from inference.admission import references_of, report_modes
from inference.citations import count, held
from inference.classifying import decide, likeliest, references
from inference.clock import StepClock
from inference.concurrent import all_of
from inference.engines.errors import EngineError
from inference.events import CitationsChecked, DiseaseHeard, Event, EvidenceFound, GroupHeard, Outcome, ReportPiece
from inference.evidence import with_evidence
from inference.exemplars import Calibration
from inference.gathering import leading
from inference.interventions import said_of
from inference.judging import conflict, disagreements, model_reason, no_group
from inference.narrating import Narrator
from inference.parts import Parts
from inference.query_pictures import QueryPictures
from inference.reports import extractive_report
from inference.retrieved import Neighbours, Passages
from inference.served import ServedModel
from inference.stages import ask_group
from inference.types import (
    Abstention,
    Candidate,
    CitationCheck,
    Consultation,
    Diagnosis,
    DiagnosisOptions,
    Evidence,
    GroupUse,
    ModelOpinion,
    Narrative,
    Opinions,
    ReportMode,
    StageRecord,
    Statement,
    Trace,
)
from knowledge.licences import may_show
from retrieval.filters import Narrowed
from retrieval.types import Hit

GroupHeardBy = tuple[ServedModel, ModelOpinion, StageRecord]


class Consulting:
    """Answers one consultation; made for it and used once."""

    def __init__(
        self, parts: Parts, searched: Narrowed, calibration: Calibration, consultation: Consultation,
        options: DiagnosisOptions,
    ) -> None:  # fmt: skip
        self._parts, self._view, self._calibration = parts, searched.view, calibration
        self._consultation, self._options = consultation, options
        self._decider: ServedModel | None = parts.models.disease
        self._clock = StepClock(parts.observer)
        self._pictures = QueryPictures([one.rgb for one in consultation.pictures])
        self._found = Neighbours()
        self._passages = Passages()
        self._shown: list[Hit] = []
        self._ledger: tuple[Evidence, ...] = ()
        self._words = ""
        self._opinions = Opinions()
        self._candidates: tuple[Candidate, ...] = ()
        self._narrative: Narrative | None = None
        self._warnings = [*said_of(parts.intervention), *searched.warnings]
        self._account = Account(self._warnings)

    async def events(self) -> AsyncGenerator[Event, None]:
        """What happens, in order; the last is the outcome. Raises EngineError where no way around it was asked for."""
        reason = unusable_picture(self._consultation.pictures, self._parts.thresholds)
        if reason is not None:
            yield self._declined(reason)
            return
        reason = await self._look_around()
        yield EvidenceFound(self._ledger)
        if self._opinions.group is not None:
            yield GroupHeard(self._opinions.group)
        reason = reason or await self._decide()
        yield DiseaseHeard(self._candidates, self._opinions.disease)
        known = len(self._ledger)
        await self._parts.blocking(self._read_guidelines)
        yield EvidenceFound(self._ledger[known:])
        reason = reason or self._weakness()
        if reason is None:
            async with aclosing(self._narrate()) as told:
                async for one in told:
                    if isinstance(one, Reason):
                        reason = one
                        break
                    yield one
        if reason is not None:
            yield self._declined(reason)
            return
        report, checked = await self._parts.blocking(self._report)
        yield CitationsChecked(report, checked)
        yield self._diagnosed(report, checked)

    # --- retrieval and stage 1: neither needs the other ------------------------------------------------------------

    async def _look_around(self) -> Reason | None:
        heard: list[GroupHeardBy | EngineError] = []
        calls: list[Callable[[], Awaitable[None]]] = [
            partial(self._parts.blocking, self._search_cases),
            partial(self._ask_group, heard),
        ]
        await all_of(calls)
        self._opinions = replace(self._opinions, neighbours=self._candidates)
        # Taken up only now, so that warnings have one order, whoever was faster.
        return self._take_group(heard[0]) if heard else None

    def _search_cases(self) -> None:
        gatherer, options = self._parts.gatherer, self._options
        self._found = gatherer.neighbours(
            self._view, self._consultation, options, self._calibration, self._clock, self._parts.intervention
        )
        self._warnings += self._found.ranking.warnings
        self._words = gatherer.words(self._consultation, self._found)
        self._shown = gatherer.shown(self._found, options, self._references)
        self._ledger = gatherer.ledger(self._found, self._shown)
        self._candidates = with_evidence(self._found.vote, self._ledger, self._named)

    async def _ask_group(self, heard: list[GroupHeardBy | EngineError]) -> None:
        model = self._parts.models.group
        if model is None:
            return
        try:
            with self._clock.step("group"):
                heard.append((model, *await ask_group(model, await self._pictures.seen_by(model), self._options.seed)))
        except EngineError as error:
            heard.append(error)

    def _take_group(self, heard: GroupHeardBy | EngineError) -> Reason | None:
        if isinstance(heard, EngineError):
            if self._options.group is not GroupUse.IGNORED:
                return self._around(heard, "stage 1")
            self._warnings.append(f"stage 1 was not heard ({heard.reason}); its group would have changed nothing")
            return None
        model, opinion, record = heard
        self._account.heard(model, record)
        self._opinions = replace(self._opinions, group=opinion)
        return None

    # --- stage 2 ---------------------------------------------------------------------------------------------------

    async def _decide(self) -> Reason | None:
        """The served model's candidates in place of the vote, which is kept beside them."""
        model = self._decider
        if model is None:
            return None
        if self._options.group is GroupUse.USED and likeliest(self._opinions.group) is None:
            return no_group()
        keys = {item.id: item.key for item in self._ledger}
        shown = await self._parts.blocking(
            partial(references, model, self._parts.shelf, self._found, self._references_shown(), keys, self._options)
        )
        try:
            with self._clock.step("disease"):
                decided = await decide(
                    model, await self._pictures.seen_by(model), shown, self._options, self._opinions.group
                )
        except EngineError as error:
            return self._around(error, "stage 2")
        self._account.heard(model, decided.record)
        self._warnings += decided.warnings
        self._opinions = replace(self._opinions, disease=decided.opinion)
        self._candidates = with_evidence(decided.candidates, self._ledger, self._named)
        return None

    def _references_shown(self) -> Sequence[Hit]:
        """The nearest cases that a model server may see."""
        may = [hit for hit in self._shown if may_show(self._found.cases[hit.id].licence)]
        if self._references and len(may) < len(self._shown):
            withheld = len(self._shown) - len(may)
            self._warnings.append(f"{withheld} reference cases were not shown to a model: their licence forbids it")
        return self._parts.intervention.references(may[: self._references])

    def _weakness(self) -> Reason | None:
        """Why what was heard does not carry an answer."""
        thresholds = self._parts.thresholds
        opinion = self._opinions.disease
        if opinion is None:
            return weak_evidence(self._candidates, self._found.similarity, self._calibration, thresholds)
        self._warnings += disagreements(self._opinions, self._candidates, self._named)
        return (
            out_of_domain(self._found.similarity, self._calibration)
            or model_reason(opinion, self._candidates, thresholds)
            or conflict(self._opinions.neighbours, self._candidates, self._named, thresholds)
        )

    # --- guidelines ------------------------------------------------------------------------------------------------

    def _read_guidelines(self) -> None:
        """Passages about the candidates, and the nearest case of each where the ledger has none yet."""
        gatherer = self._parts.gatherer
        with self._clock.step("passages"):
            queries = gatherer.sub_queries(self._consultation, self._found, self._candidates)
            if self._options.passages:
                self._passages = gatherer.passages(self._view, queries, self._options, self._parts.intervention)
        self._warnings += self._passages.warnings
        with self._clock.step("ledger"):
            if gatherer.wanted(self._options) and self._opinions.disease is not None:
                self._shown += gatherer.contrast(self._found, self._candidates, self._shown, self._named)
            self._ledger = gatherer.ledger(self._found, self._shown, self._passages.found, self._options.filters)
            self._candidates = with_evidence(self._candidates, self._ledger, self._named)

    # --- report ----------------------------------------------------------------------------------------------------

    async def _narrate(self) -> AsyncGenerator[Event | Reason, None]:
        """The model's text piece by piece; a reason where its failure is to end in an abstention."""
        model = self._parts.models.report
        mode = self._options.report or report_modes(model.profile if model else None)[-1]
        if model is None or mode is ReportMode.EXTRACTIVE:
            return
        narrator = Narrator(model, mode, self._candidates[0], self._ledger)
        try:
            with self._clock.step("narrative"):
                seen = await self._pictures.seen_by(model)
                written = narrator.pieces(seen, self._consultation.note, self._options.seed)
                async with aclosing(written) as pieces:
                    async for piece in pieces:
                        yield ReportPiece(piece)
            idf = self._view.passages.lexical.idf
            narrative = await self._parts.blocking(partial(narrator.narrative, self._parts.verifier, idf))
        except EngineError as error:
            reason = self._around(error, "stage 3")
            if reason is not None:
                yield reason
            return
        self._account.heard(model, narrator.record)
        self._narrative = narrative
        if narrative.conflict:
            self._warnings.append(f"{narrative.model}: {narrative.conflict}")

    def _report(self) -> tuple[tuple[Statement, ...], CitationCheck]:
        """Quotes, after what a grounded model stated; only statements whose citations hold."""
        with self._clock.step("report"):
            idf = self._view.passages.lexical.idf
            quotes = extractive_report(leading(self._candidates), self._ledger, self._words, idf)
        with self._clock.step("verify"):
            quoted = self._parts.verifier.verify(quotes, self._ledger)
        told = self._narrative.statements if self._narrative else ()
        grounded = told if self._narrative and self._narrative.mode is ReportMode.GROUNDED else ()
        kept = held((*grounded, *quoted))
        if left_out := len(grounded) + len(quoted) - len(kept):
            self._warnings.append(f"{left_out} statements were left out: no citation of theirs could be verified")
        return kept, count((*told, *quoted))

    # --- answers ---------------------------------------------------------------------------------------------------

    def _diagnosed(self, report: tuple[Statement, ...], checked: CitationCheck) -> Outcome:
        return Outcome(
            Diagnosis(
                self._candidates, report, self._account.used(self._ledger), checked, self._trace(),
                self._account.told(self._calibration), NOTICE, self._opinions, self._narrative,
            )
        )  # fmt: skip

    def _declined(self, reason: Reason) -> Outcome:
        return Outcome(
            Abstention(
                reason.name, reason.explanation, reason.helps, tuple(leading(self._candidates)),
                self._account.used(self._ledger), self._trace(), self._account.told(self._calibration), NOTICE, self._opinions,
            )
        )  # fmt: skip

    def _trace(self) -> Trace:
        voters = tuple(hit.id for hit in self._found.ranking.hits[: self._calibration.k])
        decider = self._decider.profile.name if self._decider else None
        ranking = self._found.ranking
        return Trace(
            self._parts.effective(self._view, self._calibration, self._options, decider), self._clock.timings_ms(),
            ranking.excluded, ranking.excluded_ids if self._options.leak_report else {}, voters,
            tuple(self._account.records), self._passages.explanations,
        )  # fmt: skip

    # --- what the steps share --------------------------------------------------------------------------------------

    @property
    def _references(self) -> int:
        return references_of(self._options, self._decider.profile) if self._decider else 0

    def _named(self, label: str) -> str:
        """A case's label as the deciding model calls it, where it knows it."""
        known = self._decider.labels.known_as(label) if self._decider else None
        return label if known is None else known.name

    def _around(self, error: EngineError, what: str) -> Reason | None:
        reason = self._account.way_around(error, what, self._options.on_engine_failure)
        if reason is None and what != "stage 3":
            self._decider = None
        return reason
