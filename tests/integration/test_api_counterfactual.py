"""What an answer depends on, over HTTP and on the sample corpus with the embedded encoders."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from runtime.service import Service

Client = TestClient[Litestar]
Draw = Callable[[str, int], bytes]

NOTE = "plaque with silvery scale"


@pytest.fixture
def client(own_service: Service) -> Iterator[Client]:
    with TestClient(create_app(own_service), base_url="http://127.0.0.1:8000") as client:
        yield client


def ask(client: Client, *pictures: bytes, route: str = "/v1/diagnoses/counterfactual", **request: Any) -> Response:
    files = [("images", ("p.png", picture, "image/png")) for picture in pictures]
    return client.post(route, files=files, data={"request": json.dumps(request)})


def timeless(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "trace": {**answer["trace"], "timings_ms": {}}}


def test_the_answer_comes_with_what_it_depends_on(client: Client, draw: Draw) -> None:
    response = ask(client, draw("psoriasis", 7), note=NOTE, counterfactual={"shuffles": 2})
    found = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    plain = ask(client, draw("psoriasis", 7), route="/v1/diagnoses", note=NOTE).json()
    assert timeless(found["answer"]) == timeless(plain)
    assert found["before"]["label"] == plain["candidates"][0]["label"] == "psoriasis"
    assert [item["key"] for item in found["items"]] == [item["key"] for item in plain["ledger"]]
    cited = {one["evidence"] for said in plain["report"] for one in said["citations"]}
    changed = {item["key"] for item in found["items"] if item["without"]["changed"]}
    assert set(found["depends_on"]) == changed
    assert set(found["cited_not_used"]) == cited - changed
    assert set(found["used_not_cited"]) == changed - cited
    assert len(found["shuffled"]) == 2
    assert found["depends_on_labels"] is True
    unshown = found["unshown"] is not None  # whether more cases voted than the ledger shows
    assert found["runs"] == 1 + 1 + len(found["items"]) + 2 + 1 + unshown


def test_what_nobody_is_shown_is_taken_away_too(client: Client, draw: Draw) -> None:
    found = ask(client, draw("psoriasis", 7), note=NOTE, counterfactual={"shuffles": 0}, options={"k": 1}).json()
    assert found["unshown"]["intervention"].startswith("without c-")


def test_the_leak_guard_holds_in_every_run(client: Client, draw: Draw) -> None:
    """The query is a picture of the knowledge base: it is never among the evidence that is taken away in turn."""
    found = ask(client, draw("nevus", 0), counterfactual={"shuffles": 0}, options={"k": 20, "leak_report": True}).json()
    kept_back = {case for ids in found["answer"]["trace"]["excluded_ids"].values() for case in ids}
    assert kept_back
    assert not kept_back & {item["id"] for item in found["items"]}


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        ({"counterfactual": {"items": 61}}, 400, "invalid_request"),
        ({"counterfactual": {"shuffles": 11}}, 400, "invalid_request"),
        ({"counterfactual": {"runs": 1}}, 400, "invalid_request"),
        ({"options": {"on_engine_failure": "abstain"}}, 422, "consultation_refused"),
        ({"options": {"rerank": True}}, 422, "consultation_refused"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    client: Client, draw: Draw, request_: dict[str, Any], status: int, reason: str
) -> None:
    response = ask(client, draw("acne", 5), **request_)
    assert (response.status_code, response.json()["reason"]) == (status, reason)


def test_bad_pictures_are_refused_as_for_a_diagnosis(client: Client, draw: Draw) -> None:
    assert ask(client, b"no picture").status_code == 415
    assert ask(client, *[draw("acne", 5)] * 5).json()["reason"] == "consultation_refused"


def test_a_diagnosis_takes_no_counterfactual(client: Client, draw: Draw) -> None:
    response = ask(client, draw("acne", 5), route="/v1/diagnoses", counterfactual={"items": 1})
    assert response.status_code == 400
