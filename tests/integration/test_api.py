"""The HTTP interface over a real knowledge base with the embedded encoders."""

import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient
from PIL import Image

from api.app import create_app
from api.health import Readiness
from api.problems import PROBLEM_JSON
from knowledge.blobs import LocalBlobs
from knowledge.types import Document
from retrieval.canary import check_legs
from retrieval.errors import EncoderMissing
from runtime.service import Service, open_service
from runtime.settings import load_settings

Client = TestClient[Litestar]
Draw = Callable[[str, int], bytes]

HERE = "http://127.0.0.1:8000"
SECRET = "Ms Example from Exampleton"


def client_of(service: Service) -> Client:
    return TestClient(create_app(service), base_url=HERE)


def wait_until_ready(client: Client) -> Response:
    deadline = time.monotonic() + 240
    while (response := client.get("/health/ready")).json()["problem"] == "still warming up; ask again in a few seconds":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return response


def problem_of(response: Response, status: int, reason: str) -> dict[str, Any]:
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["reason"]) == (status, reason)
    assert response.headers["content-type"] == PROBLEM_JSON
    return problem


def diagnose(client: Client, *pictures: bytes, **request: Any) -> Response:
    files = [("images", (f"{SECRET}.png", picture, "image/png")) for picture in pictures]
    return client.post("/v1/diagnoses", files=files, data={"request": json.dumps(request)})


def upload(client: Client, *files: bytes, name: str = "guideline.pdf", source: Any = None) -> Response:
    data = {} if source is None else {"source": json.dumps(source)}
    return client.post("/v1/documents", files=[("files", (name, file)) for file in files], data=data)


@pytest.fixture
def client(own_service: Service) -> Iterator[Client]:
    with client_of(own_service) as client:
        yield client


@pytest.fixture
def document(own_service: Service) -> Document:
    return own_service.registry.documents()[0]


# --- diagnoses -------------------------------------------------------------------------------------------------------


def test_a_picture_and_a_note_give_a_diagnosis_with_evidence(client: Client, draw: Draw) -> None:
    response = diagnose(client, draw("psoriasis", 7), note="plaque with silvery scale", age=41, body_site="elbow")
    answer = response.json()
    assert response.status_code == 200
    assert (answer["outcome"], answer["candidates"][0]["label"]) == ("diagnosis", "psoriasis")
    assert {item["kind"] for item in answer["ledger"]} == {"case", "passage"}
    assert answer["citations"]["verified"] == answer["citations"]["total"] > 0
    assert response.headers["cache-control"] == "no-store"


def test_declining_is_an_answer(client: Client) -> None:
    flat = io.BytesIO()
    Image.new("RGB", (64, 64), (128, 128, 128)).save(flat, "PNG")
    response = diagnose(client, flat.getvalue())
    assert response.status_code == 200
    assert (response.json()["outcome"], response.json()["reason"]) == ("abstention", "picture_unusable")


def test_the_words_may_be_left_out(client: Client, draw: Draw) -> None:
    response = client.post("/v1/diagnoses", files={"images": draw("acne", 5)})
    assert response.status_code == 200


def test_options_reach_the_pipeline(client: Client, draw: Draw) -> None:
    options = {"k": 1, "alpha": 1.0, "passages": False, "leak_guard": False}
    answer = diagnose(client, draw("nevus", 0), options=options).json()
    assert {item["kind"] for item in answer["ledger"]} == {"case"}
    assert answer["trace"]["configuration"]["options"]["alpha"] == 1.0
    assert any("leak guard" in warning for warning in answer["warnings"])


def test_each_refused_picture_is_named_by_its_number_and_not_by_its_name(client: Client, draw: Draw) -> None:
    response = diagnose(client, draw("acne", 5), b"no picture", draw("acne", 6)[:300])
    problem = problem_of(response, 415, "not_a_picture")
    assert [(fault["picture"], fault["reason"]) for fault in problem["errors"]] == [
        (2, "not_a_picture"),
        (3, "truncated"),
    ]
    assert SECRET not in response.text


