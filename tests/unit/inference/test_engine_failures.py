"""What an engine's failure leads to, at every stage: an error, unless the caller named a way around it."""

from functools import partial
from typing import Any

import anyio
import pytest

from inference.admission import ServedModels
from inference.engines.errors import (
    ConstraintIgnored,
    ContextTooLong,
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineTimedOut,
    EngineUnreachable,
    InputRefused,
    MalformedAnswer,
)
from inference.types import (
    Abstention,
    Answer,
    Consultation,
    Diagnosis,
    DiagnosisOptions,
    EngineFailure,
    GroupUse,
    ReportMode,
)
from tests.fakes import COLOURS, Corpus, FakeEngine, naming, patch_of, picture_of, served

PSORIASIS = picture_of(patch_of(COLOURS["psoriasis"], 1), "a new picture")
ABSTAIN, EXEMPLAR = EngineFailure.ABSTAIN, EngineFailure.EXEMPLAR
KINDS = (
    EngineUnreachable, EngineTimedOut, EngineMisconfigured, InputRefused, ContextTooLong, MalformedAnswer,
    ConstraintIgnored,
)  # fmt: skip
STAGES = ("group", "disease", "report")
TOLD = {"group": "Stage 1", "disease": "Stage 2", "report": "Stage 3"}


def engine_of(stage: str, error: EngineError | None, fails_after: int = 0) -> FakeEngine:
    says: Any = {
        "group": naming("Inflammatory"),
        "disease": naming("psoriasis"),
        "report": "A red plaque. It is scaly.",
    }
    likely = {"group": {"Inflammatory": 0.9}, "disease": {"psoriasis": 0.9}, "report": None}
    fails = {} if error is None else {"stream" if stage == "report" else "complete": error}
    return FakeEngine(says[stage], likely[stage], fails=fails, fails_after=fails_after)


def models(failing: str | None = None, error: EngineError | None = None) -> ServedModels:
    profiles = {"group": "hikari-subaru", "disease": "hikari-sirius", "report": "hikari-vega"}
    return ServedModels(
        *(served(profiles[stage], engine_of(stage, error if stage == failing else None)) for stage in STAGES)
    )


def ask(corpus: Corpus, asked: ServedModels, **options: Any) -> Answer:
    given = DiagnosisOptions(**{"group": GroupUse.SOFT} | options)
    return anyio.run(partial(corpus.pipeline(models=asked).diagnose, Consultation((PSORIASIS,)), given))


