"""An answer as FHIR over HTTP, and a CDS hook, on the sample corpus with the embedded encoders."""

import base64
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient
from PIL import Image

from api.app import create_app
from api.problems import PROBLEM_JSON
from runtime.service import Service
from tests.fhir_checks import must_be_r4, resources

Client = TestClient[Litestar]
Draw = Callable[[str, int], bytes]

HERE = "http://127.0.0.1:8000"
SECRET = "Ms Example from Exampleton"
FHIR = {"Accept": "application/fhir+json"}
STREAM = {"Accept": "text/event-stream"}
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"


@pytest.fixture
def client(own_service: Service) -> Iterator[Client]:
    with TestClient(create_app(own_service), base_url=HERE) as client:
        yield client


def diagnose(client: Client, picture: bytes, headers: dict[str, str] | None = None, **request: Any) -> Response:
    files = [("images", (f"{SECRET}.png", picture, "image/png"))]
    return client.post("/v1/diagnoses", files=files, data={"request": json.dumps(request)}, headers=headers or {})


def problem_of(response: Response, status: int, reason: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["reason"]) == (status, reason)
    assert response.headers["content-type"] == PROBLEM_JSON
    return problem


def events_of(response: Response) -> list[tuple[str, Any]]:
    blocks = [block.splitlines() for block in response.text.replace("\r\n", "\n").split("\n\n") if "data: " in block]
    told = [dict(line.split(": ", 1) for line in block) for block in blocks]
    return [(one["event"], json.loads(one["data"])) for one in told]