def test_too_many_pictures_are_refused_before_they_are_decoded(client: Client, draw: Draw) -> None:
    problem_of(diagnose(client, *[b"x"] * 5), 422, "consultation_refused")


def test_a_request_that_does_not_fit_lists_every_field(client: Client, draw: Draw) -> None:
    response = diagnose(client, draw("acne", 5), age=131, sex=SECRET, options={"k": 21})
    problem = problem_of(response, 400, "invalid_request")
    assert {fault["field"] for fault in problem["errors"]} == {"age", "sex", "options.k"}
    assert SECRET not in response.text


PART = b'--x\r\nContent-Disposition: form-data; name="request"\r\n'


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
        (b"--x\r\nnothing", "multipart/form-data; boundary=x"),
        (PART + b"\r\n\xff\xfe\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (PART + b"Content-Type: text/plain; charset=no\r\n\r\na\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
    ],
)  # fmt: skip
def test_forms_that_cannot_be_read_are_the_callers_fault(client: Client, content: bytes, content_type: str) -> None:
    response = client.post("/v1/diagnoses", content=content, headers={"Content-Type": content_type})
    assert response.status_code == 400
    assert response.headers["content-type"] == PROBLEM_JSON


def test_bodies_have_limits(client: Client, own_service: Service) -> None:
    problem_of(client.post("/v1/search", json={"text": "x" * 1_000_001}), 413, "too_large")
    too_much = 4 * own_service.settings.picture_megabytes * 1_000_000 + 1_000_001
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(too_much)}
    problem_of(client.post("/v1/diagnoses", content=b"", headers=headers), 413, "too_large")


# --- search ----------------------------------------------------------------------------------------------------------


def test_words_find_passages_and_cases(client: Client) -> None:
    found = client.post("/v1/search", json={"text": "excision margin of a brown macule or nevus", "k": 2}).json()
    assert "2 mm" in found["passages"][0]["text"]
    assert found["cases"][0]["label"] == "nevus"
    assert found["cases_by"] == "text"


def test_a_picture_finds_itself(client: Client, draw: Draw) -> None:
    found = client.post("/v1/search/picture", files={"image": draw("acne", 1)}, data={"request": '{"k": 3}'}).json()
    assert (found["cases_by"], len(found["cases"])) == ("picture", 3)
    assert found["cases"][0]["scores"]["picture"] == pytest.approx(1, abs=1e-4)


def test_filters_hold_for_words_pictures_and_diagnoses(client: Client, draw: Draw) -> None:
    filters = {"label": "nevus", "jurisdiction": ["GB"]}
    found = client.post("/v1/search", json={"text": "plaque", "filters": filters}).json()
    assert (found["passages"], {case["label"] for case in found["cases"]}) == ([], {"nevus"})
    assert "no passage passes the filters: jurisdiction=GB" in found["warnings"]
    picture, request = {"image": draw("acne", 1)}, {"request": json.dumps({"filters": {"label": ["nevus"]}})}
    assert {one["label"] for one in client.post("/v1/search/picture", files=picture, data=request).json()["cases"]} == {
        "nevus"
    }
    request = {"request": json.dumps({"options": {"filters": filters}})}
    answer = client.post("/v1/diagnoses", files={"images": draw("acne", 1)}, data=request).json()
    assert {item["label"] for item in answer["ledger"]} == {"nevus"}
    assert answer["trace"]["configuration"]["options"]["filters"]["jurisdiction"] == ["GB"]
    problem_of(client.post("/v1/search", json={"text": "x", "filters": {"laebl": ["x"]}}), 400, "invalid_request")


