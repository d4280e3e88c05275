"""What a guideline's parts are good for: tables are found by their headers, references are never evidence, places are shown."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, Spacer

from api.app import create_app
from runtime.service import Service
from tests.sample import Draw
from tests.typesetting import built, table

Client = TestClient[Litestar]

STYLES = getSampleStyleSheet()
ADVICE = (
    "Treat head lice with dimeticone lotion and repeat the treatment after 7 days, whatever the age of the person. Comb the "
    "wet hair twice a week, and look at everyone in the household on the same day."
)
HEAD = ("Preparation", "Strength of permethrin", "Exposure time")
ROWS = (
    HEAD,
    ("Cream rinse", "1 %", "10 minutes"),
    ("Dermal cream", "5 %", "8 to 12 hours"),
    ("Scalp foam", "0.5 %", "30 minutes"),
)
REFERENCES = [
    f"{number}. Smith J, Jones K, Weber L. Pediculosis capitis treated with ivermectin lotion: trial number {number}. "
    f"J Louse Res. 20{number:02};{number}:1{number}-2{number}."
    for number in range(10, 18)
]


@pytest.fixture(scope="module")
def lice() -> bytes:
    story = [
        Paragraph("Head lice", STYLES["Heading1"]),
        Paragraph(ADVICE, STYLES["BodyText"]),
        Spacer(1, 12),
        Paragraph("Products", STYLES["Heading2"]),
        Paragraph(
            "Which preparation to use depends on where it is applied, and on the person's age.", STYLES["BodyText"]
        ),
        Spacer(1, 12),
        table(ROWS, (130, 160, 130), ruled=True),
        Spacer(1, 12),
        Paragraph("References", STYLES["Heading2"]),
        *(Paragraph(one, STYLES["BodyText"]) for one in REFERENCES),
    ]
    return built(story)


@pytest.fixture
def client(own_service: Service, lice: bytes) -> Iterator[Client]:
    with TestClient(create_app(own_service), base_url="http://127.0.0.1:8000") as client:
        answer = client.post("/v1/documents", files=[("files", ("lice.pdf", lice))])
        assert answer.status_code == 201
        yield client


def passages(client: Client, text: str, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.post("/v1/search", json={"text": text, "filters": filters}).json()["passages"]
    return found


def test_rows_of_a_table_are_found_by_the_words_of_its_header(client: Client) -> None:
    best = next(one for one in passages(client, "permethrin strength and exposure time") if one["role"] == "table")
    assert "Dermal cream" in best["text"]
    assert "Strength of permethrin" in best["header"]
    assert "Strength of permethrin" not in best["text"]


def test_a_list_of_references_is_found_only_on_request(client: Client) -> None:
    question = "ivermectin lotion pediculosis capitis trial"
    assert all("Smith J" not in one["text"] for one in passages(client, question))
    [listed, *_] = passages(client, question, role="references")
    assert (listed["role"], "Smith J" in listed["text"]) == ("references", True)


def test_references_are_no_evidence_of_a_diagnosis(client: Client, draw: Draw) -> None:
    request = '{"note": "ivermectin lotion pediculosis capitis trial", "options": {"filters": {"role": "references"}}}'
    for words in ('{"note": "ivermectin lotion pediculosis capitis trial"}', request):
        answer = client.post("/v1/diagnoses", files={"images": draw("acne", 5)}, data={"request": words}).json()
        roles = {one["role"] for one in answer["ledger"] if one["kind"] == "passage"}
        assert roles <= {"body", "table"}


def test_a_span_is_found_on_its_page(client: Client) -> None:
    [found, *_] = [one for one in passages(client, "dimeticone for head lice") if "dimeticone" in one["text"]]
    page = client.get(f"/v1/documents/{found['version_id']}/pages/1").json()
    start = page["start"] + page["text"].index("dimeticone")
    path = f"/v1/versions/{found['version_id']}/places?start={start}&end={start + len('dimeticone')}"
    [place] = client.get(path).json()["places"]
    assert place["page"] == 1
    [line] = [one for one in page["lines"] if one["start"] <= start < one["end"]]
    assert line["left"] <= place["left"] < place["right"] <= line["right"]
    assert (place["top"], place["bottom"]) == (line["top"], line["bottom"])
