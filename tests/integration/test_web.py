"""The frame of the pages: what is served, for how long it may be kept, and under which policy."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from api.web.asset_files import assets
from inference.abstention import NOTICE
from runtime.keys import Role
from runtime.service import Service

WEB = Path(__file__).parents[2] / "api" / "web"
PAGES = (
    "/", "/knowledge", "/knowledge/upload", "/knowledge/documents/d-1", "/knowledge/versions/1", "/knowledge/search",
    "/knowledge/compare?before=1&after=2", "/knowledge/datasets", "/knowledge/datasets/sample", "/knowledge/coverage",
    "/knowledge/jobs", "/knowledge/jobs/j-1", "/knowledge/audit",
)  # fmt: skip


@pytest.fixture
def client(empty_service: Service) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(empty_service), base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_from_this_service_alone_and_says_what_it_is_not(client: TestClient[Litestar], path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    first, _, rest = NOTICE.partition(". ")
    assert first in answer.text
    assert rest in answer.text
    addresses = re.findall(r'(?:href|src|action)="([^"]+)"', answer.text)
    assert all(one.startswith(("/", "#")) and not one.startswith("//") for one in addresses)
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=", answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_everything_a_page_names_is_there(client: TestClient[Litestar], path: str) -> None:
    named = set(re.findall(r'"(/assets/[^"]+)"', client.get(path).text))
    assert named
    for one in named:
        assert client.get(one).status_code == 200, one


def test_assets_are_kept_for_ever_under_an_address_of_their_content(client: TestClient[Litestar]) -> None:
    address = assets().address("base.css")
    answer = client.get(address)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == answer.headers["cache-control"]


@pytest.mark.parametrize(
    "address", ["/assets/0123456789abcdef/base.css", "/assets/VERSION/..%2fshell.py", "/assets/VERSION/x.css"]
)
def test_nothing_else_is_an_asset(client: TestClient[Litestar], address: str) -> None:
    assert client.get(address.replace("VERSION", assets().version)).status_code == 404


def test_a_stranger_gets_the_look_of_a_page_and_nothing_of_the_service(empty_service: Service) -> None:
    empty_service.keys.create("dr.weber", Role.READER, 30, "tests")
    with TestClient(create_app(empty_service), base_url="http://127.0.0.1") as client:
        assert client.get(assets().address("base.css")).status_code == 200
        away = client.get("/", follow_redirects=False)
        assert (away.status_code, away.headers["location"]) == (303, "/sign-in")
        asked = client.get("/sign-in")
        assert asked.status_code == 200
        assert 'href="/knowledge"' not in asked.text
        assert 'name="csrf-token" content=""' in asked.text


def test_modules_import_only_modules_that_are_there() -> None:
    for name, data in assets().files.items():
        for imported in re.findall(r'from "([^"]+)"', data.decode()):
            assert imported.removeprefix("./") in assets().files, (name, imported)


def test_texts_become_markup_nowhere() -> None:
    for name, data in assets().files.items():
        if name.endswith(".js"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", data.decode()
            ), name
    assert not any("|safe" in one.read_text("utf-8").replace(" ", "") for one in (WEB / "templates").iterdir())


def test_the_foot_of_a_printed_page_says_the_notice() -> None:
    assert f'content: "{NOTICE.partition(". ")[0]}."' in assets().files["base.css"].decode()


def test_what_pages_weigh() -> None:
    assert sum(len(data) for data in assets().files.values()) < 250_000
