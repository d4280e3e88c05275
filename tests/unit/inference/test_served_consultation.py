"""A consultation with served models: what they are asked, what becomes of what they say. The engine is a double."""

from functools import partial
from typing import Any

import anyio
import numpy as np
import pytest

from inference.abstention import Thresholds
from inference.admission import ServedModels
from inference.engines import ChatRequest
from inference.label_probabilities import LabelCalibration
from inference.profiles import Layout
from inference.prompt_texts import filled, prompt_text
from inference.prompts import EMPTY_THOUGHT, MASK
from inference.served import ServedModel
from inference.types import (
    Answer,
    Consultation,
    Diagnosis,
    DiagnosisOptions,
    EvidenceKind,
    GroupUse,
    ReportMode,
)
from tests.fakes import (
    CAPTIONS,
    COLOURS,
    Corpus,
    FakeEngine,
    abstention,
    case_of,
    diagnosis,
    naming,
    patch_of,
    picture_of,
    pictures_in,
    served,
    words_in,
)

PSORIASIS = picture_of(patch_of(COLOURS["psoriasis"], 1), "a new picture")
SURE = {"psoriasis": 0.9}
INFLAMMATORY, BENIGN = "1. Inflammatory & Autoimmune Diseases", "2. Benign Tumors, Nevi & Cysts"


def sirius(engine: FakeEngine | None = None, calibration: LabelCalibration | None = None) -> ServedModel:
    return served("hikari-sirius", engine or FakeEngine(naming("psoriasis"), SURE), calibration)


def subaru(engine: FakeEngine | None = None) -> ServedModel:
    return served("hikari-subaru", engine or FakeEngine(naming("Inflammatory"), {"Inflammatory": 0.9}))


def asked(model: ServedModel | None) -> FakeEngine:
    assert model is not None
    assert isinstance(model.engine, FakeEngine)
    return model.engine


def ask(
    corpus: Corpus, models: ServedModels, *, note: str = "", pictures: Any = (PSORIASIS,),
    thresholds: Thresholds = Thresholds(), **options: Any,
) -> Answer:  # fmt: skip
    pipeline = corpus.pipeline(models=models, thresholds=thresholds)
    return anyio.run(partial(pipeline.diagnose, Consultation(pictures, note), DiagnosisOptions(**options)))


# --- what stage 2 is asked


def test_references_stand_in_the_message_as_the_profile_lays_them_out(shared: Corpus) -> None:
    model = sirius()
    answer = diagnosis(ask(shared, ServedModels(disease=model)))
    cases = [item for item in answer.ledger if item.kind is EvidenceKind.CASE][:3]
    shown = [
        f"<picture>\nReference {number}: {item.label}\nDescription: {CAPTIONS[str(item.label)]}"
        for number, item in enumerate(cases, start=1)
    ]
    (request,) = asked(model).completed
    assert words_in(request) == "\n".join(
        ["Here are similar reference cases for context:", *shown, "\nNow, identify the disease in this new image:",
         "<picture>", prompt_text("P0")]
    ) + f"\n\n{EMPTY_THOUGHT}"  # fmt: skip
    scores = [item.score for item in cases]
    assert scores == sorted(scores, reverse=True)
    assert answer.trace.stages[0].references == ("E1", "E2", "E3")


def test_the_query_is_the_last_picture_of_the_message(shared: Corpus) -> None:
    model = sirius()
    ask(shared, ServedModels(disease=model))
    *references, query = pictures_in(asked(model).completed[0])
    assert (query.rgb == PSORIASIS.rgb).all()
    assert not any((one.rgb == PSORIASIS.rgb).all() for one in references)


def test_the_query_is_prepared_once_for_all_stages(shared: Corpus) -> None:
    models = ServedModels(subaru(), sirius(), served("hikari-vega", FakeEngine("A red plaque.")))
    ask(shared, models)
    requests = [one for model in models.all for one in (*asked(model).completed, *asked(model).streamed)]
    assert len(requests) == 3
    assert len({pictures_in(request)[-1] for request in requests}) == 1


def test_the_training_layout_shows_labels_alone(shared: Corpus) -> None:
    model = sirius()
    answer = ask(shared, ServedModels(disease=model), layout=Layout.TRAINING, prompt="T1", references=1)
    words = words_in(asked(model).completed[0])
    assert "Reference 1: psoriasis\n" in words
    assert "Description" not in words
    assert "Reference 2" not in words
    assert prompt_text("T1") in words
    assert (answer.trace.stages[0].layout, answer.trace.stages[0].prompt) == ("training", "T1")


