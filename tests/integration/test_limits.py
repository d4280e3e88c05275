"""What anybody may ask: how often, how much at once, for how long, and how large it may be; each by its setting."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from inference.lookup import SearchResult
from retrieval.search import Encoders
from runtime.keys import Role
from runtime.service import Service, open_service
from runtime.settings import load_settings
from tests import hostile_pictures
from tests.sample import guideline

Client = TestClient[Litestar]

HERE = "http://127.0.0.1:8000"
SEARCH = {"text": "silvery scale"}


def reason(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["reason"]


def client_of(home: Path, encoders: Encoders, **settings: Any) -> Client:
    return TestClient(create_app(open_service(home, load_settings(home, **settings), encoders)), base_url=HERE)


# --- how often -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sparing(encoders: Encoders, empty_service: Service) -> Iterator[tuple[Service, Client]]:
    """A service that answers three requests of a caller in a minute."""
    home = empty_service.home.root
    service = open_service(home, load_settings(home, requests_per_minute=3), encoders)
    with TestClient(create_app(service), base_url=HERE) as client:
        yield service, client


def test_each_key_has_its_own_rate(sparing: tuple[Service, Client]) -> None:
    service, client = sparing
    one, other = ({"Authorization": f"Bearer {service.keys.create(name, Role.READER, 1, 'me')[0]}"} for name in "ab")
    statuses = [client.get("/v1/documents", headers=one).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    refused = client.get("/v1/audit", headers=one)  # before it is looked at whether he may
    assert reason(refused) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert json.loads(refused.text)["retry_after"] == int(refused.headers["retry-after"])
    assert client.get("/v1/documents", headers=other).status_code == 200
    assert [client.get("/v1/documents").status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    assert (
        client.get("/v1/documents", headers=other).status_code == 200
    )  # strangers take nothing from those who are known
    assert client.get("/health/live").status_code == 200


def test_without_keys_all_share_one_rate_and_probes_count_for_none(sparing: tuple[Service, Client]) -> None:
    _, client = sparing
    assert [client.get("/v1/documents").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code in {200, 503}


# --- how much at once, and for how long --------------------------------------------------------------------------------


def test_more_answers_than_may_work_and_wait_are_refused_and_the_rest_goes_on(
    encoders: Encoders, own_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, free = threading.Event(), threading.Event()

    def slow(*_: Any) -> SearchResult:
        began.set()
        assert free.wait(60)
        return SearchResult((), (), "text", (), {})

    monkeypatch.setattr("inference.lookup.Lookup.search", slow)
    with (
        client_of(own_service.home.root, encoders, answers=1, answers_waiting=0) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(client.post, "/v1/search", json=SEARCH)
        assert began.wait(60)
        refused = client.post("/v1/search", json=SEARCH)
        assert reason(refused) == (503, "too_busy")
        assert int(refused.headers["retry-after"]) > 0
        assert client.get("/v1/documents").status_code == 200
        free.set()
        assert first.result().status_code == 200
        assert client.post("/v1/search", json=SEARCH).status_code == 200


def test_an_answer_that_takes_too_long_is_ended(
    encoders: Encoders, own_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr("inference.lookup.Lookup.search", lambda *_: over.wait(0.2))
    with client_of(own_service.home.root, encoders, answers=1, answer_seconds=0.05) as client:
        for _ in range(2):  # the turn came back
            assert reason(client.post("/v1/search", json=SEARCH)) == (504, "answer_timed_out")


# --- how large ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "why"),
    [(hostile_pictures.flat_png(1_100, 1_000), "too_many_pixels"), (b"\x89PNG" + bytes(1_100_000), "too_large")],
    ids=["pixels", "bytes"],
)
def test_pictures_have_limits(encoders: Encoders, empty_service: Service, picture: bytes, why: str) -> None:
    with client_of(empty_service.home.root, encoders, picture_megabytes=1, picture_megapixels=1) as client:
        assert reason(client.post("/v1/diagnoses", files={"images": picture})) == (413, why)
        whole = client.post("/v1/diagnoses", files={"images": bytes(5_100_000)})
        assert reason(whole) == (413, "too_large")  # 4 pictures of the largest size and the words: not even read


@pytest.mark.parametrize(("given", "why"), [({"pdf_pages": 2}, "too_many_pages"), ({"pdf_megabytes": 1}, "too_large")])
def test_documents_have_limits(encoders: Encoders, empty_service: Service, given: dict[str, int], why: str) -> None:
    large = guideline() + bytes(1_000_000) if why == "too_large" else guideline()
    with client_of(empty_service.home.root, encoders, **given) as client:
        answer = client.post("/v1/documents", files={"files": ("a.pdf", large)})
        assert reason(answer) == (422, "documents_refused")
        (outcome,) = answer.json()["outcomes"]
        assert outcome["reason"] == why
        assert outcome["state"] == "refused"
