"""The way of a consultation, with doubles for the encoders only."""

from dataclasses import fields, replace
from functools import partial
from typing import Any

import anyio
import numpy as np
import pytest

from inference.abstention import NOTICE
from inference.admission import MAX_NOTE
from inference.errors import CalibrationBroken, ConsultationRefused
from inference.exemplars import FILE
from inference.pipeline import Pipeline
from inference.types import Answer, Consultation, Diagnosis, DiagnosisOptions, EvidenceKind, Verdict
from knowledge.pictures import Picture
from retrieval.filters import Filters
from retrieval.hybrid import Fusion
from retrieval.search import Encoders
from retrieval.types import Vectors
from tests.fakes import (
    CAPTIONS,
    COLOURS,
    GUIDELINES,
    Corpus,
    FakeTextEncoder,
    abstention,
    case_of,
    diagnosis,
    patch_of,
    picture_of,
    sha256,
)

PSORIASIS = picture_of(patch_of(COLOURS["psoriasis"], 1), "a new picture")
TEXTS = {title: "\n".join(pages) for title, pages in GUIDELINES.items()}


def pipeline(corpus: Corpus, encoders: Encoders | None = None) -> Pipeline:
    return corpus.pipeline({"version": "test"}, encoders=encoders)


def ask(corpus: Corpus, picture: Picture = PSORIASIS, note: str = "", **options: Any) -> Answer:
    answering = pipeline(corpus)
    return anyio.run(partial(answering.diagnose, Consultation((picture,), note), DiagnosisOptions(**options)))


# --- a diagnosis ---------------------------------------------------------------------------------------------------


def test_a_known_disease_is_the_first_candidate(shared: Corpus) -> None:
    answer = diagnosis(ask(shared))
    assert answer.candidates[0].label == "psoriasis"
    assert answer.candidates[0].group == "1. Inflammatory & Autoimmune Diseases"
    assert {one.label for one in answer.candidates} == set(CAPTIONS)
    assert sum(one.probability or 0 for one in answer.candidates) == pytest.approx(1)
    assert answer.notice == NOTICE


def test_a_candidate_names_the_cases_that_speak_for_it(shared: Corpus) -> None:
    answer = diagnosis(ask(shared))
    labels = {item.key: item.label for item in answer.ledger if item.kind is EvidenceKind.CASE}
    assert answer.candidates[0].evidence
    assert {labels[key] for key in answer.candidates[0].evidence} == {"psoriasis"}


def test_every_statement_of_the_report_is_verified_in_the_stored_text(shared: Corpus) -> None:
    answer = diagnosis(ask(shared, note="plaque on the scalp"))
    ledger = {item.key: item for item in answer.ledger}
    cited = [(ledger[one.evidence], one) for statement in answer.report for one in statement.citations]
    passages = [(item, one) for item, one in cited if item.kind is EvidenceKind.PASSAGE]
    assert passages
    assert all(TEXTS[item.title][one.start : one.end] == one.quote for item, one in passages)
    assert {one.verdict for _, one in cited} == {Verdict.SUPPORTED}
    assert (answer.citations.verified, answer.citations.total) == (len(cited), len(cited))


def test_numbers_of_the_guideline_stand_in_the_report(shared: Corpus) -> None:
    said = " ".join(statement.text for statement in diagnosis(ask(shared, note="more than 10% of the body")).report)
    assert "more than 10% of the body surface" in said


def test_the_ledger_is_numbered_and_says_what_found_each_item(shared: Corpus) -> None:
    answer = diagnosis(ask(shared, note="scaly plaque"))
    assert [item.key for item in answer.ledger] == [f"E{number}" for number in range(1, len(answer.ledger) + 1)]
    found_by = {reason for item in answer.ledger for reason in item.found_by}
    assert {"similar case", "candidate psoriasis", "note", "findings of similar cases"} <= found_by


