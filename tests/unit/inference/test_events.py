"""What happens while a consultation is answered: in which order, and what ends when nobody listens any more."""

from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio
import numpy as np
import pytest

from inference.admission import ServedModels
from inference.engines import ChatRequest
from inference.engines.errors import EngineUnreachable
from inference.errors import ConsultationRefused
from inference.events import CitationsChecked, DiseaseHeard, Event, EvidenceFound, GroupHeard, Outcome, ReportPiece
from inference.types import (
    Abstention,
    Answer,
    Consultation,
    Diagnosis,
    DiagnosisOptions,
    EngineFailure,
    EvidenceKind,
    GroupUse,
)
from tests.fakes import COLOURS, Corpus, FakeEngine, fill, naming, patch_of, picture_of, served

PSORIASIS = Consultation((picture_of(patch_of(COLOURS["psoriasis"], 1), "a new picture"),), "a scaly plaque")
TEXT = "A red plaque with silvery scale. Psoriasis is likely."


def models(text: str = TEXT, delay: float = 0.0, **disease: Any) -> ServedModels:
    return ServedModels(
        served("hikari-subaru", FakeEngine(naming("Inflammatory"), {"Inflammatory": 0.9})),
        served("hikari-sirius", FakeEngine(naming("psoriasis"), {"psoriasis": 0.9}, delay=delay, **disease)),
        served("hikari-vega", FakeEngine(text)),
    )


def told(corpus: Corpus, asked: ServedModels, consultation: Consultation = PSORIASIS, **options: Any) -> list[Event]:
    async def listen() -> list[Event]:
        async with aclosing(corpus.pipeline(models=asked).events(consultation, DiagnosisOptions(**options))) as events:
            return [event async for event in events]

    return anyio.run(listen)


def timeless(answer: Answer) -> Any:
    """The answer without what a clock says."""
    return replace(answer, trace=replace(answer.trace, timings_ms={}))


def outcome(events: list[Event]) -> Answer:
    last = events[-1]
    assert isinstance(last, Outcome)
    return last.answer


def test_events_come_in_one_order_and_the_last_is_the_outcome(shared: Corpus) -> None:
    kinds = [type(event) for event in told(shared, models())]
    pieces = kinds.count(ReportPiece)
    assert pieces > 1
    assert kinds == [
        EvidenceFound, GroupHeard, DiseaseHeard, EvidenceFound, *[ReportPiece] * pieces, CitationsChecked, Outcome,
    ]  # fmt: skip


def test_without_served_models_the_same_events_come_without_the_models(shared: Corpus) -> None:
    kinds = [type(event) for event in told(shared, ServedModels())]
    assert kinds == [EvidenceFound, DiseaseHeard, EvidenceFound, CitationsChecked, Outcome]


def test_the_evidence_told_on_the_way_is_the_ledger_of_the_outcome(shared: Corpus) -> None:
    events = told(shared, models())
    on_the_way = [item for event in events if isinstance(event, EvidenceFound) for item in event.evidence]
    ledger = outcome(events).ledger
    assert [(item.key, item.id) for item in on_the_way] == [(item.key, item.id) for item in ledger]
    first = next(event for event in events if isinstance(event, EvidenceFound))
    assert {item.kind for item in first.evidence} == {EvidenceKind.CASE}


def test_a_contrast_that_comes_later_renumbers_nothing(corpus: Corpus) -> None:
    fill(corpus)  # not built: the vote is not calibrated and all but excludes acne
    likely = {"psoriasis": 0.5, "acne": 0.4}
    asked = ServedModels(disease=served("hikari-sirius", FakeEngine(naming("psoriasis"), likely)))
    events = told(corpus, asked, k=1, references=1)
    first, second = [event.evidence for event in events if isinstance(event, EvidenceFound)]
    late = [item for item in second if item.kind is EvidenceKind.CASE]
    assert "acne vulgaris" in {item.label for item in late}
    assert [item.key for item in (*first, *second)] == [f"E{n}" for n in range(1, len(first) + len(second) + 1)]


def test_the_pieces_joined_are_the_narrative(shared: Corpus) -> None:
    events = told(shared, models())
    answer = outcome(events)
    assert isinstance(answer, Diagnosis)
    assert answer.narrative is not None
    assert "".join(event.text for event in events if isinstance(event, ReportPiece)) == answer.narrative.text == TEXT