def test_a_search_says_how_it_was_asked_for(client: Client, draw: Draw) -> None:
    found = client.post("/v1/search", json={"text": "plaque", "fusion": "rrf"}).json()
    assert found["explanations"]["passages"]["fusion"] == "rrf"
    problem_of(client.post("/v1/search", json={"text": "plaque", "rerank": True}), 422, "consultation_refused")
    request = {"request": json.dumps({"hard_negatives": True, "against": "acne"})}
    found = client.post("/v1/search/picture", files={"image": draw("acne", 1)}, data=request).json()
    assert found["cases"]
    assert "acne" not in {one["label"] for one in found["cases"]}
    request = {"request": json.dumps({"options": {"fusion": "semantic", "strategy": "B"}})}
    answer = client.post("/v1/diagnoses", files={"images": draw("acne", 1)}, data=request).json()
    asked = answer["trace"]["configuration"]["options"]
    assert (asked["fusion"], asked["strategy"], asked["rerank"]) == ("semantic", "B", False)


# --- cases -----------------------------------------------------------------------------------------------------------


def test_evidence_of_a_case_can_be_opened(client: Client, own_service: Service) -> None:
    case_id = own_service.registry.case_captions()[0][0]
    case = client.get(f"/v1/cases/{case_id}").json()
    picture = client.get(f"/v1/cases/{case_id}/picture")
    assert (case["id"], case["licence"]) == (case_id, "CC0-1.0")
    assert (picture.headers["content-type"], picture.headers["etag"]) == ("image/webp", f'"{case["picture"]}"')
    assert "private" in picture.headers["cache-control"]
    stored = np.asarray(Image.open(io.BytesIO(picture.content)))
    assert np.array_equal(stored, own_service.stored_pixels(case["picture"]))
    again = client.get(f"/v1/cases/{case_id}/picture", headers={"If-None-Match": picture.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["", "/picture"])
def test_an_unknown_case_is_not_found(client: Client, path: str) -> None:
    response = client.get(f"/v1/cases/{SECRET}{path}")
    problem_of(response, 404, "not_found")
    assert SECRET not in response.text


# --- documents -------------------------------------------------------------------------------------------------------


def test_the_way_of_a_guideline(client: Client, make_guideline: Callable[[str, str], bytes]) -> None:
    file = make_guideline("Scabies", "Apply permethrin 5% cream to the whole body and repeat it after 7 days.")
    source = {"title": "On scabies", "licence": "CC0-1.0", "review": "2027-01-31"}
    added = upload(client, file, name=f"../{SECRET}.pdf", source=source)
    [outcome] = added.json()["outcomes"]
    path = f"/v1/documents/{outcome['id']}"
    assert (added.status_code, outcome["state"], outcome["file"]) == (201, "added", f"{SECRET}.pdf")
    assert "permethrin" in client.post("/v1/search", json={"text": "scabies cream"}).json()["passages"][0]["text"]

    again = upload(client, file, source=source)
    assert (again.status_code, again.json()["outcomes"][0]["state"]) == (200, "unchanged")
    assert "source" in again.json()["outcomes"][0]["warnings"][0]

    assert "On scabies" in [one["source"]["title"] for one in client.get("/v1/documents").json()["documents"]]
    detail = client.get(path).json()
    assert [(page["number"], page["state"]) for page in detail["pages"]] == [(1, "text")]

    receipt = client.delete(path).json()
    assert set(receipt["absent_from"]) == {"registry", "vectors", "index", "lexical", "caches", "files", "disk"}
    for gone in (path, f"{path}/pages/1", f"{path}/pages/1/image", f"{path}/file"):
        problem_of(client.get(gone), 404, "not_found")
    problem_of(client.delete(path), 404, "not_found")
    found = client.post("/v1/search", json={"text": "scabies cream"}).json()["passages"]
    assert all("permethrin" not in passage["text"] for passage in found)


def test_good_files_are_taken_in_beside_bad_ones(client: Client, make_guideline: Callable[[str, str], bytes]) -> None:
    response = upload(client, b"no pdf", make_guideline("Warts", "Offer salicylic acid 26% daily for 12 weeks."), b"")
    assert response.status_code == 201
    assert [one["state"] for one in response.json()["outcomes"]] == ["refused", "added", "refused"]


def test_an_upload_of_nothing_usable_is_a_problem(client: Client) -> None:
    problem = problem_of(upload(client, b"no pdf", b""), 422, "documents_refused")
    assert [one["reason"] for one in problem["outcomes"]] == ["not_a_pdf", "empty_file"]


def test_what_does_not_fit_together_is_refused(client: Client) -> None:
    problem_of(upload(client, b"a", b"b", source={"title": "Which?"}), 422, "upload_refused")
    problem_of(upload(client, *[b"a"] * 21), 422, "upload_refused")
    problem_of(upload(client, b"a", source={"title": "x", "effective": "soon"}), 400, "invalid_request")


def test_a_large_upload_leaves_nothing_open(client: Client) -> None:
    problem_of(upload(client, bytes(3_000_000)), 422, "documents_refused")


def test_a_page_is_text_and_picture(client: Client, document: Document, own_service: Service) -> None:
    path = f"/v1/documents/{document.id}/pages/2"
    page = client.get(path).json()
    text = own_service.blobs.get(str(document.version.text_sha256)).decode()
    assert page["text"] == text[page["start"] : page["end"]]
    assert "2 mm" in page["text"]
    drawn = client.get(f"{path}/image")
    negotiated = client.get(path, headers={"Accept": "image/png"})
    assert drawn.headers["content-type"] == negotiated.headers["content-type"] == "image/png"
    assert drawn.content == negotiated.content
    assert Image.open(io.BytesIO(drawn.content)).width > 300
    assert client.get(f"{path}/image", headers={"If-None-Match": drawn.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("page", ["0", "4", "99999999999999999999"])
@pytest.mark.parametrize("kind", ["", "/image"])
def test_pages_that_are_not_there(client: Client, document: Document, page: str, kind: str) -> None:
    problem_of(client.get(f"/v1/documents/{document.id}/pages/{page}{kind}"), 404, "not_found")


def test_the_file_is_served_whole_and_in_parts(client: Client, document: Document, own_service: Service) -> None:
    path = f"/v1/documents/{document.id}/file"
    stored = own_service.blobs.get(document.version.id)
    whole = client.get(path)
    part = client.get(path, headers={"Range": "bytes=5-14"})
    assert (whole.content, whole.headers["content-type"]) == (stored, "application/pdf")
    assert (part.status_code, part.content) == (206, stored[5:15])
    assert client.get(path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    problem_of(client.get(path, headers={"Range": f"bytes={len(stored)}-"}), 416, "range_not_satisfiable")


def test_a_damaged_file_is_never_served(client: Client, document: Document, own_service: Service) -> None:
    LocalBlobs(own_service.home.blobs).path(document.version.id).write_bytes(b"%PDF- something else")
    problem_of(client.get(f"/v1/documents/{document.id}/file"), 500, "blob_corrupt")


# --- health ----------------------------------------------------------------------------------------------------------


def test_a_filled_service_becomes_ready(client: Client) -> None:
    response = wait_until_ready(client)
    assert response.status_code == 200
    assert len(response.json()["checks"]) == 5
    assert all(check["alive"] for check in response.json()["checks"])


def test_an_empty_service_says_how_to_fill_it(empty_service: Service) -> None:
    with client_of(empty_service) as client:
        response = wait_until_ready(client)
        assert response.status_code == 503
        assert "dermacite ingest cases" in response.json()["problem"]
        assert client.get("/health/live").json() == {"alive": True}


def test_a_missing_encoder_is_said_and_does_not_keep_the_service_down(tmp_path: Path) -> None:
    settings = load_settings(
        tmp_path, configuration="embedded", pictures={"card": "efficientnet-lite0", "folder": "/nowhere"}
    )
    with client_of(open_service(tmp_path, settings)) as client:
        response = wait_until_ready(client)
        assert response.status_code == 503
        assert "encoder efficientnet-lite0" in response.json()["problem"]
        problem_of(client.post("/v1/search", json={"text": "acne"}), 503, EncoderMissing.reason)
        assert client.get("/v1/documents").json() == {"documents": []}


def test_a_good_proof_is_kept_while_nothing_changes(
    client: Client, own_service: Service, monkeypatch: pytest.MonkeyPatch, make_guideline: Callable[[str, str], bytes]
) -> None:
    wait_until_ready(client)
    runs = count_proofs(monkeypatch)
    assert [client.get("/health/ready").status_code for _ in range(3)] == [200] * 3
    assert runs == []
    upload(client, make_guideline("Rosacea", "Offer ivermectin 1% cream once daily for 16 weeks."))
    assert client.get("/health/ready").status_code == 200
    assert len(runs) == 1


def test_probes_at_once_share_one_proof(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until_ready(client)
    monkeypatch.setattr("api.health.FRESH_S", 0.0)
    runs = count_proofs(monkeypatch, seconds=0.3)
    with ThreadPoolExecutor(6) as pool:
        states = list(pool.map(lambda _: client.get("/health/ready").status_code, range(6)))
    assert states == [200] * 6
    assert len(runs) <= 2  # the first, and one for those who came while it was finishing


def count_proofs(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> list[None]:
    """One entry for each time that the legs were checked from now on; each check takes so much longer."""
    runs: list[None] = []

    def counted(*arguments: Any) -> Any:
        runs.append(None)
        time.sleep(seconds)
        return check_legs(*arguments)

    monkeypatch.setattr("api.health.check_legs", counted)
    return runs


# --- what holds for all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", ["admit", "encode"])
def test_work_never_blocks_the_loop(
    own_service: Service, draw: Draw, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    started, release = threading.Event(), threading.Event()
    owner, name = (Service, "admit") if held == "admit" else (type(own_service.encoders.pictures), "encode_images")
    real = getattr(owner, name)

    def slow(self: Any, *arguments: Any) -> Any:
        started.set()
        assert release.wait(30)
        return real(self, *arguments)

    with client_of(own_service) as client, ThreadPoolExecutor(1) as pool:
        wait_until_ready(client)
        monkeypatch.setattr(owner, name, slow)
        answer = pool.submit(diagnose, client, draw("acne", 8))
        assert started.wait(30)
        assert client.get("/health/live").status_code == 200
        assert client.get("/v1/documents").status_code == 200
        assert not answer.done()
        release.set()
        assert answer.result(30).status_code == 200


def test_no_log_holds_what_a_caller_sent(client: Client, draw: Draw, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        wait_until_ready(client)
        diagnose(client, draw("acne", 8), note=SECRET, body_site=SECRET, subject=SECRET)
        diagnose(client, b"no picture", note=SECRET)
        upload(client, b"no pdf", name=f"{SECRET}.pdf")
        client.post("/v1/search", json={"text": SECRET})
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert all(SECRET not in record.getMessage() for record in ours)


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [({"Host": "evil.example"}, 421, "host_refused"), ({"Origin": "https://evil.example"}, 403, "origin_refused")],
)
def test_other_names_and_pages_get_nothing(client: Client, headers: dict[str, str], status: int, reason: str) -> None:
    for path in ("/v1/documents", "/health/ready", "/schema/openapi.json"):
        problem_of(client.get(path, headers=headers), status, reason)


def test_every_response_is_hardened(client: Client) -> None:
    for path in ("/health/live", "/v1/documents", "/v1/cases/none", "/nowhere"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


def test_the_end_of_the_application_closes_the_service(own_service: Service) -> None:
    extractor = own_service.extractors[0]
    with client_of(own_service):
        pass
    with pytest.raises(ValueError, match="closed"):
        extractor.extract(LocalBlobs(own_service.home.blobs).path(own_service.registry.documents()[0].version.id))


def test_a_failure_while_warming_up_does_not_keep_the_service_down(
    own_service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Readiness, __: object) -> None:
        raise ArithmeticError(SECRET)

    monkeypatch.setattr(Readiness, "_prove", broken)
    with client_of(own_service) as client:
        deadline = time.monotonic() + 60
        while client.get("/health/ready").status_code == 503 and time.monotonic() < deadline:
            time.sleep(0.02)
        problem_of(client.get("/health/ready"), 500, "internal_error")
        assert client.get("/health/live").status_code == 200
    assert SECRET not in caplog.text
    assert "ArithmeticError" in caplog.text
