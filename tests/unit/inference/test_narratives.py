"""What a model writes about the picture: how it is asked, what of its answer is text, and which diseases it asserts."""

from contextlib import aclosing
from dataclasses import replace
from functools import partial

import anyio
import numpy as np
import pytest

from inference.admission import ServedModels
from inference.engines.errors import ContextTooLong, MalformedAnswer
from inference.labelsets import load_label_set
from inference.narratives import NarrativeQuestion, asserted_diseases, conflict_of, prepare, record_of, written
from inference.profiles import ModelProfile, load_profile
from inference.prompt_texts import prompt_hash, prompt_text
from inference.prompts import EMPTY_THOUGHT, GROUNDED_HASH, ImagePart
from inference.types import Consultation, Diagnosis, DiagnosisOptions, Evidence, EvidenceKind, ReportMode, Verdict
from tests.fakes import COLOURS, Corpus, FakeEngine, patch_of, picture_of, pictures_in, served, texts_in, words_in

PSORIASIS = picture_of(patch_of(COLOURS["psoriasis"], 1), "a new picture")
RED = ImagePart(np.full((64, 48, 3), (200, 40, 40), np.uint8))
BLUE = ImagePart(np.full((64, 48, 3), (40, 40, 200), np.uint8))
LABELS = load_label_set("hikari-10")
VEGA, QWEN = load_profile("hikari-vega"), load_profile("qwen3-vl-8b-instruct")


@pytest.fixture
def anyio_backend() -> str:
    """What the service runs on."""
    return "asyncio"


def passages(number: int, text: str = "Offer a potent corticosteroid.") -> tuple[Evidence, ...]:
    return tuple(
        Evidence(f"E{n}", EvidenceKind.PASSAGE, f"p-{n}", text, "Guideline", ("q",), 0.5, {}, {}, 0, len(text))
        for n in range(1, number + 1)
    )


async def said(profile: ModelProfile, text: str, mode: ReportMode = ReportMode.PLAIN) -> str:
    model = served(profile, FakeEngine(text))
    asked = await prepare(model, [RED], NarrativeQuestion(mode, "psoriasis"))
    async with aclosing(written(model, asked)) as pieces:
        return "".join([piece async for piece in pieces])


# --- how it is asked


@pytest.mark.anyio
async def test_a_plain_caption_is_asked_with_the_picture_alone() -> None:
    asked = await prepare(
        served(VEGA, FakeEngine()), [RED, BLUE], NarrativeQuestion(ReportMode.PLAIN, "psoriasis", "a note")
    )
    assert words_in(asked.fit.request) == f"<picture>\n{prompt_text('caption')}\n\n{EMPTY_THOUGHT}"
    assert pictures_in(asked.fit.request)[0] is RED
    assert (asked.prompt, asked.pictures, asked.used) == ("caption", 1, ())


@pytest.mark.anyio
async def test_a_guided_caption_begins_with_the_diagnosis() -> None:
    asked = await prepare(served(VEGA, FakeEngine()), [RED], NarrativeQuestion(ReportMode.GUIDED, "psoriasis"))
    assert f"Stage 2 diagnosis: psoriasis.\n\n{prompt_text('caption')}" in texts_in(asked.fit.request)
    assert asked.prompt == "caption-guided"


@pytest.mark.anyio
async def test_a_grounded_report_sees_every_picture_the_model_takes() -> None:
    model = served(replace(QWEN, image_limit=2), FakeEngine())
    question = NarrativeQuestion(ReportMode.GROUNDED, "psoriasis", "a note", passages(2))
    asked = await prepare(model, [RED, BLUE, RED], question)
    assert pictures_in(asked.fit.request) == [RED, BLUE]
    assert (asked.pictures, asked.used, asked.dropped) == (2, ("E1", "E2"), ())
    assert asked.fit.request.json_schema is not None