def test_the_best_case_of_each_likely_label_is_shown_beside_the_nearest(shared: Corpus) -> None:
    between = np.where(np.arange(32)[:, None, None] < 16, COLOURS["psoriasis"], COLOURS["acne vulgaris"])
    picture = picture_of(np.broadcast_to(between, (32, 32, 3)).astype(np.uint8))
    answer = ask(shared, picture, k=1)
    leading = diagnosis(answer).candidates if isinstance(answer, Diagnosis) else abstention(answer).considered
    likely = {one.label for one in leading[:3] if (one.probability or 0) >= 0.05}
    shown = {item.label for item in answer.ledger if item.kind is EvidenceKind.CASE}
    assert len(likely) > 1
    assert likely <= shown


def test_no_more_cases_are_shown_than_asked_for(shared: Corpus) -> None:
    assert not [item for item in ask(shared, k=0).ledger if item.kind is EvidenceKind.CASE]
    assert len([item for item in ask(shared, k=3).ledger if item.kind is EvidenceKind.CASE]) >= 3


def test_every_setting_in_force_is_part_of_the_answer(shared: Corpus) -> None:
    trace = ask(shared, alpha=0.25, k=2).trace
    assert trace.configuration["version"] == "test"
    assert trace.configuration["options"]["alpha"] == 0.25
    assert trace.configuration["classifier"]["name"] == "exemplar vote"
    assert trace.configuration["pipeline"]["cases"]["alpha"] == 0.7
    assert trace.configuration["index"]["corpus_generation"] == shared.registry.corpus_generation()
    assert {"neighbours", "passages", "ledger", "report", "verify", "total"} <= set(trace.timings_ms)


def test_the_trace_says_how_each_part_found_its_passages(shared: Corpus) -> None:
    answer = ask(shared, note="Flaky patches. Name: Doe", fusion=Fusion.FIXED)
    found = answer.trace.explanations
    assert {"note", "candidate psoriasis"} <= set(found)
    assert {one.fusion for one in found.values()} == {"fixed"}
    assert [one.phrase for one in found["note"].expansions] == ["flaky"]
    assert "doe" not in str(found).lower()
    assert ask(shared, passages=False).trace.explanations == {}


def test_the_same_question_has_the_same_answer(shared: Corpus) -> None:
    def answer() -> Diagnosis:
        given = diagnosis(ask(shared, note="scaly plaque"))
        return replace(given, trace=replace(given.trace, timings_ms={}))

    assert answer() == answer()


def test_a_note_changes_the_order_when_the_picture_counts_little(shared: Corpus) -> None:
    def first(note: str) -> str:
        answer = ask(shared, note=note, alpha=0.0)
        return (answer.candidates if isinstance(answer, Diagnosis) else answer.considered)[0].label

    assert first(CAPTIONS["acne vulgaris"]) == "acne vulgaris"
    assert first(CAPTIONS["melanocytic nevi"]) == "melanocytic nevi"


def test_without_a_note_the_answer_says_so(shared: Corpus) -> None:
    assert "no note: cases were found by picture alone" in ask(shared).warnings
    assert "no note: cases were found by picture alone" not in ask(shared, note="plaque").warnings


def test_several_pictures_are_one_question(shared: Corpus) -> None:
    pictures = (PSORIASIS, picture_of(patch_of(COLOURS["psoriasis"], 2), "another"))
    answer = anyio.run(pipeline(shared).diagnose, Consultation(pictures))
    assert diagnosis(answer).candidates[0].label == "psoriasis"


def test_many_consultations_at_once_get_their_own_answers(shared: Corpus) -> None:
    answering = pipeline(shared)
    answers: dict[str, Answer] = {}

    async def one(label: str) -> None:
        picture = picture_of(patch_of(COLOURS[label], 1), label)
        answers[label] = await answering.diagnose(Consultation((picture,), CAPTIONS[label]))

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for label in CAPTIONS:
                group.start_soon(one, label)

    anyio.run(all_of_them)
    assert {label: diagnosis(answer).candidates[0].label for label, answer in answers.items()} == {
        label: label for label in CAPTIONS
    }


