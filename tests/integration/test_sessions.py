"""Signing in from a page, and what its cookie may do."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import pytest
from httpx import Response
from litestar import Litestar, Request, get
from litestar.testing import TestClient

from api.app import create_app
from api.auth import EVERYBODY, caller_of
from api.door import CSRF_HEADER, Door, EveryRouteSaysItsRole
from api.limits import Rate
from api.problems import HANDLERS
from api.sessions import SIGN_INS_PER_MINUTE
from retrieval.search import Encoders
from runtime.keys import Role
from runtime.service import Service, open_service
from runtime.settings import load_settings

Client = TestClient[Litestar]

HERE = "http://127.0.0.1:8000"
PUBLIC = "https://derm.example"


@dataclass(frozen=True, slots=True)
class Page:
    """A browser at a service with a key of a curator."""

    service: Service
    client: Client
    key: str
    key_id: str

    def sign_in(self) -> str:
        """The token of the pages of a new session."""
        answer = self.client.post("/sign-in", json={"key": self.key})
        assert answer.status_code == 200
        token: str = answer.json()["csrf_token"]
        return token

    def change(self, token: str | None = None, **headers: str) -> Response:
        """Something that only a curator may do, and that changes nothing here."""
        sent = headers if token is None else {CSRF_HEADER: token, **headers}
        return self.client.post("/v1/jobs/nothing/cancel", headers=sent)


@pytest.fixture
def page(empty_service: Service) -> Iterator[Page]:
    text, key = empty_service.keys.create("dr.weber", Role.CURATOR, 30, "me")
    with TestClient(create_app(empty_service), base_url=HERE) as client:
        yield Page(empty_service, client, text, key.id)


def reason(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["reason"]


def test_a_page_signs_in_works_and_signs_out(page: Page) -> None:
    answer = page.client.post("/sign-in", json={"key": f" {page.key}\n"})  # as it is pasted
    told = answer.json()
    assert (told["name"], told["role"]) == ("dr.weber", "curator")
    assert page.client.get("/v1/audit").status_code == 200
    assert reason(page.change(told["csrf_token"])) == (404, "not_found")
    left = page.client.post("/sign-out", headers={CSRF_HEADER: told["csrf_token"]})
    assert left.status_code == 204
    assert not page.client.cookies
    assert reason(page.client.get("/v1/audit")) == (401, "key_needed")


def test_a_cookie_that_was_kept_opens_nothing_after_the_end(page: Page) -> None:
    token = page.sign_in()
    kept = page.client.cookies["dermacite"]
    assert page.client.post("/sign-out", headers={CSRF_HEADER: token}).status_code == 204
    page.client.cookies.set("dermacite", kept)
    assert reason(page.client.get("/v1/audit")) == (401, "session_ended")


def test_a_session_ends_with_its_key(page: Page) -> None:
    page.sign_in()
    page.service.keys.revoke(page.key_id, "me")
    assert reason(page.client.get("/v1/audit")) == (401, "session_ended")


def test_what_changes_or_computes_needs_the_token_of_the_page(page: Page) -> None:
    foreign, own = page.sign_in(), page.sign_in()
    assert foreign != own
    for wrong in (None, "", "x", foreign, own[:-1], own + "x"):
        assert reason(page.change(wrong)) == (403, "csrf_refused")
    assert reason(page.client.post("/v1/search", json={"text": "x"})) == (403, "csrf_refused")
    assert reason(page.client.post("/sign-out")) == (403, "csrf_refused")
    assert reason(page.change(own)) == (404, "not_found")


def test_a_program_with_a_key_needs_no_token(page: Page) -> None:
    assert reason(page.change(Authorization=f"Bearer {page.key}")) == (404, "not_found")


def test_a_key_is_believed_before_a_cookie(page: Page) -> None:
    token = page.sign_in()
    assert reason(page.change(token, Authorization="Bearer dmc_x")) == (401, "key_unknown")
    assert reason(page.change(token, Authorization="Basic x")) == (401, "key_needed")


def test_the_cookie_is_for_this_service_alone(page: Page) -> None:
    [cookie] = SimpleCookie(page.client.post("/sign-in", json={"key": page.key}).headers["set-cookie"]).values()
    assert (cookie.key, cookie["path"], cookie["httponly"], cookie["samesite"]) == ("dermacite", "/", True, "strict")
    assert (cookie["secure"], cookie["domain"], cookie["max-age"]) == ("", "", "")


def test_behind_tls_it_is_a_secure_one(encoders: Encoders, page: Page) -> None:
    home = page.service.home.root
    service = open_service(home, load_settings(home, public_url=PUBLIC), encoders)
    with TestClient(create_app(service), base_url=PUBLIC) as client:
        answer = client.post("/sign-in", json={"key": page.key})
        [cookie] = SimpleCookie(answer.headers["set-cookie"]).values()
        assert (cookie.key, cookie["path"], cookie["secure"]) == ("__Host-dermacite", "/", True)
        assert cookie["domain"] == ""
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert client.get("/v1/audit").status_code == 200
        document = client.get("/schema/openapi.json").json()
    assert document["components"]["securitySchemes"]["session"]["name"] == "__Host-dermacite"


@pytest.mark.parametrize("how", ["public_url", "another host"])
def test_without_keys_nobody_comes_in_from_elsewhere(encoders: Encoders, empty_service: Service, how: str) -> None:
    home = empty_service.home.root
    public = PUBLIC if how == "public_url" else None
    service = open_service(home, load_settings(home, public_url=public), encoders)
    with TestClient(create_app(service, keyless=how == "public_url"), base_url=HERE) as client:
        assert client.get("/health/live").status_code == 200
        assert reason(client.get("/v1/documents")) == (401, "key_needed")


@pytest.mark.parametrize("body", [{}, {"key": ""}, {"key": 7}, {"key": "x" * 201}, {"key": "x", "role": "admin"}, []])
def test_a_sign_in_that_is_none_is_refused_without_a_word_of_it(page: Page, body: Any) -> None:
    answer = page.client.post("/sign-in", json=body)
    assert reason(answer) == (400, "invalid_request")
    assert "xxx" not in answer.text
    assert "set-cookie" not in answer.headers


def test_guesses_are_counted_by_key_and_those_of_none_together(page: Page) -> None:
    other, _ = page.service.keys.create("dr.other", Role.READER, 1, "me")
    wrong = page.key[:-1] + ("A" if page.key[-1] != "A" else "B")

    def tried(key: str) -> tuple[int, str | None]:
        answer = page.client.post("/sign-in", json={"key": key})
        return answer.status_code, answer.headers.get("retry-after")

    assert [tried(wrong)[0] for _ in range(SIGN_INS_PER_MINUTE)] == [401] * SIGN_INS_PER_MINUTE
    status, after = tried(page.key)
    assert (status, 1 <= int(after or 0) <= 60) == (429, True)
    strangers = [tried(f"dmc_{number:012x}_{'A' * 43}")[0] for number in range(SIGN_INS_PER_MINUTE + 1)]
    assert strangers == [401] * SIGN_INS_PER_MINUTE + [429]
    assert tried(other)[0] == 200


def test_no_key_and_no_cookie_is_ever_written(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    said = []
    with caplog.at_level(logging.DEBUG):
        token = page.sign_in()
        cookie = page.client.cookies["dermacite"]
        said += [page.change("x"), page.change(token, Authorization=f"Bearer {page.key}x")]
        said += [page.client.post("/sign-in", json={"key": page.key + "x"})]
        page.client.cookies.clear()
        said += [page.client.get(f"/v1/documents?key={page.key}", headers={"Cookie": f"dermacite={cookie}x"})]
    logged = [one.getMessage() for one in caplog.records if not one.name.startswith("httpx")]
    for secret in (page.key.removeprefix(f"dmc_{page.key_id}_"), cookie, token):
        assert secret not in "".join(logged)
        assert not any(secret in answer.text for answer in said)
    assert [answer.status_code for answer in said] == [403, 401, 401, 401]


# --- what a page is told -----------------------------------------------------------------------------------------------------


@get("/knowledge", role=Role.CURATOR, page=True, include_in_schema=False)
async def knowledge(request: Request[Any, Any, Any]) -> dict[str, Any]:
    caller = caller_of(request)
    assert caller is not None
    return {"name": caller.name, "role": caller.role, "csrf": caller.csrf, "keyless": caller.keyless}


@get("/open", role=EVERYBODY, include_in_schema=False)
async def opened(request: Request[Any, Any, Any]) -> bool:
    return caller_of(request) is None


def pages_of(service: Service) -> Client:
    door = Door(lambda: service.keys, "dermacite", Rate(100), keyless=True)
    app = Litestar(
        [knowledge, opened], middleware=[door], plugins=[EveryRouteSaysItsRole()], exception_handlers=HANDLERS,
        logging_config=None, openapi_config=None,
    )  # fmt: skip
    return TestClient(app, base_url=HERE)


def test_a_page_knows_who_looks_at_it(empty_service: Service) -> None:
    with pages_of(empty_service) as client:
        without = {"name": None, "role": "admin", "csrf": None, "keyless": True}
        assert client.get("/knowledge").json() == without
        text, _ = empty_service.keys.create("dr.weber", Role.CURATOR, 1, "me")
        session = empty_service.keys.sign_in(text)
        client.cookies.set("dermacite", session.token)
        told = client.get("/knowledge").json()
        assert (told["name"], told["role"], told["keyless"]) == ("dr.weber", "curator", False)
        assert told["csrf"]
        assert client.get("/open").json() is True


def test_who_is_not_signed_in_is_sent_there_by_a_page(empty_service: Service) -> None:
    reader, _ = empty_service.keys.create("dr.weber", Role.READER, 1, "me")
    with pages_of(empty_service) as client:
        sent = client.get("/knowledge", follow_redirects=False)
        assert (sent.status_code, sent.headers["location"], sent.content) == (303, "/sign-in?next=%2Fknowledge", b"")
        client.cookies.set("dermacite", empty_service.keys.sign_in(reader).token)
        assert reason(client.get("/knowledge", follow_redirects=False)) == (403, "role_too_low")