@pytest.mark.parametrize("options", [{"references": 0}, {"cases": False}])
def test_without_references_the_picture_is_asked_alone_and_still_answered(
    shared: Corpus, options: dict[str, Any]
) -> None:
    model = sirius()
    answer = diagnosis(ask(shared, ServedModels(disease=model), **options))
    assert words_in(asked(model).completed[0]) == f"<picture>\n{prompt_text('P0')}\n\n{EMPTY_THOUGHT}"
    assert answer.candidates[0].label == "psoriasis"
    assert answer.trace.stages[0].references == ()
    assert not any(item.used_in for item in answer.ledger)


def test_without_cases_there_are_no_cases_in_the_ledger_and_no_vote(shared: Corpus) -> None:
    answer = diagnosis(ask(shared, ServedModels(disease=sirius()), cases=False))
    assert {item.kind for item in answer.ledger} == {EvidenceKind.PASSAGE}
    assert answer.opinions.neighbours == ()
    assert answer.report


def test_more_references_than_shown_cases_are_in_the_ledger_all_the_same(shared: Corpus) -> None:
    answer = ask(shared, ServedModels(disease=sirius()), k=1)
    assert answer.trace.stages[0].references == ("E1", "E2", "E3")
    assert [item.used_in for item in answer.ledger[:3]] == [("disease",)] * 3
    assert not any(item.used_in for item in answer.ledger[3:])


def test_with_no_cases_to_show_only_those_the_model_saw_are_in_the_ledger(shared: Corpus) -> None:
    model = sirius(FakeEngine(naming("psoriasis"), {"psoriasis": 0.5, "acne": 0.4}))
    answer = ask(shared, ServedModels(disease=model), k=0, references=1)
    assert [item.used_in for item in answer.ledger if item.kind is EvidenceKind.CASE] == [("disease",)]


def two_cases(corpus: Corpus, *labels: str) -> None:
    for number, label in enumerate(labels):
        case = case_of(f"own-{number}", label, f"A plaque of {label} on the elbow.")
        corpus.add_case(case, patch_of(COLOURS["psoriasis"], number))


def test_a_masked_caption_loses_its_diagnosis_and_the_label_line_keeps_it(corpus: Corpus) -> None:
    two_cases(corpus, "psoriasis", "psoriasis")
    model = sirius()
    ask(corpus, ServedModels(disease=model), captions="masked")
    words = words_in(asked(model).completed[0])
    assert f"Reference 1: psoriasis\nDescription: A plaque of {MASK} on the elbow." in words
    ask(corpus, ServedModels(disease=model))
    assert "Description: A plaque of psoriasis on the elbow." in words_in(asked(model).completed[1])


def test_a_label_stands_as_the_model_writes_it(corpus: Corpus) -> None:
    two_cases(corpus, "Psoriasis_Vulgaris", "psoriasis")
    model = sirius()
    answer = diagnosis(ask(corpus, ServedModels(disease=model)))
    words = words_in(asked(model).completed[0])
    assert "Reference 1: psoriasis\n" in words
    assert "Reference 2: psoriasis\n" in words
    assert answer.candidates[0].evidence == ("E1", "E2")
    assert {item.label for item in answer.ledger} == {"Psoriasis_Vulgaris", "psoriasis"}


def test_a_label_the_model_cannot_answer_with_is_shown_and_told(corpus: Corpus) -> None:
    two_cases(corpus, "rosacea", "psoriasis")
    model = sirius()
    answer = ask(corpus, ServedModels(disease=model))
    assert ": rosacea\n" in words_in(asked(model).completed[0])
    assert any("hikari-sirius cannot answer with" in one and "rosacea" in one for one in answer.warnings)


def test_no_file_name_or_label_of_the_query_reaches_a_prompt(shared: Corpus) -> None:
    model = sirius()
    ask(shared, ServedModels(disease=model), references=0, note="Ms Example's note")
    assert "Example" not in words_in(asked(model).completed[0])
    assert "psoriasis" not in words_in(asked(model).completed[0]).casefold()


# --- the group of stage 1


