"""What an answer depends on: it is asked for again without each piece of its evidence, and with labels that are wrong.

A citation says what a statement quotes, not what the answer would be without it. Here every piece of the ledger is taken away
in turn (inference.interventions.Without) and the two answers are compared. One at a time: of two that say the same each can be
spared, so all that is cited is also taken away together. See docs/design/0017.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import anyio

from inference.concurrent import all_of
from inference.errors import ConsultationRefused
from inference.interventions import Intervention, Nothing, ShuffledLabels, Without
from inference.keeping import shown_by
from inference.pipeline import Pipeline
from inference.types import Answer, Candidate, Consultation, Diagnosis, DiagnosisOptions, Evidence, EvidenceKind

MOST_ITEMS, MOST_SHUFFLES = 60, 10  # a ledger has some 30 items; each is one whole consultation
AT_ONCE = 4  # consultations; the pipeline and the engines have bounds of their own
MOVED = 0.05  # a smaller change of the first label's probability changes nothing for a reader

NO_WAY_AROUND = "a counterfactual compares answers of one way; leave on_engine_failure out"
UNSTEADY = (
    "asked again with nothing changed, the answer was another: a model samples, and no change shows what evidence does"
)

Progress = Callable[[int, int], None]  # runs done, of how many


@dataclass(frozen=True, slots=True)
class CounterfactualOptions:
    """`items` of the ledger are taken away at most, those that a statement cites first; `shuffles` are runs in which every
    case has a label that is not its own."""

    items: int = 30
    shuffles: int = 1


@dataclass(frozen=True, slots=True)
class Standpoint:
    """What an answer comes down to. `reason` is why it declined, `label` the first that it weighed, None where none was.

    `probability` is that of the first label of the unchanged answer; None where it was not weighed or not scored.
    """

    outcome: str
    reason: str | None
    label: str | None
    probability: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """One run under an intervention. `changed`: another outcome, reason or first label, or its probability moved by MOVED.

    `shift` is that probability, after less before. `abstained`: it declined, and the unchanged answer did not.
    `statements_lost` are statements of the unchanged report that it does not make.
    """

    intervention: str
    after: Standpoint
    shift: float | None
    abstained: bool
    changed: bool
    statements_lost: int


@dataclass(frozen=True, slots=True)
class ItemEffect:
    """What became of the answer without one piece of evidence. `cited`: by a statement of the report or narrative."""

    key: str
    kind: EvidenceKind
    id: str
    title: str
    label: str | None
    cited: bool
    used_in: tuple[str, ...]
    without: Effect


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """An answer and what it depends on; the lists hold keys of its ledger.

    `depends_on`: without it the answer is another. `cited_not_used`: a statement cites it, and the answer is the same
    without it. `used_not_cited`: the answer depends on it, and no statement cites it. `untested` was left out for want of
    runs. `together`: all that is cited taken away at once. `unshown`: the same of the cases that voted and are not in the
    ledger, None where there are none: whether the answer rests on what nobody is shown. `again`: nothing taken away, which
    tells chance from effect.
    """

    answer: Answer
    before: Standpoint
    items: tuple[ItemEffect, ...]
    together: Effect | None
    unshown: Effect | None
    shuffled: tuple[Effect, ...]
    again: Effect
    depends_on: tuple[str, ...]
    cited_not_used: tuple[str, ...]
    used_not_cited: tuple[str, ...]
    untested: tuple[str, ...]
    depends_on_labels: bool | None
    runs: int
    warnings: tuple[str, ...]


async def counterfactuals(
    pipeline: Pipeline, consultation: Consultation, options: DiagnosisOptions = DiagnosisOptions(),
    asked: CounterfactualOptions = CounterfactualOptions(), progress: Progress = lambda _done, _of: None,
) -> Counterfactuals:  # fmt: skip
    """The answer, and the same consultation under every intervention, some at a time.

    Raises ConsultationRefused as `Pipeline.diagnose` does and for limits out of bounds; EngineError when a model fails once.
    """
    admit(options, asked)
    answer = await pipeline.diagnose(consultation, options)
    cited = [one.key for one in shown_by(answer) if one.cited]
    items = sorted(answer.ledger, key=lambda item: item.key not in cited)[
        : asked.items
    ]  # stable: else as in the ledger
    at_once = [[item.id for item in answer.ledger if item.key in cited], _unshown(answer)]
    planned = _planned(items, at_once, _shuffles(answer, asked))
    effects = iter(await _run(pipeline, consultation, options, answer, planned, progress))
    again = next(effects)
    of_items = tuple(
        ItemEffect(item.key, item.kind, item.id, item.title, item.label, item.key in cited, item.used_in, next(effects))
        for item in items
    )
    shuffled = tuple(islice(effects, _shuffles(answer, asked)))
    together, unshown = (next(effects) if ids else None for ids in at_once)
    return _summed_up(answer, of_items, together, unshown, shuffled, again, runs=len(planned) + 1)


def admit(options: DiagnosisOptions, asked: CounterfactualOptions) -> None:
    """Raises ConsultationRefused, saying what is possible."""
    if not 1 <= asked.items <= MOST_ITEMS:
        raise ConsultationRefused(f"items is how many pieces of evidence are taken away: 1 to {MOST_ITEMS}")
    if not 0 <= asked.shuffles <= MOST_SHUFFLES:
        raise ConsultationRefused(f"shuffles is how often labels are shuffled: 0 to {MOST_SHUFFLES}")
    if options.on_engine_failure is not None:
        raise ConsultationRefused(NO_WAY_AROUND)


def standpoint(answer: Answer, of: str | None) -> Standpoint:
    """What the answer comes down to; `of` is the label whose probability is compared."""
    weighed = _weighed(answer)
    probability = next((one.probability for one in _scored(answer) if one.label == of), None)
    reason = None if isinstance(answer, Diagnosis) else answer.reason
    return Standpoint(answer.outcome, reason, weighed[0].label if weighed else None, probability)


def effect_of(intervention: Intervention, before: Answer, after: Answer) -> Effect:
    """The difference that the intervention made."""
    first = next((one.label for one in _weighed(before)), None)
    was, now = standpoint(before, first), standpoint(after, first)
    shift = None if was.probability is None or now.probability is None else now.probability - was.probability
    other = (was.outcome, was.reason, was.label) != (now.outcome, now.reason, now.label)
    said = {one.text for one in after.report} if isinstance(after, Diagnosis) else set()
    lost = [one for one in before.report if one.text not in said] if isinstance(before, Diagnosis) else []
    return Effect(
        intervention.name or "nothing changed", now, shift, now.outcome == "abstention" != was.outcome,
        other or (shift is not None and abs(shift) >= MOVED), len(lost),
    )  # fmt: skip


def _planned(items: Sequence[Evidence], at_once: Sequence[Sequence[str]], shuffles: int) -> list[Intervention]:
    """Again, then without each item, with shuffled labels, without each group that is taken away at once."""
    return [
        Nothing(),
        *(Without(frozenset({item.id})) for item in items),
        *(ShuffledLabels(seed, "replaced") for seed in range(shuffles)),
        *(Without(frozenset(ids)) for ids in at_once if ids),
    ]


def _unshown(answer: Answer) -> list[str]:
    """The cases that voted and are not in the ledger."""
    shown = {item.id for item in answer.ledger}
    return [one for one in answer.trace.voters if one not in shown]


def _shuffles(answer: Answer, asked: CounterfactualOptions) -> int:
    """Where no case was found there is no label to shuffle."""
    return asked.shuffles if answer.trace.voters else 0


async def _run(
    pipeline: Pipeline, consultation: Consultation, options: DiagnosisOptions, before: Answer,
    planned: Sequence[Intervention], progress: Progress,
) -> list[Effect]:  # fmt: skip
    """In the order planned. The first failure ends the others."""
    door = anyio.CapacityLimiter(AT_ONCE)
    done = 1  # the answer itself

    async def one(intervention: Intervention) -> Effect:
        nonlocal done
        async with door:
            after = await pipeline.under(intervention).diagnose(consultation, options)
        done += 1
        progress(done, len(planned) + 1)
        return effect_of(intervention, before, after)

    progress(done, len(planned) + 1)
    return await all_of([partial(one, intervention) for intervention in planned])


def _summed_up(
    answer: Answer, items: tuple[ItemEffect, ...], together: Effect | None, unshown: Effect | None,
    shuffled: tuple[Effect, ...], again: Effect, *, runs: int,
) -> Counterfactuals:  # fmt: skip
    first = next((one.label for one in _weighed(answer)), None)
    tested = {one.key for one in items}
    in_order = sorted(items, key=lambda one: int(one.key[1:]))
    return Counterfactuals(
        answer, standpoint(answer, first), tuple(in_order), together, unshown, shuffled, again,
        depends_on=tuple(one.key for one in in_order if one.without.changed),
        cited_not_used=tuple(one.key for one in in_order if one.cited and not one.without.changed),
        used_not_cited=tuple(one.key for one in in_order if one.without.changed and not one.cited),
        untested=tuple(item.key for item in answer.ledger if item.key not in tested),
        depends_on_labels=any(one.changed for one in shuffled) if shuffled else None,
        runs=runs,
        warnings=(UNSTEADY,) if again.changed else (),
    )  # fmt: skip


def _weighed(answer: Answer) -> tuple[Candidate, ...]:
    return answer.candidates if isinstance(answer, Diagnosis) else answer.considered


def _scored(answer: Answer) -> tuple[Candidate, ...]:
    """Every label with its probability: an abstention lists only the first few, and the whole vote beside them."""
    voted = () if answer.opinions.disease is not None else answer.opinions.neighbours
    return (*_weighed(answer), *voted)
