"""Stage 1 and 2 on a served model: real profiles on a double of an engine."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inference.engines import ChatRequest
from inference.engines.checking import check_continuations
from inference.engines.errors import ConstraintIgnored, ContextTooLong
from inference.label_probabilities import LabelCalibration
from inference.profiles import Layout, load_profile, profiles
from inference.prompt_texts import prompt_text
from inference.prompts import EMPTY_THOUGHT, ImagePart, Message, Reference, TextPart
from inference.stages import DiseaseQuestion, ask_disease, ask_group
from inference.types import ModelOpinion, StageRecord
from tests.fakes import (
    ANSWER_TOKENS,
    PROMPT_TOKENS,
    RARE,
    SCORE_TOKENS,
    FakeEngine,
    naming,
    pictures_in,
    served,
    texts_in,
    words_in,
)

RED = ImagePart(np.full((64, 48, 3), (200, 40, 40), np.uint8))
BLUE = ImagePart(np.full((64, 48, 3), (40, 40, 200), np.uint8))
LABELLED = [name for name in profiles() if load_profile(name).labels is not None]
CASES = (
    ("E1", Reference(RED, "psoriasis", "A plaque of psoriasis.")),
    ("E2", Reference(BLUE, "acne vulgaris", "Papules.")),
)


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


async def ask(
    engine: FakeEngine, *pictures: ImagePart, profile: str = "hikari-sirius", calibration: LabelCalibration | None = None,
    **question: Any,
) -> tuple[ModelOpinion, StageRecord]:  # fmt: skip
    asked = DiseaseQuestion(**{"prompt": "P0", "layout": Layout.EVALUATION} | question)
    return await ask_disease(served(profile, engine, calibration), pictures or (RED,), asked)


def shares_of(opinion: ModelOpinion) -> dict[str, float]:
    return {one.label: one.probability for one in opinion.shares}


def by_picture(red: Mapping[str, float], blue: Mapping[str, float]) -> Any:
    """What is likely for each of the two query pictures, which are the last ones of their messages."""
    return lambda request: red if pictures_in(request)[-1] is RED else blue


# --- the forms of answers


@pytest.mark.parametrize("name", LABELLED)
def test_the_answers_of_every_profile_exclude_each_other(name: str) -> None:
    model = served(name, FakeEngine())
    check_continuations(model.forms())
    assert len(model.forms()) == len(model.labels.labels)


@pytest.mark.parametrize("name", LABELLED)
def test_no_choice_is_cut_off_even_where_every_byte_is_a_token(name: str) -> None:
    model = served(name, FakeEngine())
    request = model.label_request((Message("user", (TextPart("?"),)),), constrained=True)
    assert request.max_new_tokens > max(len(text.encode()) for text in request.choice or ())
    assert request.max_new_tokens >= model.profile.decoding.max_new_tokens


@pytest.mark.anyio
async def test_a_model_answers_in_the_form_it_was_trained_on() -> None:
    engine = FakeEngine(naming("lichen planus"))
    opinion, record = await ask(engine)
    (request,) = engine.completed
    assert "This image shows lichen planus." in (request.choice or ())
    assert record.raw == ("This image shows lichen planus.",)
    assert (opinion.stated, opinion.method) == ("lichen planus", "constrained")


@pytest.mark.anyio
async def test_an_answer_in_the_models_words_becomes_our_name() -> None:
    profile = load_profile("hikari-sirius")
    assert profile.labels is not None
    renamed = tuple(replace(label, answer=f"type {n}") for n, label in enumerate(profile.labels.labels))
    other = replace(profile, labels=replace(profile.labels, labels=renamed))
    engine = FakeEngine("This image shows type 1.", {"type 1.": 0.9})
    opinion, _ = await ask_disease(served(other, engine), [RED], DiseaseQuestion("P0", Layout.SINGLE))
    assert opinion.stated == opinion.shares[0].label == "lupus erythematosus"


# --- probabilities


@pytest.mark.anyio
async def test_each_label_has_its_share_and_their_sum_is_the_mass() -> None:
    opinion, _ = await ask(FakeEngine(naming("psoriasis"), {"psoriasis": 0.6, "acne": 0.2}))
    mass = 0.6 + 0.2 + 8 * RARE
    assert shares_of(opinion)["psoriasis"] == pytest.approx(0.6 / mass)
    assert shares_of(opinion)["acne vulgaris"] == pytest.approx(0.2 / mass)
    assert len(opinion.shares) == 10
    assert [one.label for one in opinion.shares][:2] == ["psoriasis", "acne vulgaris"]
    assert opinion.label_mass == pytest.approx(mass)
    assert not opinion.calibrated


@pytest.mark.anyio
async def test_a_calibration_changes_the_shares_and_not_the_mass() -> None:
    likely = {"psoriasis": 0.64, "acne": 0.04}
    opinion, _ = await ask(FakeEngine(naming("psoriasis"), likely), calibration=LabelCalibration(2.0, 9, "held out"))
    shares = shares_of(opinion)
    assert shares["psoriasis"] / shares["acne vulgaris"] == pytest.approx(0.8 / 0.2)
    assert opinion.label_mass == pytest.approx(0.64 + 0.04 + 8 * RARE)
    assert opinion.calibrated


@pytest.mark.anyio
async def test_an_engine_that_cannot_score_states_a_label_without_a_probability() -> None:
    engine = FakeEngine(naming("psoriasis"), likely=None)
    opinion, record = await ask(engine, RED, BLUE)
    assert (opinion.stated, opinion.shares, opinion.label_mass) == ("psoriasis", (), None)
    assert not engine.scored
    assert record.requests == 2


@pytest.mark.anyio
async def test_scores_are_of_the_very_prompt_that_was_answered() -> None:
    engine = FakeEngine(naming("psoriasis"), {"psoriasis": 0.9})
    await ask(engine, references=CASES)
    (completed,), ((scored, continuations),) = engine.completed, engine.scored
    assert words_in(scored) == words_in(completed)
    assert pictures_in(scored) == pictures_in(completed), "the same objects, so that each is encoded once"
    assert continuations == completed.choice


# --- several pictures


@pytest.mark.anyio
async def test_pictures_are_asked_one_by_one_and_their_shares_averaged() -> None:
    engine = FakeEngine(naming("psoriasis"), by_picture({"psoriasis": 0.9}, {"psoriasis": 0.3, "acne": 0.3}))
    opinion, record = await ask(engine, RED, BLUE)
    assert [len(pictures_in(request)) for request in engine.completed] == [1, 1]
    first, second = 0.9 / (0.9 + 9 * RARE), 0.3 / (0.6 + 8 * RARE)
    assert shares_of(opinion)["psoriasis"] == pytest.approx((first + second) / 2)
    assert opinion.label_mass == pytest.approx((0.9 + 9 * RARE + 0.6 + 8 * RARE) / 2)
    assert opinion.stated == "psoriasis"
    assert record.pictures == 2


@pytest.mark.anyio
async def test_pictures_that_are_answered_differently_state_nothing() -> None:
    def answer(request: ChatRequest) -> str:
        red = pictures_in(request)[-1] is RED
        return naming("psoriasis" if red else "acne vulgaris")(request)

    opinion, record = await ask(FakeEngine(answer, {"psoriasis": 0.9}), RED, BLUE)
    assert (opinion.stated, opinion.method) == (None, "pictures_disagree")
    assert opinion.shares[0].label == "psoriasis"
    assert record.raw == ("This image shows psoriasis.", "This image shows acne vulgaris.")


# --- answers without a constraint


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "label", "method"),
    [
        ("This image shows psoriasis.", "psoriasis", "anchored"),
        ("Melanoma", None, "outside_set"),
        ("This is not psoriasis.", None, "negated"),
        ("", None, "empty"),
        ("<think>It may be psoriasis", None, "cut_off"),
    ],
)
async def test_a_free_answer_is_parsed_and_why_not_is_kept(said: str, label: str | None, method: str) -> None:
    engine = FakeEngine(said, {"psoriasis": 0.9})
    opinion, record = await ask(engine, constrained=False)
    assert (opinion.stated, opinion.method) == (label, method)
    assert record.raw == (said,)
    assert engine.completed[0].choice is None
    assert opinion.shares, "its labels are scored all the same"


@pytest.mark.anyio
async def test_an_instruct_model_writes_freely_and_is_scored_where_its_prompts_end() -> None:
    engine = FakeEngine("Scaly plaques.\nDiagnosis: psoriasis", {"psoriasis": 0.9})
    opinion, _ = await ask(engine, profile="qwen3-vl-8b-instruct", prompt="P3", constrained=False)
    assert opinion.stated == "psoriasis"
    (scored, continuations) = engine.scored[0]
    assert engine.completed[0].opening == ""
    assert scored.opening == "Diagnosis:"
    assert " psoriasis" in continuations


@pytest.mark.anyio
async def test_an_instruct_model_that_is_constrained_begins_where_its_prompts_end() -> None:
    engine = FakeEngine(naming("psoriasis"))
    await ask(engine, profile="qwen3-vl-8b-instruct", prompt="P3", constrained=True)
    assert engine.completed[0].opening == "Diagnosis:"
    assert " psoriasis" in (engine.completed[0].choice or ())


@pytest.mark.anyio
async def test_a_server_that_ignores_the_list_is_found_out() -> None:
    with pytest.raises(ConstraintIgnored):
        await ask(FakeEngine("Melanoma, I think."))


# --- the empty thought


@pytest.mark.anyio
@pytest.mark.parametrize("constrained", [True, False])
async def test_the_empty_thought_begins_the_answer_of_a_thinking_model(constrained: bool) -> None:
    engine = FakeEngine(naming("psoriasis"), {"psoriasis": 0.9})
    await ask(engine, constrained=constrained)
    assert engine.completed[0].opening == engine.scored[0][0].opening == EMPTY_THOUGHT


@pytest.mark.anyio
async def test_a_model_that_may_think_is_read_after_its_thought() -> None:
    profile = load_profile("hikari-sirius")
    thinks = replace(profile, thinking=replace(profile.thinking, prefill_empty_block=False))
    said = "Psoriasis or eczema?</think>\n\nThis image shows lichen planus."
    engine = FakeEngine(said)
    question = DiseaseQuestion("P0", Layout.SINGLE, constrained=False)
    opinion, _ = await ask_disease(served(thinks, engine), [RED], question)
    assert engine.completed[0].opening == ""
    assert opinion.stated == "lichen planus"


# --- what it cost


@pytest.mark.anyio
async def test_the_record_adds_up_every_request() -> None:
    _, record = await ask(FakeEngine(naming("psoriasis"), {"psoriasis": 0.9}), RED, BLUE, references=CASES)
    assert record.requests == 2 + 2 * 10
    assert record.prompt_tokens == 2 * PROMPT_TOKENS + 2 * 10 * SCORE_TOKENS
    assert record.completion_tokens == 2 * ANSWER_TOKENS
    assert (record.stage, record.profile, record.model, record.engine) == (
        "disease", "hikari-sirius", "served-hikari-sirius", "fake",
    )  # fmt: skip
    assert (record.prompt, record.layout, record.references, record.dropped) == ("P0", "evaluation", ("E1", "E2"), ())


@pytest.mark.anyio
async def test_references_that_do_not_fit_are_named_and_not_shown() -> None:
    profile = replace(load_profile("hikari-sirius"), context_length=800)
    engine = FakeEngine(naming("psoriasis"), {"psoriasis": 0.9}, tokens=lambda request: 300 * len(pictures_in(request)))
    long = tuple((key, replace(reference, caption="scaly plaque " * 50)) for key, reference in CASES)
    question = DiseaseQuestion("P0", Layout.EVALUATION, long)
    _, record = await ask_disease(served(profile, engine), [RED], question)
    assert (record.references, record.dropped, record.fitted_by) == (("E1",), ("E2",), "counted")
    assert len(pictures_in(engine.completed[0])) == len(pictures_in(engine.scored[0][0])) == 2
    assert "Reference 2" not in words_in(engine.completed[0])


@pytest.mark.anyio
async def test_a_query_that_does_not_fit_alone_is_too_long() -> None:
    profile = replace(load_profile("hikari-sirius"), context_length=100)
    with pytest.raises(ContextTooLong):
        await ask_disease(served(profile, FakeEngine()), [RED], DiseaseQuestion("P0", Layout.EVALUATION, CASES))


@pytest.mark.anyio
async def test_the_seed_and_the_decoding_of_the_profile_are_sent() -> None:
    engine = FakeEngine("psoriasis")
    await ask(engine, seed=77, constrained=False)
    request, decoding = engine.completed[0], load_profile("hikari-sirius").decoding
    assert (request.seed, request.temperature, request.max_new_tokens) == (77, 0.0, decoding.max_new_tokens)
    assert request.model == "served-hikari-sirius"


# --- stage 1


@pytest.mark.anyio
async def test_stage_1_asks_for_a_numbered_group() -> None:
    engine = FakeEngine(naming("Malignant"), {"Malignant": 0.7, "Benign": 0.2})
    opinion, record = await ask_group(served("hikari-subaru", engine), [RED])
    (request,) = engine.completed
    assert texts_in(request) == [prompt_text("stage1"), EMPTY_THOUGHT]
    assert (request.choice or ())[2] == "3. Malignant Skin Tumors"
    assert opinion.stated == opinion.shares[0].label == "3. Malignant Skin Tumors"
    assert opinion.shares[0].probability == pytest.approx(0.7 / (0.9 + 2 * RARE))
    assert (record.stage, record.prompt, record.requests, record.references) == ("group", "stage1", 1 + 4, ())


@pytest.mark.anyio
async def test_stage_1_scores_the_very_picture_it_asked_about() -> None:
    engine = FakeEngine(naming("Malignant"), {"Malignant": 0.7})
    await ask_group(served("hikari-subaru", engine), [RED])
    assert pictures_in(engine.scored[0][0]) == pictures_in(engine.completed[0]), "the same object is encoded once"