def test_without_a_failure_there_is_nothing_to_tell(shared: Corpus) -> None:
    answer = ask(shared, models(), on_engine_failure=EXEMPLAR)
    assert isinstance(answer, Diagnosis)
    assert not any("failed" in warning for warning in answer.warnings)
    assert [record.stage for record in answer.trace.stages] == ["group", "disease", "report (guided)"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", [*KINDS, EngineOverloaded])
def test_a_failure_is_an_error_where_no_way_around_was_named(
    shared: Corpus, stage: str, kind: type[EngineError]
) -> None:
    error = kind("what happened")
    with pytest.raises(kind) as raised:
        ask(shared, models(stage, error))
    assert raised.value is error


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", [ABSTAIN, EXEMPLAR])
def test_a_busy_engine_is_always_an_error_because_the_caller_can_come_again(
    shared: Corpus, stage: str, way: EngineFailure
) -> None:
    with pytest.raises(EngineOverloaded) as raised:
        ask(shared, models(stage, EngineOverloaded("the queue is full", retry_after=7)), on_engine_failure=way)
    assert raised.value.retry_after == 7


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_abstention_names_the_stage_what_happened_and_what_helps(
    shared: Corpus, stage: str, kind: type[EngineError]
) -> None:
    answer = ask(shared, models(stage, kind("what happened")), on_engine_failure=ABSTAIN)
    assert isinstance(answer, Abstention)
    assert answer.reason == kind.reason
    assert answer.explanation == f"{TOLD[stage]} failed: what happened."
    assert answer.helps == kind.help
    assert answer.ledger


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_embedded_way_answers_where_it_was_asked_for_and_says_so(
    shared: Corpus, stage: str, kind: type[EngineError]
) -> None:
    answer = ask(shared, models(stage, kind("what happened")), on_engine_failure=EXEMPLAR)
    assert isinstance(answer, Diagnosis)
    (told,) = [one for one in answer.warnings if "failed" in one]
    assert told.startswith(TOLD[stage].casefold())
    assert kind.reason in told
    assert answer.candidates[0].label == "psoriasis"
    assert answer.report


def test_after_stage_1_failed_stage_2_is_not_asked_what_it_could_not_be_told(shared: Corpus) -> None:
    asked = models("group", EngineUnreachable("nobody answers"))
    answer = ask(shared, asked, on_engine_failure=EXEMPLAR, group=GroupUse.USED)
    assert isinstance(answer, Diagnosis)
    assert asked.disease is not None
    assert asked.disease.engine.asked == 0  # type: ignore[attr-defined]
    assert answer.trace.configuration["classifier"]["name"] == "exemplar vote"
    assert [one.probability for one in answer.candidates] == [one.probability for one in answer.opinions.neighbours]


@pytest.mark.parametrize("way", [None, ABSTAIN, EXEMPLAR])
def test_a_group_that_would_have_changed_nothing_is_only_missed(shared: Corpus, way: EngineFailure | None) -> None:
    asked = models("group", EngineUnreachable("nobody answers"))
    answer = ask(shared, asked, group=GroupUse.IGNORED, on_engine_failure=way)
    assert isinstance(answer, Diagnosis)
    assert answer.opinions.group is None
    assert answer.opinions.disease is not None
    (told,) = [one for one in answer.warnings if "stage 1" in one]
    assert "engine_unreachable" in told


def test_a_busy_group_model_that_would_have_changed_nothing_is_only_missed(shared: Corpus) -> None:
    answer = ask(shared, models("group", EngineOverloaded("full")), group=GroupUse.IGNORED)
    assert isinstance(answer, Diagnosis)
    assert any("engine_overloaded" in one for one in answer.warnings)


def test_after_stage_2_failed_the_vote_decides_and_nobody_is_said_to_have_stated_anything(shared: Corpus) -> None:
    answer = ask(shared, models("disease", EngineTimedOut("too long")), on_engine_failure=EXEMPLAR)
    assert isinstance(answer, Diagnosis)
    assert answer.opinions.disease is None
    assert answer.trace.configuration["classifier"]["name"] == "exemplar vote"
    assert [record.stage for record in answer.trace.stages] == ["group", "report (guided)"]
    assert answer.narrative is not None, "stage 3 did not fail"


def test_a_failure_of_scoring_is_a_failure_of_the_stage(shared: Corpus) -> None:
    engine = FakeEngine(naming("psoriasis"), {"psoriasis": 0.9}, fails={"score": EngineTimedOut("too long")})
    asked = ServedModels(disease=served("hikari-sirius", engine))
    with pytest.raises(EngineTimedOut):
        ask(shared, asked, group=GroupUse.IGNORED)
    answer = ask(shared, asked, group=GroupUse.IGNORED, on_engine_failure=EXEMPLAR)
    assert isinstance(answer, Diagnosis)
    assert answer.opinions.disease is None


def test_after_stage_3_failed_quotes_alone_are_the_report(shared: Corpus) -> None:
    answer = ask(shared, models("report", EngineUnreachable("broke off")), on_engine_failure=EXEMPLAR)
    assert isinstance(answer, Diagnosis)
    assert answer.narrative is None
    assert answer.report
    assert answer.opinions.disease is not None
    assert answer.trace.configuration["classifier"]["name"] == "hikari-sirius"
    assert not any("hikari-vega" in warning for warning in answer.warnings)


def test_a_text_that_broke_off_leaves_no_half_narrative(shared: Corpus) -> None:
    engine = engine_of("report", EngineUnreachable("broke off"), fails_after=3)
    answer = ask(
        shared, ServedModels(report=served("hikari-vega", engine)), group=GroupUse.IGNORED, on_engine_failure=EXEMPLAR
    )
    assert isinstance(answer, Diagnosis)
    assert answer.narrative is None
    assert engine.streams_open == 0


def test_a_grounded_report_that_is_no_report_is_a_failure(shared: Corpus) -> None:
    writer = served("qwen3-vl-8b-instruct", FakeEngine('{"statements": "psoriasis"}'))
    options = {"group": GroupUse.IGNORED, "report": ReportMode.GROUNDED}
    with pytest.raises(MalformedAnswer):
        ask(shared, ServedModels(report=writer), **options)
    answer = ask(shared, ServedModels(report=writer), on_engine_failure=EXEMPLAR, **options)
    assert isinstance(answer, Diagnosis)
    assert answer.narrative is None
    assert any("malformed_answer" in warning for warning in answer.warnings)


def test_without_cases_the_embedded_way_has_nothing_to_answer_with(shared: Corpus) -> None:
    answer = ask(
        shared, models("disease", EngineUnreachable("nobody answers")), cases=False, on_engine_failure=EXEMPLAR
    )
    assert isinstance(answer, Abstention)
    assert answer.reason == "no_reference_cases"
    assert any("failed" in warning for warning in answer.warnings)
