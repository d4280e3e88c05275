"""Hostile files over HTTP and on the command line: a problem document or an outcome each, and the next request works."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

import runtime
from api.app import create_app
from api.problems import PROBLEM_JSON
from runtime.service import Service
from tests import hostile, hostile_pictures
from tests.hostile import GOOD, document, show

PROJECT = Path(runtime.__file__).parent.parent

BAD = {
    "page bomb": (hostile.page_bomb, "too_many_pages"),
    "cyclic tree": (hostile.cyclic_page_tree, "broken_pdf"),
    "cut": (lambda: hostile.sound()[:9_000], "broken_pdf"),
    "archive": (lambda: b"PK\x03\x04" + bytes(60), "not_a_pdf"),
    "web page": (lambda: b"<!doctype html><script>alert(1)</script>", "not_a_pdf"),
}


@pytest.fixture
def client(own_service: Service) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(own_service), base_url="http://127.0.0.1:8000") as client:
        yield client


def upload(client: TestClient[Litestar], *files: tuple[str, bytes]) -> Any:
    return client.post("/v1/documents", files=[("files", file) for file in files])


def test_each_hostile_document_is_refused_by_its_reason(client: TestClient[Litestar]) -> None:
    response = upload(client, *[(f"{name}.pdf", make()) for name, (make, _) in BAD.items()])
    problem = response.json()
    assert (response.status_code, response.headers["content-type"]) == (422, PROBLEM_JSON)
    assert [one["reason"] for one in problem["outcomes"]] == [reason for _, reason in BAD.values()]
    assert upload(client, ("good.pdf", document(show(GOOD)))).status_code == 201


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("x" * 300, "x" * 200),
        ("\x1b[31m.pdf", "[31m.pdf"),
    ],
)
def test_a_name_is_made_harmless(client: TestClient[Litestar], name: str, shown: str) -> None:
    response = upload(client, (name, document(show(GOOD + name[:1]))))
    assert response.status_code == 201
    assert response.json()["outcomes"][0]["file"] == shown


def test_texts_that_are_hard_to_store_are_stored_and_given_back(client: TestClient[Litestar]) -> None:
    table = hostile.cmap(b"2 beginbfchar\n<41> <D83D>\n<42> <0000202E0042>\nendbfchar")
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 11 0 R >>"
    word = b"BT /F2 1 Tf 50 700 Td (%s AB) Tj ET" % (b"dermatitis" * 30_000)
    title = b"/Info << /Title <FEFFD83D00070041%s> >>" % (b"0041" * 100_000)
    data = document(show(GOOD), word, fonts=b"/F2 10 0 R", more=[font, table], trailer=title)
    [outcome] = upload(client, ("a.pdf", data)).json()["outcomes"]
    assert outcome["state"] == "added"
    assert outcome["passages"] > 10
    listed = client.get("/v1/documents").json()["documents"]
    assert all(len(one["source"]["title"]) <= 300 for one in listed)
    page = client.get(f"/v1/documents/{outcome['id']}/pages/2").json()
    assert page["text"].endswith("\ufffdB")
    assert client.post("/v1/search", json={"text": "thin layer twice a day"}).status_code == 200


@pytest.mark.parametrize(
    ("make", "status", "reason"),
    [
        (lambda: hostile_pictures.flat_png(20_000, 20_000), 413, "too_many_pixels"),
        (lambda: hostile_pictures.animation("PNG", 40), 422, "animated"),
        (lambda: hostile_pictures.animation("GIF", 40), 415, "format_not_supported"),
        (lambda: hostile_pictures.NO_PICTURES["svg"], 415, "not_a_picture"),
        (lambda: hostile_pictures.jpeg_claiming(7_000, 7_000), 422, "broken"),
        (lambda: hostile_pictures.with_chunks(hostile_pictures.packed_chunk(b"iCCP", b"x")), 422, "broken"),
        (lambda: hostile_pictures.with_chunks(hostile_pictures.chunk(b"aaAa", b"") * 60_000), 422, "too_many_parts"),
    ],
)
def test_each_hostile_picture_is_a_problem(
    client: TestClient[Litestar], make: Callable[[], bytes], status: int, reason: str, draw: Callable[[str, int], bytes]
) -> None:
    response = client.post("/v1/diagnoses", files=[("images", ("a.png", make()))])
    assert (response.status_code, response.json()["reason"]) == (status, reason)
    assert response.headers["content-type"] == PROBLEM_JSON
    assert client.post("/v1/diagnoses", files=[("images", ("a.png", draw("acne", 5)))]).status_code == 200


def test_the_command_line_takes_in_a_folder_of_anything(tmp_path: Path) -> None:
    """In a process of its own, for only there the names reach a real stdout."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name, (make, _) in BAD.items():
        (folder / f"{name}.pdf").write_bytes(make())
    for number, raw in enumerate((b"no\xff\xfetext.pdf", b"two\nlines.pdf", b"red\x1b[31m.pdf")):
        (folder / os.fsdecode(raw)).write_bytes(document(show(f"{number}. {GOOD}")))
    os.mkfifo(folder / "pipe")
    told = {}
    for form in ([], ["--json"]):
        finished = subprocess.run(
            [sys.executable, "-m", "runtime", "--home", str(tmp_path / "home"), "ingest", "documents", *form,
             str(folder), str(folder / "pipe"), "/dev/zero"],
            capture_output=True, check=False, cwd=PROJECT, timeout=120,
        )  # fmt: skip
        assert (finished.returncode, b"Traceback" in finished.stderr) == (1, False)
        told[len(form)] = finished.stdout.decode("utf-8")
    assert "\x1b" not in told[0]
    assert "two lines.pdf: 1 pages" in told[0]
    outcomes = json.loads(told[1])["outcomes"]
    assert sorted(one["reason"] for one in outcomes if one["state"] == "refused") == sorted(
        [*(reason for _, reason in BAD.values()), "not_readable", "not_readable"]
    )
    assert [one["state"] for one in outcomes].count("unchanged") == 3
