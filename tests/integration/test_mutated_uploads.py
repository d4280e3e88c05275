"""A thousand damaged pictures and PDFs through a real server: it lives on, answers each in time, and says what is wrong."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from runtime.service import Service
from tests.mutations import PDF_WORDS, PICTURE_WORDS, documents, mutants, pictures
from tests.real_server import RealServer, real_server
from tests.sample import guideline

pytestmark = pytest.mark.timeout(1_200)  # a server, or a knowledge base, is made for all of them

PICTURES, PDFS = 700, 300
AT_ONCE = 4  # callers
A_REQUEST = 20  # PDFs in one upload
WAIT_S = 600.0  # for an answer; the test ends a hang, and a busy machine is none
GROWTH_MB = 250.0  # of the server between the first uploads and the last
# Text recognition has tests of its own; here a broken font would send a hundred pages through it.
SETTINGS = "ocr_pages = 0\npdf_seconds = 20\nrequests_per_minute = 1000000\n"
MEMBERS = {"type", "title", "status", "detail", "instance", "reason"}


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer."""

    status: int
    kind: str
    body: str
    reasons: tuple[str, ...]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sample_service: Service) -> Iterator[RealServer]:
    folder = tmp_path_factory.mktemp("mutated")
    shutil.copytree(sample_service.home.root, folder / "home", symlinks=True)
    with real_server(folder / "home", folder / "written", SETTINGS) as server:
        yield server


def heard(response: httpx.Response) -> Heard:
    said = response.json()
    outcomes = said.get("outcomes", ())
    return Heard(
        response.status_code, response.headers["content-type"], response.text,
        tuple(one["reason"] for one in outcomes if one["state"] == "refused"),
    )  # fmt: skip


def all_heard(server: RealServer, send: Callable[[httpx.Client, int], httpx.Response], count: int) -> list[Heard]:
    """The answers in order. The memory of the server is looked at on the way: after a tenth of them, and at the end."""
    with httpx.Client(base_url=server.url, timeout=WAIT_S) as client, ThreadPoolExecutor(AT_ONCE) as callers:
        first = [heard(one) for one in callers.map(lambda number: send(client, number), range(count // 10))]
        before = server.resident_mb
        rest = [heard(one) for one in callers.map(lambda number: send(client, number), range(count // 10, count))]
        assert server.resident_mb - before < GROWTH_MB
    return first + rest


def check(server: RealServer, answers: Sequence[Heard], allowed: set[int]) -> None:
    assert server.process.poll() is None, server.log
    assert {one.status for one in answers} <= allowed, [one for one in answers if one.status not in allowed][:3]
    for one in answers:
        assert "Traceback" not in one.body
        if one.status >= 400:
            assert one.kind == "application/problem+json"
            assert httpx.Response(200, text=one.body).json().keys() >= MEMBERS
    assert "unexpected" not in server.log
    assert "Traceback" not in server.log


def test_damaged_pictures(server: RealServer, draw: Callable[[str, int], bytes]) -> None:
    uploads = mutants(pictures(), PICTURE_WORDS, documents(), PICTURES)
    assert len(set(uploads)) > 0.95 * PICTURES

    def send(client: httpx.Client, number: int) -> httpx.Response:
        if number % 7 == 0:
            return client.post("/v1/diagnoses", files={"images": ("a.jpg", uploads[number])})
        return client.post("/v1/search/picture", files={"image": ("a.png", uploads[number], "image/png")})

    answers = all_heard(server, send, PICTURES)
    check(server, answers, {200, 413, 415, 422})
    assert sum(one.status != 200 for one in answers) > PICTURES // 3
    good = httpx.post(f"{server.url}/v1/diagnoses", files={"images": ("a.png", draw("acne", 9))}, timeout=WAIT_S)
    assert good.json()["candidates"][0]["label"] == "acne"


def test_damaged_documents(server: RealServer, tmp_path: Path) -> None:
    uploads = mutants(documents(), PDF_WORDS, pictures(), PDFS)

    def send(client: httpx.Client, number: int) -> httpx.Response:
        batch = uploads[number * A_REQUEST : (number + 1) * A_REQUEST]
        return client.post("/v1/documents", files=[("files", ("a.pdf", data)) for data in batch])

    answers = all_heard(server, send, PDFS // A_REQUEST)
    check(server, answers, {200, 201, 422})
    refused = [reason for one in answers for reason in one.reasons]
    assert len(refused) > PDFS // 5
    assert all(refused)
    last = guideline((("Rosacea", "Offer azelaic acid 15% gel twice a day for papules of the face in rosacea."),))
    good = httpx.post(f"{server.url}/v1/documents", files={"files": ("a.pdf", last)}, timeout=WAIT_S)
    assert good.status_code == 201
    found = httpx.post(f"{server.url}/v1/search", json={"text": "azelaic acid for rosacea"}, timeout=WAIT_S).json()
    assert "azelaic acid" in str(found)