# --- switches ------------------------------------------------------------------------------------------------------


def test_the_leak_guard_keeps_the_very_picture_out(shared: Corpus) -> None:
    known = picture_of(patch_of(COLOURS["psoriasis"], 1), "psoriasis-1")
    guarded = ask(shared, known, k=20)
    assert guarded.trace.excluded == {"same_picture": 1}
    assert "c-psoriasis-1" not in {item.id for item in guarded.ledger}


def test_which_cases_were_kept_back_is_listed_where_it_is_asked_for(shared: Corpus) -> None:
    known = picture_of(patch_of(COLOURS["psoriasis"], 1), "psoriasis-1")
    assert ask(shared, known, leak_report=True).trace.excluded_ids == {"same_picture": ("c-psoriasis-1",)}
    assert ask(shared, known).trace.excluded_ids == {}


def test_without_the_leak_guard_the_answer_is_marked(shared: Corpus) -> None:
    known = picture_of(patch_of(COLOURS["psoriasis"], 1), "psoriasis-1")
    open_answer = ask(shared, known, k=20, leak_guard=False)
    assert open_answer.ledger[0].id == "c-psoriasis-1"
    assert any("leak guard was switched off" in warning for warning in open_answer.warnings)


def test_a_subject_that_the_caller_names_is_excluded(shared: Corpus) -> None:
    consultation = Consultation((PSORIASIS,), subject="psoriasis-2")
    answer = anyio.run(pipeline(shared).diagnose, consultation)
    assert answer.trace.excluded == {"same_subject": 1}


def test_without_passages_only_captions_are_quoted(shared: Corpus) -> None:
    answer = diagnosis(ask(shared, passages=False))
    assert {item.kind for item in answer.ledger} == {EvidenceKind.CASE}
    assert answer.report


def test_without_cases_there_is_no_classifier_but_there_are_passages(shared: Corpus) -> None:
    answer = abstention(ask(shared, note="adapalene for acne", cases=False))
    assert answer.reason == "no_reference_cases"
    assert answer.considered == ()
    assert answer.ledger[0].id == "p-acne-guide-1"


# --- abstentions ---------------------------------------------------------------------------------------------------


def test_a_picture_that_shows_nothing_is_declined_before_anything_is_searched(shared: Corpus) -> None:
    answer = abstention(ask(shared, replace(PSORIASIS, sharpness=0.0)))
    assert (answer.reason, answer.ledger, answer.considered) == ("picture_unusable", (), ())
    assert "neighbours" not in answer.trace.timings_ms
    assert answer.trace.configuration["version"] == "test"


def test_an_empty_knowledge_base_declines(corpus: Corpus) -> None:
    answer = abstention(ask(corpus))
    assert (answer.reason, answer.ledger) == ("no_reference_cases", ())
    assert any("not calibrated" in warning for warning in answer.warnings)


def test_a_picture_unlike_all_others_is_out_of_domain(shared: Corpus) -> None:
    answer = abstention(ask(shared, picture_of(patch_of((0, 255, 0)))))
    assert answer.reason == "out_of_domain"
    assert answer.considered


def test_where_all_is_kin_of_the_query_there_is_nothing_to_compare_with(corpus: Corpus) -> None:
    corpus.add_case(case_of("1", "psoriasis", subject="S"), patch_of(COLOURS["psoriasis"]))
    answer = abstention(anyio.run(pipeline(corpus).diagnose, Consultation((PSORIASIS,), subject="S")))
    assert answer.reason == "no_reference_cases"
    assert answer.trace.excluded == {"same_subject": 1}


def test_neighbours_that_disagree_are_shown_but_decide_nothing(corpus: Corpus) -> None:
    for number in range(4):
        corpus.add_case(case_of(str(number), f"disease {number}", "Same plaque."), patch_of(COLOURS["psoriasis"]))
    answer = abstention(ask(corpus))
    assert answer.reason == "undecided"
    assert [one.probability for one in answer.considered] == pytest.approx([0.25] * 3)
    assert len(answer.ledger) == 4