def test_the_group_is_heard_and_changes_nothing_by_default(shared: Corpus) -> None:
    group = subaru(FakeEngine(naming("Benign"), {"Benign": 0.9}))
    with_group = diagnosis(ask(shared, ServedModels(group, sirius())))
    without = diagnosis(ask(shared, ServedModels(disease=sirius())))
    assert [(one.label, one.probability) for one in with_group.candidates] == [
        (one.label, one.probability) for one in without.candidates
    ]
    assert with_group.opinions.group is not None
    assert with_group.opinions.group.stated == BENIGN
    assert any(f"stage 1 finds the group {BENIGN} likelier" in warning for warning in with_group.warnings)
    assert [record.stage for record in with_group.trace.stages] == ["group", "disease"]


def test_the_used_group_stands_in_the_prompt_by_its_full_numbered_name(shared: Corpus) -> None:
    model = sirius()
    answer = ask(shared, ServedModels(subaru(), model), group=GroupUse.USED, references=0)
    assert filled("P0g", group=INFLAMMATORY) in words_in(asked(model).completed[0])
    assert answer.trace.stages[1].group == INFLAMMATORY
    assert answer.trace.stages[1].prompt == "P0g"


def test_a_group_stated_by_a_server_that_cannot_score_is_used(shared: Corpus) -> None:
    model = sirius()
    group = subaru(FakeEngine(naming("Benign"), likely=None))
    ask(shared, ServedModels(group, model), group=GroupUse.USED, references=0)
    assert filled("P0g", group=BENIGN) in words_in(asked(model).completed[0])


def test_without_any_group_there_is_none_to_use_and_the_answer_declines(shared: Corpus) -> None:
    def by_colour(request: ChatRequest) -> str:
        red = (pictures_in(request)[0].rgb == PSORIASIS.rgb).all()
        return naming("Inflammatory" if red else "Benign")(request)

    brown = picture_of(patch_of(COLOURS["melanocytic nevi"], 1), "another")
    group = subaru(FakeEngine(by_colour, likely=None))
    model = sirius()
    answer = ask(shared, ServedModels(group, model), pictures=(PSORIASIS, brown), group=GroupUse.USED)
    assert abstention(answer).reason == "no_group"
    assert asked(model).asked == 0


def test_a_soft_group_weighs_the_diseases(shared: Corpus) -> None:
    likely = {"psoriasis": 0.5, "melanocytic nevi": 0.4}
    group = subaru(FakeEngine(naming("Benign"), {"Benign": 0.9, "Inflammatory": 0.1}))
    model = sirius(FakeEngine(naming("psoriasis"), likely))
    answer = diagnosis(ask(shared, ServedModels(group, model), group=GroupUse.SOFT, thresholds=LENIENT))
    by_label = {one.label: one.probability or 0 for one in answer.candidates}
    assert by_label["melanocytic nevi"] / by_label["psoriasis"] == pytest.approx(0.4 * 0.9 / (0.5 * 0.1), rel=0.01)
    assert answer.opinions.disease is not None
    assert answer.opinions.disease.shares[0].label == "psoriasis", "the model's own opinion stays as it was"
    assert prompt_text("P0") in words_in(asked(model).completed[0])


def test_a_soft_group_that_cannot_weigh_anything_is_told(shared: Corpus) -> None:
    group = subaru(FakeEngine(naming("Benign"), likely=None))
    answer = ask(shared, ServedModels(group, sirius()), group=GroupUse.SOFT)
    assert any("group" in warning and "weigh" in warning for warning in answer.warnings)


# --- from what it says to an answer

LENIENT = Thresholds(conflict_model=0.0)


def test_the_models_shares_are_the_candidates_and_the_vote_stands_beside_them(shared: Corpus) -> None:
    answer = diagnosis(ask(shared, ServedModels(disease=sirius())))
    assert len(answer.candidates) == 10
    assert sum(one.probability or 0 for one in answer.candidates) == pytest.approx(1)
    assert answer.candidates[0].evidence
    assert {one.label for one in answer.opinions.neighbours} == set(CAPTIONS)
    assert answer.trace.configuration["classifier"]["name"] == "hikari-sirius"
    assert answer.trace.configuration["classifier"]["vote"]["k"] >= 1


def test_passages_are_sought_for_what_the_model_says(shared: Corpus) -> None:
    answer = ask(shared, ServedModels(disease=sirius(FakeEngine(naming("acne"), {"acne": 0.9}))), thresholds=LENIENT)
    found_by = {reason for item in answer.ledger for reason in item.found_by}
    assert "candidate acne vulgaris" in found_by
    assert "candidate psoriasis" not in found_by
    assert "acne vulgaris" in {item.label for item in answer.ledger}, "the contrast is shown"


