"""The OpenAPI document describes every route completely, and needs nothing from elsewhere."""

from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from api.problems import PROBLEM_JSON
from runtime.service import Service

ROUTES = {
    "live", "ready", "metrics", "diagnose", "diagnose_counterfactually", "search", "search_by_picture", "add_documents",
    "list_documents", "get_document",
    "delete_document", "get_page", "get_page_image", "get_document_file", "get_case", "get_case_picture",
    "approve_version", "retire_version", "describe_version", "delete_version", "list_passages", "compare_versions",
    "find_places", "list_jobs", "get_job", "follow_job", "cancel_job", "retry_job", "list_audit",
    "list_datasets", "get_dataset", "retire_dataset", "restore_dataset", "delete_dataset", "delete_case", "get_coverage",
    "sign_in", "sign_out",
    "list_cds_services", "answer_cds_hook",
}  # fmt: skip


@pytest.fixture
def app(empty_service: Service) -> Litestar:
    return create_app(empty_service)


@pytest.fixture
def document(app: Litestar) -> dict[str, Any]:
    with TestClient(app, base_url="http://127.0.0.1") as client:
        response = client.get("/schema/openapi.json")
        assert response.status_code == 200
        described: dict[str, Any] = response.json()
        return described


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_the_document_names_itself(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Dermacite"
    assert "not a diagnosis" in document["info"]["description"]


def test_every_route_is_there_once(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(document)]
    assert (set(names), len(names)) == (ROUTES, len(ROUTES))


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for operation in operations(document):
        name = operation["operationId"]
        assert operation["summary"] != name, name
        assert operation["description"], name
        assert operation["tags"], name
        assert has_example(operation), name


def has_example(operation: dict[str, Any]) -> bool:
    """In an answer of success that says anything, or, where answers are bytes, in what is asked."""
    successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    contents = [content for answer in successes for content in answer.get("content", {}).values()]
    answered = any(content.get("examples") for content in contents)
    asked = all(content.get("examples") for content in operation.get("requestBody", {}).get("content", {}).values())
    parameters = all(parameter.get("examples") for parameter in operation.get("parameters", []))
    return asked and parameters and (answered or not contents or bool(operation.get("parameters")))


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for operation in operations(document):
        errors = {status: answer for status, answer in operation["responses"].items() if status[0] in "45"}
        assert {"403", "421", "500"} <= set(errors), operation["operationId"]
        for status, answer in errors.items():
            if (operation["operationId"], status) == ("ready", "503"):
                continue  # says in its own words which leg is not
            content = answer["content"][PROBLEM_JSON]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            [example] = content["examples"].values()
            assert example["value"]["status"] == int(status)


def test_an_answer_is_one_of_two(document: dict[str, Any]) -> None:
    answer = document["paths"]["/v1/diagnoses"]["post"]["responses"]["200"]["content"]["application/json"]
    assert [one["$ref"].rpartition("/")[2] for one in answer["schema"]["oneOf"]] == ["Diagnosis", "Abstention"]
    assert {example["value"]["outcome"] for example in answer["examples"].values()} == {"diagnosis", "abstention"}


def test_an_answer_also_comes_as_events_with_an_example(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/diagnoses"]["post"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/event-stream", "application/fhir+json"}
    [shown] = content["text/event-stream"]["examples"].values()
    names = [line.removeprefix("event: ") for line in shown["value"].splitlines() if line.startswith("event: ")]
    assert names == ["evidence", "disease", "report", "citations", "outcome"]


def test_an_answer_also_comes_as_fhir_with_an_example(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/diagnoses"]["post"]["responses"]["200"]["content"]["application/fhir+json"]
    [shown] = content["examples"].values()
    assert shown["value"]["resourceType"] == "Bundle"


def test_nothing_is_loaded_from_elsewhere(app: Litestar) -> None:
    with TestClient(app, base_url="http://127.0.0.1") as client:
        pages = [
            client.get(path).text for path in ("/schema", "/schema/openapi.json", "/schema/swagger", "/schema/redoc")
        ]
    assert not any("<script" in page or "cdn" in page for page in pages)