@pytest.mark.anyio
async def test_evidence_that_does_not_fit_is_dropped_from_its_end_and_cannot_be_cited() -> None:
    evidence = passages(6, "Offer a potent corticosteroid. " * 30)
    model = served(replace(QWEN, context_length=6_000), FakeEngine())
    asked = await prepare(model, [RED], NarrativeQuestion(ReportMode.GROUNDED, "psoriasis", "", evidence))
    assert 0 < len(asked.used) < 6
    assert (*asked.used, *asked.dropped) == tuple(item.key for item in evidence)
    schema = asked.fit.request.json_schema
    assert schema is not None
    assert schema["$defs"]["_Citation"]["properties"]["evidence"]["enum"] == list(asked.used)
    assert f"[{asked.dropped[0]}]" not in words_in(asked.fit.request)


@pytest.mark.anyio
async def test_a_picture_that_does_not_fit_alone_is_too_long() -> None:
    model = served(replace(VEGA, context_length=100), FakeEngine())
    with pytest.raises(ContextTooLong):
        await prepare(model, [RED], NarrativeQuestion(ReportMode.PLAIN))


@pytest.mark.anyio
async def test_the_record_says_what_was_asked() -> None:
    vega, qwen = served(VEGA, FakeEngine()), served(QWEN, FakeEngine())
    caption = await prepare(vega, [RED], NarrativeQuestion(ReportMode.GUIDED, "psoriasis"))
    record = record_of(vega, caption, ReportMode.GUIDED)
    assert (record.stage, record.prompt, record.prompt_hash) == (
        "report (guided)", "caption-guided", prompt_hash("caption-guided"),
    )  # fmt: skip
    assert (record.requests, record.prompt_tokens, record.raw) == (1, None, ())
    report = await prepare(qwen, [RED], NarrativeQuestion(ReportMode.GROUNDED, "psoriasis", "", passages(1)))
    record = record_of(qwen, report, ReportMode.GROUNDED)
    assert (record.prompt, record.prompt_hash, record.references) == ("grounded", GROUNDED_HASH, ("E1",))


# --- what of the answer is text


@pytest.mark.anyio
async def test_the_text_is_what_was_written() -> None:
    assert await said(VEGA, "A red plaque.\nWith scale.") == "A red plaque.\nWith scale."


@pytest.mark.anyio
async def test_the_thought_of_a_thinking_model_is_not_the_text() -> None:
    thinks = replace(VEGA, thinking=replace(VEGA.thinking, prefill_empty_block=False))
    assert (await said(thinks, "Is it eczema?</think>\n\nA red plaque.")).strip() == "A red plaque."


@pytest.mark.anyio
async def test_a_thought_that_never_ended_is_no_text() -> None:
    thinks = replace(VEGA, thinking=replace(VEGA.thinking, prefill_empty_block=False))
    with pytest.raises(MalformedAnswer, match="cut off"):
        await said(thinks, "<think>Is it eczema or psoriasis or")


# --- which diseases it asserts


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A scaly plaque consistent with psoriasis.", ("psoriasis",)),
        ("This image shows plaque psoriasis. Acne vulgaris is also present.", ("psoriasis", "acne vulgaris")),
        ("This is not psoriasis. The diagnosis is lichen planus.", ("lichen planus",)),
        ("No sign of melanoma.", ()),
        ("It may be psoriasis.", ()),
        ("A red plaque.", ()),
        ("", ()),
        ("This image shows melanoma.", ("melanoma",)),
    ],
)
def test_asserted_diseases_are_those_that_are_neither_denied_nor_left_open(text: str, names: tuple[str, ...]) -> None:
    assert asserted_diseases(text, LABELS) == names