def test_a_label_is_shown_in_the_words_of_people(shared: Corpus) -> None:
    model = sirius(FakeEngine(naming("squamous"), {"squamous": 0.9}))
    answer = diagnosis(ask(shared, ServedModels(disease=model), thresholds=LENIENT))
    first = answer.candidates[0]
    assert (first.label, first.display) == (
        "squamous cell carcinoma in situ", "squamous cell carcinoma (incl. in situ)",
    )  # fmt: skip
    assert first.evidence == ()


def test_a_server_that_cannot_score_gives_one_candidate_without_a_probability(shared: Corpus) -> None:
    answer = diagnosis(ask(shared, ServedModels(disease=sirius(FakeEngine(naming("psoriasis"))))))
    assert [(one.label, one.probability) for one in answer.candidates] == [("psoriasis", None)]
    assert answer.report


def test_labels_that_the_model_finds_improbable_together_are_no_answer(shared: Corpus) -> None:
    model = sirius(FakeEngine(naming("psoriasis"), {"psoriasis": 0.01}))
    answer = abstention(ask(shared, ServedModels(disease=model)))
    assert answer.reason == "outside_labels"
    assert "0.011" in answer.explanation
    assert answer.considered[0].label == "psoriasis"
    assert isinstance(ask(shared, ServedModels(disease=model), thresholds=Thresholds(label_mass=0.005)), Diagnosis)


def test_a_free_answer_without_a_label_is_unparsed_however_sure_the_scores(shared: Corpus) -> None:
    model = sirius(FakeEngine("Hard to say.", SURE))
    answer = abstention(ask(shared, ServedModels(disease=model), constrain=False))
    assert (answer.reason, answer.trace.stages[0].raw) == ("unparsed", ("Hard to say.",))
    assert "no_label" in answer.explanation


def test_an_undecided_model_is_no_answer(shared: Corpus) -> None:
    model = sirius(FakeEngine(naming("psoriasis"), {"psoriasis": 0.3, "acne": 0.3, "lupus": 0.3}))
    answer = abstention(ask(shared, ServedModels(disease=model)))
    assert answer.reason == "undecided"
    assert "33%" in answer.explanation


def test_cases_that_are_sure_of_what_the_model_excludes_are_a_conflict(shared: Corpus) -> None:
    model = sirius(FakeEngine(naming("acne"), {"acne": 0.99}))
    answer = abstention(ask(shared, ServedModels(disease=model), thresholds=Thresholds(conflict_vote=0.5)))
    assert answer.reason == "conflict"
    assert "psoriasis" in answer.explanation
    assert "acne vulgaris" in answer.explanation


def test_a_picture_unlike_every_case_is_out_of_domain_for_a_model_too(built: Corpus) -> None:
    green = picture_of(np.full((32, 32, 3), (0, 255, 0), np.uint8), "a leaf")
    answer = abstention(ask(built, ServedModels(disease=sirius()), pictures=(green,)))
    assert answer.reason == "out_of_domain"
    assert answer.opinions.disease is not None


def test_voices_that_differ_are_told(shared: Corpus) -> None:
    model = sirius(FakeEngine(naming("psoriasis"), {"acne": 0.6, "psoriasis": 0.3}))
    answer = diagnosis(ask(shared, ServedModels(disease=model)))
    assert answer.candidates[0].label == "acne vulgaris"
    assert any(
        one.startswith("hikari-sirius stated psoriasis, but acne vulgaris is more probable") for one in answer.warnings
    )
    assert any(one.startswith("the reference cases vote for psoriasis") for one in answer.warnings)


def test_voices_that_agree_are_not_said_to_differ(shared: Corpus) -> None:
    answer = diagnosis(ask(shared, ServedModels(subaru(), sirius())))
    assert not any("vote for" in one or "stated" in one or "likelier" in one for one in answer.warnings)


def test_a_calibrated_model_says_so(shared: Corpus) -> None:
    calibrated = diagnosis(ask(shared, ServedModels(disease=sirius(calibration=LabelCalibration(2.0, 9, "held out")))))
    plain = diagnosis(ask(shared, ServedModels(disease=sirius())))
    assert calibrated.opinions.disease is not None
    assert calibrated.opinions.disease.calibrated
    assert (calibrated.candidates[0].probability or 0) < (plain.candidates[0].probability or 0)