def test_what_was_told_on_the_way_stands_in_the_outcome(shared: Corpus) -> None:
    events = told(shared, models())
    answer = outcome(events)
    assert isinstance(answer, Diagnosis)
    (group,) = [event.group for event in events if isinstance(event, GroupHeard)]
    (disease,) = [event for event in events if isinstance(event, DiseaseHeard)]
    (checked,) = [event for event in events if isinstance(event, CitationsChecked)]
    assert (group, disease.opinion) == (answer.opinions.group, answer.opinions.disease)
    assert [one.label for one in disease.candidates] == [one.label for one in answer.candidates]
    assert (checked.report, checked.citations) == (answer.report, answer.citations)


def test_an_answer_is_the_outcome_of_its_events(shared: Corpus) -> None:
    answer = anyio.run(shared.pipeline(models=models()).diagnose, PSORIASIS)
    assert timeless(answer) == timeless(outcome(told(shared, models())))


def test_an_unusable_picture_is_declined_at_once_and_nobody_is_asked(shared: Corpus) -> None:
    dark = replace(PSORIASIS.pictures[0], exposure=0.0)
    asked = models()
    (event,) = told(shared, asked, Consultation((dark,)))
    assert isinstance(event, Outcome)
    assert isinstance(event.answer, Abstention)
    assert not any(model.engine.asked for model in asked.all)  # type: ignore[attr-defined]


def test_an_abstention_ends_without_a_report(shared: Corpus) -> None:
    leaf = picture_of(np.full((32, 32, 3), (0, 255, 0), np.uint8), "a leaf")
    kinds = [type(event) for event in told(shared, models(), Consultation((leaf,)))]
    assert kinds == [EvidenceFound, GroupHeard, DiseaseHeard, EvidenceFound, Outcome]


def test_a_refusal_comes_before_any_event_and_any_work(shared: Corpus) -> None:
    asked = models()
    with pytest.raises(ConsultationRefused):
        told(shared, asked, references=9)
    assert not any(model.engine.asked for model in asked.all)  # type: ignore[attr-defined]


def test_a_failure_comes_after_the_events_before_it(shared: Corpus) -> None:
    asked = models(fails={"complete": EngineUnreachable("nobody answers")})
    heard: list[Event] = []

    async def listen() -> None:
        async with aclosing(shared.pipeline(models=asked).events(PSORIASIS)) as events:
            async for event in events:
                heard.append(event)

    with pytest.raises(EngineUnreachable):
        anyio.run(listen)
    assert [type(event) for event in heard] == [EvidenceFound, GroupHeard]


def test_a_failure_that_is_to_decline_still_ends_with_an_outcome(shared: Corpus) -> None:
    asked = models(fails={"complete": EngineUnreachable("nobody answers")})
    events = told(shared, asked, on_engine_failure=EngineFailure.ABSTAIN, group=GroupUse.IGNORED)
    assert isinstance(outcome(events), Abstention)


def test_who_stops_listening_in_the_middle_of_the_text_closes_the_engines_stream(shared: Corpus) -> None:
    asked = models("word " * 200)
    assert asked.report is not None
    engine = asked.report.engine
    assert isinstance(engine, FakeEngine)

    async def listen() -> None:
        async with aclosing(shared.pipeline(models=asked).events(PSORIASIS)) as events:
            async for event in events:
                if isinstance(event, ReportPiece):
                    assert engine.streams_open == 1
                    break
        assert engine.streams_open == 0

    anyio.run(listen)
    assert engine.streams_finished == 0


def test_cancelling_a_consultation_cancels_the_request_at_the_engine(shared: Corpus) -> None:
    asked = models(delay=30)
    assert asked.disease is not None
    engine = asked.disease.engine
    assert isinstance(engine, FakeEngine)

    async def leave() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(shared.pipeline(models=asked).diagnose, PSORIASIS)
            while engine.at_work == 0:
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()

    anyio.run(leave)
    assert engine.at_work == 0
    assert engine.asked == 1


def test_many_consultations_at_once_keep_their_own_words(shared: Corpus) -> None:
    def echo(request: ChatRequest) -> str:
        return f"The lesion has seed {request.seed}."

    asked = ServedModels(report=served("hikari-vega", FakeEngine(echo)))
    pipeline = shared.pipeline(models=asked)
    texts: dict[int, str] = {}

    async def one(seed: int) -> None:
        answer = await pipeline.diagnose(PSORIASIS, DiagnosisOptions(seed=seed))
        assert isinstance(answer, Diagnosis)
        assert answer.narrative is not None
        texts[seed] = answer.narrative.text

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for seed in range(6):
                group.start_soon(one, seed)

    anyio.run(all_of_them)
    assert texts == {seed: f"The lesion has seed {seed}." for seed in range(6)}