@pytest.mark.parametrize(
    ("names", "label", "conflicting"),
    [
        ((), "psoriasis", False),
        (("psoriasis",), "psoriasis", False),
        (("Psoriasis",), "psoriasis", False),
        (("psoriasis",), "plaque psoriasis", False),
        (("melanocytic nevi",), "nevus", False),
        (("lichen planus", "psoriasis"), "psoriasis", False),
        (("lichen planus",), "psoriasis", True),
        (("rosacea",), "rosacea", False),
    ],
)
def test_a_conflict_is_asserting_only_other_diseases(names: tuple[str, ...], label: str, conflicting: bool) -> None:
    found = conflict_of(names, label)
    assert (found is not None) is conflicting
    assert found is None or ("lichen planus" in found and "psoriasis" in found)


# --- within a consultation


def ask(corpus: Corpus, text: str, mode: ReportMode = ReportMode.GUIDED, note: str = "") -> Diagnosis:
    pipeline = corpus.pipeline(models=ServedModels(report=served(VEGA, FakeEngine(text))))
    answer = anyio.run(
        partial(pipeline.diagnose, Consultation((PSORIASIS,), note), DiagnosisOptions(report=mode))
    )  # fmt: skip
    assert isinstance(answer, Diagnosis), answer
    return answer


def test_a_description_that_no_guideline_speaks_of_cites_nothing(shared: Corpus) -> None:
    narrative = ask(shared, "A round red plaque stands on the left shoulder of a man.").narrative
    assert narrative is not None
    (statement,) = narrative.statements
    assert (statement.citations, statement.verdict) == ((), Verdict.UNSUPPORTED)


def test_a_sentence_of_a_guideline_is_cited_and_supported(shared: Corpus) -> None:
    said = "A red plaque. Ciclosporin is given at 2.5 mg/kg a day."
    narrative = ask(shared, said, note="ciclosporin for psoriasis at 2.5 mg/kg a day").narrative
    assert narrative is not None
    _, statement = narrative.statements
    assert statement.verdict is Verdict.SUPPORTED
    assert [one.quote for one in statement.citations] == ["Ciclosporin is given at 2.5 mg/kg a day."]


def test_another_dose_than_the_guidelines_is_cited_and_refused(shared: Corpus) -> None:
    said = "Ciclosporin is given at 5 mg/kg a day."
    answer = ask(shared, said, note="ciclosporin for psoriasis at 2.5 mg/kg a day")
    assert answer.narrative is not None
    (statement,) = answer.narrative.statements
    assert statement.verdict is Verdict.UNSUPPORTED
    assert "does not say 5mg" in str(statement.citations[0].problem)
    assert said not in [one.text for one in answer.report]
    assert answer.citations.verified == answer.citations.total - 1


def test_a_caption_is_no_part_of_the_report_however_well_it_cites(shared: Corpus) -> None:
    note = "ciclosporin for psoriasis at 2.5 mg/kg a day"
    cites = ask(shared, "Ciclosporin is given at 2.5 mg/kg a day.", note=note)
    assert cites.narrative is not None
    assert cites.narrative.statements[0].verdict is Verdict.SUPPORTED
    assert cites.report == ask(shared, "A red plaque.", note=note).report


@pytest.mark.parametrize(
    ("text", "conflicting"),
    [
        ("This image shows acne vulgaris.", True),
        ("This image shows psoriasis.", False),
        ("A scaly plaque. This is not acne vulgaris.", False),
    ],
)
def test_a_conflict_of_text_and_diagnosis_is_told_and_a_denied_disease_is_none(
    shared: Corpus, text: str, conflicting: bool
) -> None:
    answer = ask(shared, text, ReportMode.PLAIN)
    assert answer.narrative is not None
    assert (answer.narrative.conflict is not None) is conflicting
    assert any("the diagnosis is psoriasis" in warning for warning in answer.warnings) is conflicting


def test_an_empty_text_is_an_empty_narrative(shared: Corpus) -> None:
    narrative = ask(shared, "").narrative
    assert narrative is not None
    assert (narrative.text, narrative.statements, narrative.names) == ("", (), ())
