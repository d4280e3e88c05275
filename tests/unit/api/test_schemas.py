"""What callers may send, and the examples that the documentation shows them."""

from dataclasses import fields
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api import counterfactual_examples, dataset_examples, examples, job_examples
from api.counterfactuals import CounterfactualRequest
from api.replies import DocumentDetail, DocumentList, Ingested, PageText
from api.schemas import DiagnosisRequest, FiltersRequest, JsonText, PictureSearchRequest, SearchRequest, SourceRequest
from inference.counterfactual import CounterfactualOptions, Counterfactuals
from inference.lookup import SearchResult
from inference.types import Abstention, Diagnosis, DiagnosisOptions
from knowledge.registry import AuditEntry
from knowledge.registry.jobs import Job
from knowledge.types import Dataset, ReferenceCase, Source
from retrieval.filters import Filters
from runtime.coverage import Coverage
from runtime.dataset_report import DatasetReport
from runtime.deletion import CasesReceipt, Receipt


def test_nothing_said_is_a_consultation_as_configured() -> None:
    request = DiagnosisRequest.model_validate({})
    assert request.diagnosis_options() == DiagnosisOptions()
    assert request.consultation([]).note == ""


def test_a_form_carries_json_text() -> None:
    request = DiagnosisRequest.model_validate('{"note": "itchy", "age": 0, "options": {"k": 0, "alpha": 1}}')
    consultation = request.consultation([])
    assert (consultation.note, consultation.age) == ("itchy", 0)
    assert request.diagnosis_options() == DiagnosisOptions(k=0, alpha=1.0)


@pytest.mark.parametrize(
    ("model", "value", "fields"),
    [
        (DiagnosisRequest, {"age": 131}, {"age"}),
        (DiagnosisRequest, {"age": -1, "sex": "F"}, {"age", "sex"}),
        (DiagnosisRequest, {"age": "41"}, {"age"}),
        (DiagnosisRequest, {"note": "x" * 4_001}, {"note"}),
        (
            DiagnosisRequest,
            {"options": {"k": 21, "alpha": 1.5, "cases": "no"}},
            {"options.k", "options.alpha", "options.cases"},
        ),
        (DiagnosisRequest, {"options": {"leakguard": False}}, {"options.leakguard"}),
        (DiagnosisRequest, {"patient": "x"}, {"patient"}),
        (DiagnosisRequest, {"counterfactual": {}}, {"counterfactual"}),
        (
            CounterfactualRequest,
            {"counterfactual": {"items": 61, "shuffles": 11, "runs": 1}},
            {"counterfactual.items", "counterfactual.shuffles", "counterfactual.runs"},
        ),
        (CounterfactualRequest, {"counterfactual": {"items": 0}}, {"counterfactual.items"}),
        (SearchRequest, {"text": " \n"}, {"text"}),
        (SearchRequest, {"text": "x", "k": 0}, {"k"}),
        (SearchRequest, {"text": "x", "k": True}, {"k"}),
        (PictureSearchRequest, {"k": 51}, {"k"}),
        (
            SearchRequest,
            {"text": "x", "filters": {"colour": ["red"], "label": [""]}},
            {"filters.colour", "filters.label.0"},
        ),
        (SearchRequest, {"text": "x", "filters": {"effective_to": "2024-02-30"}}, {"filters.effective_to"}),
        (SearchRequest, {"text": "x", "filters": {"languages": ["en"]}}, {"filters.languages"}),
        (DiagnosisRequest, {"options": {"filters": {"laebl": ["x"]}}}, {"options.filters.laebl"}),
        (SourceRequest, {}, {"title"}),
        (SourceRequest, {"title": "x", "url": "javascript:alert(1)"}, {"url"}),
        (SourceRequest, {"title": "x", "effective": "2024-02-30", "review": "soon"}, {"effective", "review"}),
    ],
)
def test_every_wrong_field_is_found(model: type[JsonText], value: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    assert {".".join(map(str, error["loc"])) for error in caught.value.errors()} == fields


def test_filters_are_read_with_and_without_a_list() -> None:
    given = {"label": "psoriasis", "jurisdiction": ["GB", "IE"], "effective_to": "2024-01-31"}
    expected = Filters(label=("psoriasis",), jurisdiction=("GB", "IE"), effective_to=date(2024, 1, 31))
    assert SearchRequest.model_validate({"text": "x", "filters": given}).filters.filters() == expected
    request = DiagnosisRequest.model_validate({"options": {"filters": given}})
    assert request.diagnosis_options() == DiagnosisOptions(filters=expected)
    assert {one.name for one in fields(Filters)} == set(FiltersRequest.model_fields)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"note": "\\ud800"}', "[]", "1", "null", '{"options": {"alpha": NaN}}']
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        DiagnosisRequest.model_validate(text)


