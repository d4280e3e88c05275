"""Answers consultations from one knowledge base, with the neighbours' vote or with served models."""

import copy
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import anyio.to_thread

from inference.abstention import Thresholds
from inference.admission import ServedModels, check
from inference.citations import CitationVerifier
from inference.consulting import Consulting
from inference.events import Event, Outcome
from inference.gathering import Gatherer, GatheringSettings
from inference.interventions import Intervention
from inference.keeping import Keeper
from inference.observing import NOBODY, Observer, observed
from inference.parts import Parts
from inference.reference_shelf import ReferenceShelf
from inference.types import Answer, Consultation, DiagnosisOptions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """What the service is configured to do; every field is part of the answer."""

    gathering: GatheringSettings = field(default_factory=GatheringSettings)
    thresholds: Thresholds = field(default_factory=Thresholds)
    workers: int = 2  # retrievals computed at once; more only take each other's cores


class Pipeline:
    """The way of a consultation; see inference.consulting for its steps."""

    def __init__(
        self, gatherer: Gatherer, verifier: CitationVerifier, shelf: ReferenceShelf, settings: PipelineSettings,
        configuration: Mapping[str, Any], models: ServedModels = ServedModels(), keeper: Keeper | None = None,
        observer: Observer = NOBODY,
    ) -> None:  # fmt: skip
        self._keeper = keeper
        self._parts = Parts(
            gatherer, verifier, shelf, models, settings.thresholds, configuration, self._blocking, observer=observer
        )
        self._workers = settings.workers
        self._limiter: anyio.CapacityLimiter | None = None

    @property
    def models(self) -> ServedModels:
        """The served models it asks."""
        return self._parts.models

    @property
    def load(self) -> tuple[int, int]:
        """How many pieces of blocking work are done now, and how many wait."""
        if self._limiter is None:
            return 0, 0
        return int(self._limiter.borrowed_tokens), self._limiter.statistics().tasks_waiting

    def asking(self, models: ServedModels) -> "Pipeline":
        """The same pipeline with other models, for studies that compare them on one knowledge base."""
        other = copy.copy(self)
        other._parts = replace(self._parts, models=models, blocking=other._blocking)  # it is one of us
        return other

    def under(self, intervention: Intervention) -> "Pipeline":
        """The same pipeline with what retrieval gives changed, for studies; it shares the bound on work.

        Its answers are neither kept nor counted: nobody is to be told later that a guideline changed under them.
        """
        other = copy.copy(self)
        other._parts = replace(self._parts, intervention=intervention, observer=NOBODY)
        other._keeper = None
        return other

    def admit(self, consultation: Consultation, options: DiagnosisOptions) -> None:
        """Raises ConsultationRefused for what `diagnose` would refuse, before any work."""
        gatherer = self._parts.gatherer
        check(consultation, options, self._parts.models, reranks=gatherer.reranks, one_space=gatherer.one_space)

    async def diagnose(self, consultation: Consultation, options: DiagnosisOptions = DiagnosisOptions()) -> Answer:
        """A diagnosis, or an abstention with its reason.

        Raises ConsultationRefused for a request out of bounds, EngineError when a served model failed and the options
        name no way around it.
        """
        async with aclosing(self.events(consultation, options)) as events:
            async for event in events:
                if isinstance(event, Outcome):
                    return event.answer
        raise RuntimeError("a consultation ended without an outcome")

    async def events(
        self, consultation: Consultation, options: DiagnosisOptions = DiagnosisOptions()
    ) -> AsyncGenerator[Event, None]:
        """What happens on the way, the outcome last. Close it (`contextlib.aclosing`): that ends what still runs.

        Raises as `diagnose` does; ConsultationRefused before the first event.
        """
        self.admit(consultation, options)
        with observed(self._parts.observer) as answered:
            searched, calibration = await self._parts.blocking(partial(self._parts.gatherer.view, options.filters))
            consulting = Consulting(self._parts, searched, calibration, consultation, options)
            async with aclosing(consulting.events()) as events:
                async for event in events:
                    if isinstance(event, Outcome):
                        event = Outcome(await self._kept(event.answer))
                        answered(event.answer)
                    yield event

    async def _kept(self, answer: Answer) -> Answer:
        if self._keeper is None:
            return answer
        return await self._parts.blocking(partial(self._keeper.keep, answer))

    async def _blocking(self, work: Callable[[], T]) -> T:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._workers)
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)
