"""Puts questions to a service, so many at once, and hands back a record for each, whatever became of it."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from anyio import to_thread

from evaluation.controls import Heard, consultation_of, intervention_of
from evaluation.datasets import Item
from evaluation.errors import PlanRefused
from evaluation.frozen import StoredEvidence
from evaluation.outcomes import LabelNames, Question, failed_record, record_of
from evaluation.plans import Arm, Control
from evaluation.records import CaseRecord
from inference.concurrent import all_of
from inference.engines.errors import EngineError
from inference.errors import ConsultationRefused
from inference.events import DiseaseHeard, Outcome
from inference.interventions import Intervention, InTurn
from inference.pipeline import Pipeline
from inference.types import Answer, Candidate, Consultation, DiagnosisOptions
from knowledge.errors import KnowledgeError
from knowledge.pictures import Picture
from runtime.service import Service

SERVED_AT_ONCE: Final = 4  # consultations, each of them a request for an answer and one for each label's score
UNREADABLE: Final = "picture_unreadable"


@dataclass(frozen=True, slots=True)
class Bench:
    """One arm with the service that answers under it."""

    arm: Arm
    service: Service
    names: LabelNames
    stored: StoredEvidence | None = None

    @classmethod
    def of(cls, arm: Arm, service: Service, labels: Iterable[str]) -> "Bench":
        """`labels` are those of the data set. Raises PlanRefused, SettingsRefused, and what assembly raises."""
        model = service.models.disease
        if arm.control is Control.REVERSED and model is None:
            raise PlanRefused(
                f"arms.{arm.name}: control reversed turns the references of a served model round, and here the cases "
                "vote, in no order"
            )
        stored = StoredEvidence.read(arm.frozen.run, arm.frozen.arm) if arm.frozen else None
        return cls(arm, service, LabelNames(model.labels if model else None, labels), stored)

    @property
    def at_once(self) -> int:
        """Consultations that this arm is asked at once where the plan does not say."""
        models = self.service.models.all
        if not models:
            return self.service.settings.workers
        return min(SERVED_AT_ONCE, *(self.service.settings.models[one.profile.name].concurrent for one in models))

    def intervention(self, item: Item, seed: int) -> Intervention:
        """What is done to the evidence of one case. Raises PlanRefused where stored evidence has nothing for it."""
        return intervention_of(self.arm.control, item, seed) if self.stored is None else self.stored.of(item.id, seed)

    def admit(self, items: Sequence[Item]) -> None:
        """Find out before anything is asked what would be refused. Raises PlanRefused."""
        for item in items:
            try:
                consultation = consultation_of(item, self.service.admit(item.read()), self.arm)
                self.service.pipeline.admit(consultation, self.arm.options(0))
            except ConsultationRefused as error:
                raise PlanRefused(f"arms.{self.arm.name}: {error}") from error
            except (OSError, KnowledgeError):
                continue  # its record will say so; another one shows whether the arm can be asked
            return


async def ask(bench: Bench, question: Question) -> CaseRecord:
    """One record. Raises only what says that no question can be asked at all."""
    started, heard = time.perf_counter(), Heard()
    try:
        picture = await to_thread.run_sync(_picture, bench.service, question.item)
        consultation = consultation_of(question.item, picture, bench.arm, question.seed)
        pipeline = bench.service.pipeline.under(InTurn((bench.intervention(question.item, question.seed), heard)))
        answer, candidates = await _answered(pipeline, consultation, bench.arm.options(question.seed))
    except _Unreadable:
        return failed_record(question, UNREADABLE, _ms(started))
    except (EngineError, ConsultationRefused) as error:
        return failed_record(question, error.reason, _ms(started))
    return record_of(question, answer, candidates, bench.names, _ms(started), heard.found)


async def ask_all(
    bench: Bench, questions: Iterable[Question], at_once: int, done: Callable[[CaseRecord], None]
) -> None:
    """Every question, `at_once` at a time; `done` is told each record when it is there."""
    waiting = iter(questions)

    async def work() -> None:
        for question in waiting:
            done(await ask(bench, question))

    await all_of([work] * at_once)


class _Unreadable(Exception):
    """The picture of a case cannot be read."""


def _picture(service: Service, item: Item) -> Picture:
    try:
        return service.admit(item.read())
    except (OSError, KnowledgeError) as error:
        raise _Unreadable from error


async def _answered(
    pipeline: Pipeline, consultation: Consultation, options: DiagnosisOptions
) -> tuple[Answer, tuple[Candidate, ...]]:
    """The answer, and every candidate in its order: an abstention names only those worth a reader's time."""
    candidates: tuple[Candidate, ...] = ()
    async with aclosing(pipeline.events(consultation, options)) as events:
        async for event in events:
            if isinstance(event, DiseaseHeard):
                candidates = event.candidates
            elif isinstance(event, Outcome):
                return event.answer, candidates
    raise RuntimeError("a consultation ended without an outcome")


def _ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000