def grey() -> bytes:
    """A picture that shows nothing."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((128, 128, 3), 128, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


# --- FHIR ------------------------------------------------------------------------------------------------------------


def test_an_answer_is_had_as_fhir_and_says_what_the_plain_one_says(client: Client, draw: Draw) -> None:
    response = diagnose(client, draw("psoriasis", 7), FHIR, note=f"{SECRET}, plaque with silvery scale", age=41)
    bundle = response.json()
    assert (response.status_code, response.headers["content-type"]) == (200, "application/fhir+json")
    must_be_r4(bundle)
    plain = diagnose(client, draw("psoriasis", 7), note=f"{SECRET}, plaque with silvery scale", age=41).json()
    [report] = resources(bundle, "DiagnosticReport")
    assert report["conclusionCode"] == [{"text": plain["candidates"][0]["label"]}]
    said = {one["valueString"] for one in resources(bundle, "Observation") if "valueString" in one}
    assert said == {one["text"] for one in plain["report"]}
    known = {one["masterIdentifier"]["value"] for one in resources(bundle, "DocumentReference")}
    assert known == {one["id"] for one in plain["ledger"]}
    assert SECRET not in response.text
    assert "subject" not in report


def test_every_piece_of_evidence_opens_where_the_bundle_says(client: Client, draw: Draw) -> None:
    bundle = diagnose(client, draw("psoriasis", 7), FHIR, note="plaque with silvery scale").json()
    attachments = [one["attachment"] for doc in resources(bundle, "DocumentReference") for one in doc["content"]]
    assert {one["contentType"] for one in attachments} == {
        "image/webp",
        "application/json",
        "image/png",
        "application/pdf",
    }
    for one in attachments:
        opened = client.get(one["url"])
        assert (opened.status_code, opened.headers["content-type"]) == (200, one["contentType"]), one["url"]


def test_an_abstention_is_fhir_too(client: Client) -> None:
    bundle = diagnose(client, grey(), FHIR).json()
    must_be_r4(bundle)
    [observation] = resources(bundle, "Observation")
    assert observation["dataAbsentReason"]["coding"][1]["code"] == "picture_unusable"


def test_a_patient_is_the_subject_as_the_caller_named_him(client: Client, draw: Draw) -> None:
    bundle = diagnose(client, draw("acne", 5), FHIR, patient="https://ehr.example/fhir/Patient/p-7").json()
    must_be_r4(bundle)
    [report] = resources(bundle, "DiagnosticReport")
    assert report["subject"] == {"reference": "https://ehr.example/fhir/Patient/p-7"}


def test_a_stream_has_the_bundle_before_the_very_answer_it_was_made_of(client: Client, draw: Draw) -> None:
    events = events_of(diagnose(client, draw("psoriasis", 7), STREAM, fhir=True, patient="Patient/7"))
    names = [name for name, _ in events]
    assert names[-2:] == ["fhir", "outcome"]
    assert names.count("fhir") == 1
    bundle, outcome = events[-2][1], events[-1][1]
    must_be_r4(bundle)
    values = [one["valueQuantity"]["value"] for one in resources(bundle, "Observation")[0]["component"]]
    assert values == [round(one["probability"], 6) for one in outcome["candidates"]]


def test_a_stream_has_no_bundle_unless_it_is_asked_for(client: Client, draw: Draw) -> None:
    assert "fhir" not in [name for name, _ in events_of(diagnose(client, draw("psoriasis", 7), STREAM))]


@pytest.mark.parametrize(
    ("headers", "request_", "status", "reason"),
    [
        ({}, {"fhir": True}, 422, "consultation_refused"),
        ({}, {"patient": "Patient/7"}, 422, "consultation_refused"),
        (STREAM, {"patient": "Patient/7"}, 422, "consultation_refused"),
        (FHIR, {"patient": "Ms Example"}, 400, "invalid_request"),
        (FHIR, {"patient": "https://ehr.example/?name=x/Patient/7"}, 400, "invalid_request"),
        (FHIR, {"patient": "Observation/7"}, 400, "invalid_request"),
        (FHIR, {"fhir": "perhaps"}, 400, "invalid_request"),
    ],
)
def test_a_word_without_effect_or_sense_is_refused(
    client: Client, draw: Draw, headers: dict[str, str], request_: dict[str, Any], status: int, reason: str
) -> None:
    response = diagnose(client, draw("acne", 5), headers, **request_)
    problem_of(response, status, reason)
    assert "Ms Example" not in response.text


def test_an_error_is_a_problem_document_whatever_form_was_asked_for(client: Client) -> None:
    assert diagnose(client, b"no picture", FHIR).headers["content-type"] == PROBLEM_JSON


# --- CDS Hooks -------------------------------------------------------------------------------------------------------


def media(picture: bytes | str, **more: Any) -> dict[str, Any]:
    data = picture if isinstance(picture, str) else base64.b64encode(picture).decode()
    return {
        "resourceType": "Media",
        "status": "completed",
        "content": {"contentType": "image/png", "data": data},
        **more,
    }


def hook(client: Client, **request: Any) -> Response:
    context = {"userId": "Practitioner/1", "patientId": "7"}
    whole = {"hook": "patient-view", "hookInstance": INSTANCE, "context": context, **request}
    return client.post("/cds-services/dermacite", json=whole)


def test_the_discovery_says_what_to_send(client: Client) -> None:
    [service] = client.get("/cds-services").json()["services"]
    assert (service["id"], service["hook"]) == ("dermacite", "patient-view")
    assert service["prefetch"]["pictures"].startswith("Media?patient={{context.patientId}}")
    assert set(service) == {"hook", "title", "description", "id", "prefetch", "usageRequirements"}


def test_a_hook_with_a_picture_is_answered_with_a_card_whose_links_open(client: Client, draw: Draw) -> None:
    picture = media(
        draw("psoriasis", 7), note=[{"text": f"{SECRET}: plaque with silvery scale"}], bodySite={"text": "elbow"}
    )
    response = hook(client, prefetch={"pictures": {"resourceType": "Bundle", "entry": [{"resource": picture}]}})
    assert response.status_code == 200
    [card] = response.json()["cards"]
    plain = diagnose(
        client, draw("psoriasis", 7), note=f"{SECRET}: plaque with silvery scale", body_site="elbow"
    ).json()
    first = plain["candidates"][0]
    assert card["summary"] == f"Likeliest: {first['label']}, {first['probability']:.0%} (Research use, not a diagnosis)"
    assert set(card) == {"uuid", "summary", "indicator", "detail", "source", "links"}
    assert plain["report"][0]["text"][:20] in card["detail"]
    assert card["links"]
    assert all(client.get(link["url"]).status_code == 200 for link in card["links"])
    assert SECRET not in response.text


def test_a_picture_that_shows_nothing_is_a_card_that_says_so(client: Client) -> None:
    [card] = hook(client, prefetch={"picture": media(grey())}).json()["cards"]
    assert card["summary"].startswith("No answer: Picture 1 is ")
    assert card["links"] == []


def test_what_the_records_system_sends_beside_is_not_looked_at(
    client: Client, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    access = {"access_token": SECRET, "token_type": "Bearer", "expires_in": 300, "scope": "x", "subject": "y"}
    with caplog.at_level(logging.DEBUG):
        response = hook(
            client, hook="an.own-hook", context={"picture": media(draw("nevus", 7))}, extension={"x": SECRET},
            fhirServer="http://192.0.2.1/fhir", fhirAuthorization=access,
        )  # fmt: skip
    assert response.status_code == 200
    assert SECRET not in response.text + caplog.text


@pytest.mark.parametrize(
    ("prefetch", "reasons"),
    [
        (None, None),
        ({"pictures": {"resourceType": "OperationOutcome"}}, None),
        ({"a": media("!not base64!")}, ["not_base64"]),
        (
            {"a": {"resourceType": "Media", "content": {"contentType": "image/png", "url": "http://x/y"}}},
            ["not_inline"],
        ),
        ({"a": media(b"no picture"), "b": media("")}, ["not_a_picture", "not_inline"]),
    ],
    ids=["nothing", "no media", "no base64", "an address", "two faults"],
)
def test_an_unusable_prefetch_is_412(client: Client, prefetch: Any, reasons: list[str] | None) -> None:
    problem = problem_of(hook(client, prefetch=prefetch), 412, "prefetch_unusable")
    assert [one["reason"] for one in problem.get("errors", [])] == (reasons or [])
    assert [one["picture"] for one in problem.get("errors", [])] == list(range(1, len(reasons or []) + 1))


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"hookInstance": "no uuid"}, {"hookInstance"}),
        ({"context": 7, "hook": ""}, {"context", "hook"}),
        ({"prefetch": [1]}, {"prefetch"}),
    ],
)
def test_what_is_no_hook_request_is_400(client: Client, change: dict[str, Any], fields: set[str]) -> None:
    problem = problem_of(hook(client, **change), 400, "invalid_request")
    assert {one["field"] for one in problem["errors"]} == fields


def test_four_pictures_of_the_largest_size_fit_and_more_do_not(client: Client, own_service: Service) -> None:
    limit = own_service.settings.picture_megabytes * 1_000_000
    fits = hook(client, prefetch={"a": media("A" * (limit * 4 // 3))})
    problem_of(fits, 412, "prefetch_unusable")  # read, and then it is no picture
    body = b'{"hook":"' + b"A" * (6 * limit) + b'"}'
    response = client.post("/cds-services/dermacite", content=body, headers={"content-type": "application/json"})
    problem_of(response, 413, "too_large")


def test_white_space_within_base64_is_read(client: Client) -> None:
    data = base64.b64encode(grey()).decode()
    assert hook(client, prefetch={"a": media(f"{data[:40]}\r\n {data[40:]}")}).status_code == 200