# --- what came since, and what went wrong --------------------------------------------------------------------------


def test_before_the_first_index_the_answer_says_that_it_is_not_calibrated(corpus: Corpus) -> None:
    corpus.add_case(case_of("1", "psoriasis", CAPTIONS["psoriasis"]), patch_of(COLOURS["psoriasis"], 1))
    answer = diagnosis(ask(corpus))
    assert "probabilities are not calibrated; run: dermacite reindex" in answer.warnings
    assert answer.trace.configuration["index"]["generation"] is None


def test_a_new_case_and_a_new_document_take_part_at_once(built: Corpus) -> None:
    answering = pipeline(built)
    anyio.run(answering.diagnose, Consultation((PSORIASIS,)))
    built.add_case(case_of("wart", "wart", "Verrucous papule."), patch_of((10, 240, 10)))
    built.add_document("wart-guide", ["Treat a wart with salicylic acid 17% for 12 weeks."])
    green = picture_of(patch_of((10, 240, 10)))
    answer = diagnosis(anyio.run(answering.diagnose, Consultation((green,))))
    assert answer.candidates[0].label == "wart"
    assert "Treat a wart with salicylic acid 17% for 12 weeks." in {statement.text for statement in answer.report}


def test_a_deleted_document_is_never_cited(built: Corpus) -> None:
    built.registry.delete_document(sha256("psoriasis-guide"))
    answer = diagnosis(ask(built, note="corticosteroid for plaque psoriasis"))
    assert "psoriasis-guide" not in {item.title for item in answer.ledger}


def test_statements_whose_text_was_tampered_with_are_left_out_and_counted(built: Corpus) -> None:
    built.blobs.path(sha256(TEXTS["psoriasis-guide"])).write_bytes(b"Give nothing.")
    answer = diagnosis(ask(built, note="corticosteroid for plaque psoriasis"))
    left_out = answer.citations.total - answer.citations.verified
    assert left_out > 0
    assert any(f"{left_out} statements were left out" in warning for warning in answer.warnings)
    assert all(one.verdict is Verdict.SUPPORTED for statement in answer.report for one in statement.citations)


def test_a_generation_without_its_calibration_is_refused(built: Corpus) -> None:
    current = built.index.current()
    assert current is not None
    (current / FILE).unlink()
    with pytest.raises(CalibrationBroken, match="dermacite reindex"):
        ask(built)


def test_an_encoder_that_fails_is_an_error_not_an_answer(shared: Corpus) -> None:
    class Broken:
        card = shared.encoders.pictures.card
        fingerprint = shared.encoders.pictures.fingerprint

        def encode_images(self, images: Any) -> Vectors:
            raise RuntimeError("no memory")

    answering = pipeline(shared, replace(shared.encoders, pictures=Broken()))
    with pytest.raises(RuntimeError, match="no memory"):
        anyio.run(answering.diagnose, Consultation((PSORIASIS,)))


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("consultation", "options", "why"),
    [
        (Consultation(()), {}, "1 to 4 pictures, not 0"),
        (Consultation((PSORIASIS,) * 5), {}, "1 to 4 pictures, not 5"),
        (Consultation((PSORIASIS,), "x" * (MAX_NOTE + 1)), {}, "note is longer"),
        (Consultation((PSORIASIS,)), {"alpha": 1.01}, "alpha"),
        (Consultation((PSORIASIS,)), {"alpha": -0.01}, "alpha"),
        (Consultation((PSORIASIS,)), {"k": 21}, "0 to 20"),
        (Consultation((PSORIASIS,)), {"k": -1}, "0 to 20"),
    ],
    ids=["no picture", "five pictures", "long note", "alpha over 1", "alpha under 0", "k over 20", "k under 0"],
)
def test_a_request_out_of_bounds_is_refused(
    shared: Corpus, consultation: Consultation, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConsultationRefused, match=why):
        anyio.run(pipeline(shared).diagnose, consultation, DiagnosisOptions(**options))


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": 1.0}, {"k": 0}, {"k": 20}], ids=str)
def test_the_bounds_themselves_are_allowed(shared: Corpus, options: dict[str, Any]) -> None:
    assert ask(shared, note="x" * MAX_NOTE, **options).outcome in {"diagnosis", "abstention"}


