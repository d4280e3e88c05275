"""What curators do over HTTP: versions in and out of force, jobs that are followed, differences, the audit log."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from api.problems import PROBLEM_JSON
from runtime.service import Service, open_service
from tests.sample import Draw

Client = TestClient[Litestar]
Guideline = Callable[[str, str], bytes]

HERE = "http://127.0.0.1:8000"
FIRST = "Scabies: apply permethrin 5 % cream to the whole body once and repeat the treatment after 7 days."
SECOND = "Scabies: apply permethrin 5 % cream to the whole body once and repeat the treatment after 14 days."


@pytest.fixture
def client(own_service: Service) -> Iterator[Client]:
    with TestClient(create_app(own_service), base_url=HERE) as client:
        yield client


def upload(client: Client, file: bytes, actor: str | None = None, **form: Any) -> dict[str, Any]:
    """The outcome of one file."""
    response = send(client, file, actor, **form)
    assert response.status_code == 201, response.text
    [outcome] = response.json()["outcomes"]
    return dict(outcome)


def send(client: Client, file: bytes, actor: str | None = None, query: str = "", **form: Any) -> Response:
    headers = {"Dermacite-Actor": actor} if actor else {}
    return client.post(f"/v1/documents{query}", files=[("files", ("g.pdf", file))], data=form, headers=headers)


def problem_of(response: Response, status: int, reason: str) -> None:
    assert (response.status_code, response.json()["reason"]) == (status, reason)
    assert response.headers["content-type"] == PROBLEM_JSON


def passages(client: Client, text: str, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.post("/v1/search", json={"text": text, "filters": filters}).json()["passages"]
    return found


def days(found: list[dict[str, Any]]) -> set[str]:
    """Which of the two regimens the passages of the scabies guideline state."""
    return {day for one in found for day in ("7 days", "14 days") if f"after {day}" in one["text"]}


# --- versions ------------------------------------------------------------------------------------------------------------


def test_new_bytes_of_a_known_document_take_the_place_of_the_old_ones(
    client: Client, make_guideline: Guideline
) -> None:
    first = upload(client, make_guideline("Scabies", FIRST))
    second = upload(client, make_guideline("Scabies", SECOND), document=first["id"])
    assert (second["id"], second["version_state"], second["supersedes"]) == (first["id"], "live", first["version"])
    assert days(passages(client, "permethrin for scabies")) == {"14 days"}

    detail = client.get(f"/v1/documents/{first['id']}").json()
    assert [(one["number"], one["state"]) for one in detail["versions"]] == [(1, "superseded"), (2, "live")]
    assert detail["version"]["id"] == second["version"]
    # What an old answer cited is opened by the id of its version.
    old = client.get(f"/v1/documents/{first['version']}/pages/1").json()
    assert (old["version_id"], "after 7 days" in " ".join(old["text"].split())) == (first["version"], True)
    assert (
        client.get(f"/v1/documents/{first['version']}/file").content
        != client.get(f"/v1/documents/{first['id']}/file").content
    )


def test_the_title_and_publisher_name_a_document_too(client: Client, make_guideline: Guideline) -> None:
    source = {"title": "Scabies", "publisher": "A society", "effective": "2024-01-31"}
    first = upload(client, make_guideline("Scabies", FIRST), source=json.dumps(source))
    later = {**source, "title": " SCABIES ", "effective": "2025-01-31"}
    second = upload(client, make_guideline("Scabies", SECOND), source=json.dumps(later))
    assert second["supersedes"] == first["version"]

    earlier = {**source, "effective": "2019-01-31"}
    old = upload(client, make_guideline("Scabies", "Scabies: apply benzyl benzoate."), source=json.dumps(earlier))
    assert (old["version_state"], old["supersedes"]) == ("superseded", None)
    assert any("older edition" in warning for warning in old["warnings"])
    assert days(passages(client, "permethrin for scabies")) == {"14 days"}


def test_what_is_not_in_force_is_found_only_when_it_is_asked_for_and_is_marked(
    client: Client, make_guideline: Guideline
) -> None:
    first = upload(client, make_guideline("Scabies", FIRST))
    upload(client, make_guideline("Scabies", SECOND), document=first["id"])
    answer = client.post("/v1/search", json={"text": "permethrin", "filters": {"standing": ["superseded"]}}).json()
    assert {one["standing"] for one in answer["passages"]} == {"superseded"}
    assert days(answer["passages"]) == {"7 days"}
    assert any("not in force" in warning for warning in answer["warnings"])
    # Another text than the one in force: of two that say nearly the same the better one is shown.
    old = upload(client, make_guideline("Lice", "Lice: comb the wet hair with a fine comb twice a week."))
    upload(client, make_guideline("Lice", "Lice: apply dimeticone lotion and repeat it."), document=old["id"])
    both = passages(client, "treatment of lice", standing=["in_force", "superseded"])
    assert {one["standing"] for one in both} == {"in_force", "superseded"}


def test_a_draft_is_found_once_it_is_approved(client: Client, make_guideline: Guideline) -> None:
    draft = upload(client, make_guideline("Scabies", FIRST), draft="true")
    assert draft["version_state"] == "draft"
    assert days(passages(client, "permethrin for scabies")) == set()
    understood = client.get(f"/v1/versions/{draft['version']}/passages").json()["passages"]
    assert any("permethrin" in one["text"] for one in understood)

    approved = client.post(f"/v1/versions/{draft['version']}/approve", headers={"Dermacite-Actor": "dr.lind"})
    assert (approved.json()["state"], approved.json()["approved_by"]) == ("live", "dr.lind")
    assert days(passages(client, "permethrin for scabies")) == {"7 days"}
    problem_of(client.post(f"/v1/versions/{draft['version']}/approve"), 409, "already_live")


def test_four_eyes_want_another_person(own_service: Service, make_guideline: Guideline) -> None:
    settings = own_service.settings.model_copy(update={"approval": "four_eyes"})
    service = open_service(own_service.home.root, settings, own_service.encoders)
    with TestClient(create_app(service), base_url=HERE) as client:
        added = upload(client, make_guideline("Scabies", FIRST), "dr.weber")
        assert added["version_state"] == "draft"
        path = f"/v1/versions/{added['version']}/approve"
        problem_of(client.post(path, headers={"Dermacite-Actor": "dr.weber"}), 409, "four_eyes")
        assert client.post(path, headers={"Dermacite-Actor": "dr.lind"}).json()["state"] == "live"


def test_a_retired_version_is_found_no_more_and_can_come_back(client: Client, make_guideline: Guideline) -> None:
    version = upload(client, make_guideline("Scabies", FIRST))["version"]
    assert client.post(f"/v1/versions/{version}/retire").json()["state"] == "retired"
    assert days(passages(client, "permethrin for scabies")) == set()
    problem_of(client.post(f"/v1/versions/{version}/retire"), 409, "not_live")
    client.post(f"/v1/versions/{version}/approve")
    assert days(passages(client, "permethrin for scabies")) == {"7 days"}


def test_evidence_expires_with_its_date(client: Client, make_guideline: Guideline) -> None:
    version = upload(client, make_guideline("Scabies", FIRST))["version"]
    path = f"/v1/versions/{version}/source"
    described = client.put(path, json={"title": "Scabies", "expires": "2020-01-31", "tags": ["mites"]})
    assert (described.json()["source"]["expires"], described.json()["source"]["tags"]) == ("2020-01-31", ["mites"])
    assert days(passages(client, "permethrin for scabies")) == set()
    [found] = [one for one in passages(client, "permethrin", standing=["expired"]) if "permethrin" in one["text"]]
    assert found["standing"] == "expired"
    problem_of(client.put(path, json={"title": "Scabies", "expires": "soon"}), 400, "invalid_request")


def test_one_version_is_deleted_with_a_receipt(client: Client, make_guideline: Guideline) -> None:
    first = upload(client, make_guideline("Scabies", FIRST))
    second = upload(client, make_guideline("Scabies", SECOND), document=first["id"])
    receipt = client.delete(f"/v1/versions/{first['version']}").json()
    assert receipt["versions"] == [first["version"]]
    assert set(receipt["absent_from"]) == {"registry", "vectors", "index", "lexical", "caches", "files", "disk"}
    assert passages(client, "permethrin", standing=["superseded"]) == []
    assert client.get(f"/v1/documents/{first['version']}/pages/1").status_code == 404
    client.delete(f"/v1/versions/{second['version']}")
    assert client.get(f"/v1/documents/{first['id']}").status_code == 404


def test_two_versions_are_compared_with_the_numbers_that_changed(client: Client, make_guideline: Guideline) -> None:
    first = upload(client, make_guideline("Scabies", FIRST))
    second = upload(client, make_guideline("Scabies", SECOND), document=first["id"])
    found = client.get(f"/v1/versions/{first['version']}/difference?to={second['version']}").json()
    [change] = found["changed"]
    assert (change["numbers_gone"], change["numbers_new"]) == (["7"], ["14"])
    assert (found["added"], found["removed"], found["answers"]) == ([], [], None)


def test_a_difference_names_the_past_answers_it_touches(
    own_service: Service, draw: Draw, make_guideline: Guideline
) -> None:
    settings = own_service.settings.model_copy(update={"keep_answers": True})
    service = open_service(own_service.home.root, settings, own_service.encoders)
    [document] = service.registry.documents()
    with TestClient(create_app(service), base_url=HERE) as client:
        request = json.dumps({"note": "plaque with silvery scale", "age": 41, "body_site": "elbow"})
        picture = io.BytesIO(draw("psoriasis", 7))
        answer = client.post("/v1/diagnoses", files={"images": picture}, data={"request": request}).json()
        kept = answer["trace"]["kept_as"]
        second = upload(client, make_guideline("Psoriasis", "Offer nothing at all."), document=document.id)
        path = f"/v1/versions/{document.version.id}/difference?to={second['version']}"
        uses = client.get(path).json()["answers"]
    assert {one["answer_id"] for one in uses} == {kept}
    assert {one["key"] for one in uses} == {one["key"] for one in answer["ledger"] if one["kind"] == "passage"}
    cited = {citation["evidence"] for one in answer["report"] for citation in one["citations"]}
    ids = [one["id"] for one in answer["ledger"]]
    assert {one.key for one in service.registry.answers.uses_of(ids) if one.cited} == cited != set()


def test_answers_are_not_kept_unless_a_setting_says_so(client: Client, own_service: Service, draw: Draw) -> None:
    answer = client.post("/v1/diagnoses", files={"images": draw("acne", 5)}).json()
    assert answer["trace"]["kept_as"] is None
    assert own_service.registry.answers.used_items() == frozenset()


# --- jobs ----------------------------------------------------------------------------------------------------------------


def events_of(response: Response) -> list[tuple[str, Any]]:
    found = []
    for block in response.text.replace("\r", "").strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_an_upload_in_the_background_is_a_job_that_can_be_followed(client: Client, make_guideline: Guideline) -> None:
    accepted = send(client, make_guideline("Scabies", FIRST), "dr.weber", "?background=true")
    job = accepted.json()
    assert (accepted.status_code, accepted.headers["location"]) == (202, f"/v1/jobs/{job['id']}")
    assert (job["actor"], job["kind"]) == ("dr.weber", "ingest_documents")
    events = events_of(client.get(f"/v1/jobs/{job['id']}/events"))
    assert events[0][0] == "job"
    name, ended = events[-1]
    assert (name, ended["state"]) == ("end", "done")
    assert [item["outcome"]["state"] for item in ended["items"]] == ["added"]
    assert days(passages(client, "permethrin for scabies")) == {"7 days"}
    assert client.get(f"/v1/jobs/{job['id']}").json() == ended
    assert job["id"] in [one["id"] for one in client.get("/v1/jobs?state=done").json()["jobs"]]
    problem_of(client.post(f"/v1/jobs/{job['id']}/cancel"), 409, "job_ended")
    problem_of(client.post(f"/v1/jobs/{job['id']}/retry"), 409, "nothing_to_retry")
    assert client.get("/v1/jobs/j-nowhere").status_code == 404


def test_a_job_that_was_left_goes_on_when_a_server_starts(own_service: Service, make_guideline: Guideline) -> None:
    from runtime.curation import Curator
    from runtime.jobs import JobRunner, Upload

    curator = Curator(own_service, actor="dr.weber")
    file = make_guideline("Scabies", FIRST)
    job = JobRunner(curator).accept_documents([Upload("g.pdf", lambda: file)], curator.intent())
    with TestClient(create_app(own_service), base_url=HERE) as client:
        assert events_of(client.get(f"/v1/jobs/{job.id}/events"))[-1][1]["state"] == "done"
        assert days(passages(client, "permethrin for scabies")) == {"7 days"}


def test_pages_without_text_are_said_one_by_one(client: Client) -> None:
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.drawString(72, 700, FIRST)
    canvas.showPage()
    canvas.showPage()
    canvas.save()
    outcome = upload(client, file.getvalue())
    assert [(one["page"], one["state"]) for one in outcome["without_text"]] == [(2, "empty")]


# --- audit ---------------------------------------------------------------------------------------------------------------


def test_the_audit_log_says_who_did_what_and_nothing_of_what_it_says(client: Client, make_guideline: Guideline) -> None:
    added = upload(client, make_guideline("Scabies", FIRST), "dr.weber", draft="true")
    client.post(f"/v1/versions/{added['version']}/approve", headers={"Dermacite-Actor": "dr.lind"})
    client.delete(f"/v1/documents/{added['id']}", headers={"Dermacite-Actor": "dr.lind"})
    answer = client.get("/v1/audit", params={"item": added["version"]})
    deeds = [(one["actor"], one["action"]) for one in answer.json()["entries"]]
    assert deeds == [("dr.weber", "add"), ("dr.lind", "approve"), ("dr.lind", "delete"), ("dr.lind", "receipt")]
    everything = client.get("/v1/audit").text
    assert "Scabies" not in everything
    assert "g.pdf" not in everything
    last = client.get("/v1/audit").json()["entries"][-1]["id"]
    assert client.get("/v1/audit", params={"after": last}).json() == {"entries": []}


def test_the_audit_log_is_read_from_its_end_and_by_who_and_what(client: Client, make_guideline: Guideline) -> None:
    added = upload(client, make_guideline("Scabies", FIRST), "dr.weber", draft="true")
    client.post(f"/v1/versions/{added['version']}/approve", headers={"Dermacite-Actor": "dr.lind"})
    client.post(f"/v1/versions/{added['version']}/retire", headers={"Dermacite-Actor": "dr.lind"})

    def deeds(**asked: Any) -> list[tuple[int, str]]:
        entries = client.get("/v1/audit", params=asked).json()["entries"]
        return [(one["id"], one["action"]) for one in entries]

    every = deeds()
    assert deeds(newest_first=True) == every[::-1]
    assert deeds(newest_first=True, limit=2) == every[:-3:-1]
    assert deeds(newest_first=True, before=every[-1][0], limit=1) == [every[-2]]
    assert deeds(after=every[0][0], before=every[2][0]) == [every[1]]
    assert [action for _, action in deeds(actor="dr.lind")] == ["approve", "retire"]
    assert [action for _, action in deeds(actor="dr.lind", action="retire")] == ["retire"]
    assert deeds(action="retire", item="d-nowhere") == []


def test_a_name_that_is_no_name_is_refused(client: Client, make_guideline: Guideline) -> None:
    problem_of(send(client, make_guideline("Scabies", FIRST), "<script>"), 400, "invalid_request")
