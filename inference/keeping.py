"""Keeps which evidence an answer showed and cited: ids only, so that a changed guideline can name the answers it touches."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

from inference.types import Abstention, Answer, Diagnosis, Statement
from knowledge.registry import Registry
from knowledge.registry.answers import Shown


@dataclass(frozen=True, slots=True)
class Keeper:
    """Keeps ledgers of answers in one registry."""

    registry: Registry

    def keep(self, answer: Answer) -> Answer:
        """The answer with the id it is kept under. Raises StorageFailed."""
        name = f"a-{uuid.uuid4().hex[:20]}"
        generation = self.registry.corpus_generation()
        self.registry.answers.keep(name, answer.outcome, generation, shown_by(answer))
        return replace(answer, trace=replace(answer.trace, kept_as=name))


def shown_by(answer: Diagnosis | Abstention) -> list[Shown]:
    """Every piece of evidence of its ledger, and whether a statement cites it."""
    cited = {citation.evidence for statement in _statements(answer) for citation in statement.citations}
    return [Shown(one.key, one.kind, one.id, one.version_id, one.key in cited) for one in answer.ledger]


def _statements(answer: Diagnosis | Abstention) -> Iterator[Statement]:
    if isinstance(answer, Diagnosis):
        yield from answer.report
        yield from answer.narrative.statements if answer.narrative else ()