# --- warnings of the profiles


def test_what_a_profile_warns_of_stands_in_every_answer_that_used_it(shared: Corpus) -> None:
    oracle = served("hikari-polaris", FakeEngine(naming("psoriasis"), SURE))
    collapsed = served("hikari-antares", FakeEngine("A red plaque."))
    answer = diagnosis(ask(shared, ServedModels(subaru(), oracle, collapsed), group=GroupUse.USED))
    text = " ".join(answer.warnings)
    for model in (oracle, collapsed, subaru()):
        assert model.profile.warnings
        assert all(f"{model.profile.name}: {warning}" in text for warning in model.profile.warnings)


def test_an_abstention_warns_of_what_it_used_and_of_nothing_else(shared: Corpus) -> None:
    oracle = served("hikari-polaris", FakeEngine(naming("psoriasis"), {"psoriasis": 0.01}))
    collapsed = served("hikari-antares", FakeEngine("A red plaque."))
    answer = abstention(ask(shared, ServedModels(subaru(), oracle, collapsed), group=GroupUse.USED))
    assert any("oracle" in one or "true group" in one for one in answer.warnings)
    assert not any("collapsed" in one for one in answer.warnings)


# --- stage 3


def test_a_captioning_model_is_told_the_diagnosis_by_default(shared: Corpus) -> None:
    writer = served("hikari-vega", FakeEngine("A red plaque with silvery scale. Psoriasis is likely."))
    answer = diagnosis(ask(shared, ServedModels(disease=sirius(), report=writer)))
    assert answer.narrative is not None
    assert "Stage 2 diagnosis: psoriasis.\n\n" in words_in(asked(writer).streamed[0])
    assert (answer.narrative.mode, answer.narrative.guided_by) == (ReportMode.GUIDED, "psoriasis")
    assert answer.narrative.names == ("psoriasis",)
    assert answer.narrative.conflict is None
    assert answer.trace.stages[-1].stage == "report (guided)"


def test_a_plain_caption_is_told_nothing_and_its_conflict_is_reported(shared: Corpus) -> None:
    writer = served("hikari-vega", FakeEngine("This image shows lichen planus."))
    answer = diagnosis(ask(shared, ServedModels(disease=sirius(), report=writer), report=ReportMode.PLAIN))
    assert answer.narrative is not None
    assert "psoriasis" not in words_in(asked(writer).streamed[0])
    assert answer.narrative.guided_by is None
    assert answer.narrative.conflict == "the text speaks of lichen planus, the diagnosis is psoriasis"
    assert f"hikari-vega: {answer.narrative.conflict}" in answer.warnings


def test_an_extractive_report_asks_nobody(shared: Corpus) -> None:
    writer = served("hikari-vega", FakeEngine("A red plaque."))
    answer = diagnosis(ask(shared, ServedModels(disease=sirius(), report=writer), report=ReportMode.EXTRACTIVE))
    assert answer.narrative is None
    assert asked(writer).asked == 0


def test_a_reporter_writes_about_what_the_cases_voted_for(shared: Corpus) -> None:
    writer = served("hikari-vega", FakeEngine("A red plaque."))
    answer = diagnosis(ask(shared, ServedModels(report=writer)))
    assert answer.narrative is not None
    assert answer.narrative.guided_by == "psoriasis"
    assert answer.trace.configuration["classifier"]["name"] == "exemplar vote"


def test_only_the_first_of_several_pictures_is_captioned(shared: Corpus) -> None:
    writer = served("hikari-vega", FakeEngine("A red plaque."))
    second = picture_of(patch_of(COLOURS["psoriasis"], 2), "second")
    answer = diagnosis(ask(shared, ServedModels(report=writer), pictures=(PSORIASIS, second)))
    (picture,) = pictures_in(asked(writer).streamed[0])
    assert (picture.rgb == PSORIASIS.rgb).all()
    assert answer.trace.stages[0].pictures == 1


def test_an_abstention_has_no_narrative_and_asks_for_none(shared: Corpus) -> None:
    writer = served("hikari-vega", FakeEngine("A red plaque."))
    unsure = sirius(FakeEngine(naming("psoriasis"), {"psoriasis": 0.01}))
    abstention(ask(shared, ServedModels(disease=unsure, report=writer)))
    assert asked(writer).asked == 0