@given(st.text())
def test_any_text_is_a_request_or_a_validation_error(text: str) -> None:
    try:
        assert isinstance(DiagnosisRequest.model_validate(text), DiagnosisRequest)
    except ValidationError as error:
        assert error.error_count() >= 1  # noqa: PT017 - either outcome is right


def test_a_source_is_kept_as_it_was_sent() -> None:
    assert SourceRequest.model_validate(examples.SOURCE).source() == Source(**examples.SOURCE)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Diagnosis, examples.DIAGNOSIS),
        (Abstention, examples.ABSTENTION),
        (SearchResult, examples.SEARCH_RESULT),
        (Ingested, {"outcomes": [examples.OUTCOME, examples.REFUSED_OUTCOME]}),
        (DocumentList, {"documents": [examples.DOCUMENT]}),
        (DocumentDetail, examples.DOCUMENT_DETAIL),
        (PageText, examples.PAGE),
        (Job, job_examples.JOB),
        (AuditEntry, job_examples.AUDIT_ENTRY),
        (Receipt, examples.RECEIPT),
        (ReferenceCase, examples.CASE),
        (Dataset, dataset_examples.DATASET),
        (Dataset, dataset_examples.RETIRED),
        (DatasetReport, dataset_examples.REPORT),
        (CasesReceipt, dataset_examples.CASES_RECEIPT),
        (Coverage, dataset_examples.COVERAGE),
    ],
)
def test_documented_answers_are_answers(kind: type[Any], value: dict[str, Any]) -> None:
    answer = msgspec.convert(value, kind)
    assert set(value) <= set(msgspec.to_builtins(answer))


def test_a_documented_counterfactual_is_one_and_consistent() -> None:
    # By pydantic: its answer is one of two dataclasses, which msgspec only writes.
    found = TypeAdapter(Counterfactuals).validate_python(counterfactual_examples.COUNTERFACTUALS)
    assert isinstance(found.answer, Diagnosis)
    assert {item.key for item in found.answer.ledger} == {one.key for one in found.items}
    assert set(found.depends_on) == {one.key for one in found.items if one.without.changed}
    assert found.runs == 2 + len(found.items) + len(found.shuffled) + 2


def test_how_often_a_counterfactual_asks_may_be_left_out() -> None:
    assert CounterfactualRequest.model_validate({}).asked() == CounterfactualOptions()
    request = CounterfactualRequest.model_validate('{"note": "itchy", "counterfactual": {"items": 3, "shuffles": 0}}')
    assert request.asked() == CounterfactualOptions(3, 0)
    assert request.consultation([]).note == "itchy"


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (DiagnosisRequest, examples.CONSULTATION),
        (CounterfactualRequest, {**examples.CONSULTATION, "counterfactual": {"items": 12, "shuffles": 3}}),
        (SearchRequest, examples.SEARCH),
        (SourceRequest, examples.SOURCE),
        (PictureSearchRequest, examples.PICTURE_SEARCH),
    ],
)
def test_documented_requests_are_requests(model: type[JsonText], value: dict[str, Any]) -> None:
    model.model_validate(value)