def test_nothing_of_the_patient_is_in_the_answer(shared: Corpus) -> None:
    consultation = Consultation((PSORIASIS,), "Ms Jane Doe itches", 44, "female", "scalp", subject="MRN-7")
    answer = repr(anyio.run(pipeline(shared).diagnose, consultation))
    assert not [word for word in ("Jane", "MRN-7", "female", "a new picture", PSORIASIS.sha256) if word in answer]


# --- filters -------------------------------------------------------------------------------------------------------


def test_only_what_passes_the_filters_is_evidence_and_the_trace_says_so(shared: Corpus) -> None:
    filters = Filters(source=("acne-guide",), label=("psoriasis", "acne vulgaris"))
    answer = diagnosis(ask(shared, note="scaly plaque", filters=filters))
    assert {item.label for item in answer.ledger if item.kind is EvidenceKind.CASE} <= {"psoriasis", "acne vulgaris"}
    assert {item.title for item in answer.ledger if item.kind is EvidenceKind.PASSAGE} == {"acne-guide"}
    assert {one.label for one in answer.candidates} == {"psoriasis", "acne vulgaris"}
    assert answer.trace.configuration["options"]["filters"]["source"] == ("acne-guide",)
    assert "probabilities are calibrated on all reference cases, not on those that pass the filters" in answer.warnings


def test_filters_that_leave_no_case_end_in_an_abstention_that_says_why(shared: Corpus) -> None:
    answer = abstention(ask(shared, filters=Filters(label=("psoriasiss",))))
    assert answer.reason == "no_reference_cases"
    assert "no reference case has label “psoriasiss”; nearest: psoriasis" in answer.warnings
    assert "no reference case passes the filters: label=psoriasiss" in answer.warnings


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cases": False, "filters": Filters(label=("psoriasis",), source=("x",))}, "label: filters cases"),
        ({"passages": False, "filters": Filters(jurisdiction=("GB",))}, "jurisdiction: filters passages"),
    ],
)
def test_a_filter_of_what_is_switched_off_is_refused(shared: Corpus, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConsultationRefused, match=said):
        ask(shared, **options)


# --- parts of the question -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("guarded", [True, False])
def test_the_caption_of_the_query_picture_itself_is_never_asked_for(built: Corpus, guarded: bool) -> None:
    """It may be a reference case, even twice: the leak guard keeps it back, and with it its words."""
    for dataset in ("one", "other"):
        twin = case_of(f"itself-{dataset}", "psoriasis", "Verrucous, umbilicated, ulcerated.", dataset=dataset)
        built.add_case(replace(twin, original=PSORIASIS.sha256), PSORIASIS.rgb)
    encoder = built.encoders.passages
    assert isinstance(encoder, FakeTextEncoder)
    encoder.encoded.clear()
    ask(built, note="red patch", leak_guard=guarded)
    assert any("umbilicated" in text for text in encoder.encoded) is not guarded
    assert not {one.name for one in fields(Consultation)} & {"caption", "label"}


def test_all_parts_are_encoded_in_one_batch(built: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[list[str]] = []
    encode = built.encoders.passages.encode_queries

    def counted(texts: Any) -> Vectors:
        batches.append(list(texts))
        return encode(texts)

    monkeypatch.setattr(built.encoders.passages, "encode_queries", counted)
    diagnosis(ask(built, note="silvery patch"))
    note, parts = batches  # the first is the note against captions
    assert note == ["silvery patch"]
    assert [part for part in parts if part.startswith("silvery patch")]
    assert "psoriasis" in parts
