"""One table from errors to problem documents; nothing foreign escapes, and nothing of a request is repeated."""

import inspect
import json
import logging
from collections.abc import Iterator
from types import ModuleType

import pytest
from litestar import Litestar, get, post
from litestar.params import JSONBody
from litestar.testing import TestClient

import api.errors
import inference.engines.errors
import inference.errors
import knowledge.errors
import retrieval.errors
import runtime.errors
from api.errors import Fault, PicturesRefused
from api.problems import HANDLERS, PROBLEM_JSON, ROOTS, TABLE, Row, row_of
from api.schemas import SearchRequest
from inference.engines.errors import EngineOverloaded, EngineUnreachable
from knowledge.errors import CasesRefused, DocumentRefused, PictureRefused, TransitionRefused
from runtime.errors import ClusterFailed, KeyRefused

MODULES = (knowledge.errors, retrieval.errors, inference.errors, inference.engines.errors, runtime.errors)
SECRET = "a note about Ms Example"


def classes_of(module: ModuleType) -> list[type[Exception]]:
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == module.__name__
    ]


def made(kind: type[Exception], sentence: str = "What to do.") -> Exception:
    """An instance, whatever its constructor wants."""
    if kind is api.errors.PicturesRefused:
        return PicturesRefused([Fault(sentence, picture=2, reason="truncated")])
    if kind is api.errors.PrefetchUnusable:
        return api.errors.PrefetchUnusable(sentence, [])
    if kind is api.errors.DocumentsRefused:
        return api.errors.DocumentsRefused([])
    if kind is api.errors.RangeRefused:
        return api.errors.RangeRefused(7)
    if issubclass(
        kind, PictureRefused | DocumentRefused | CasesRefused | TransitionRefused | KeyRefused | ClusterFailed
    ):
        return kind("a_reason", sentence)
    return kind(sentence)


class Thrower:
    """A route that raises what it is told to."""

    error: Exception = RuntimeError()


@pytest.fixture
def thrower() -> Thrower:
    return Thrower()


@pytest.fixture
def client(thrower: Thrower) -> Iterator[TestClient[Litestar]]:
    @get("/raise")
    async def throw() -> None:
        raise thrower.error

    @post("/search")
    async def search(data: JSONBody[SearchRequest]) -> str:
        return data.text

    app = Litestar([throw, search], exception_handlers=HANDLERS, logging_config=None, request_max_body_size=1_000)
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("kind", [kind for module in MODULES for kind in classes_of(module)])
def test_every_error_of_the_layers_below_has_a_row_of_its_own(kind: type[Exception]) -> None:
    assert kind in TABLE
    assert issubclass(kind, ROOTS)


def test_the_table_knows_no_strangers() -> None:
    known = {kind for module in (*MODULES, api.errors) for kind in classes_of(module)}
    assert set(TABLE) == known


@pytest.mark.parametrize(("kind", "row"), TABLE.items(), ids=lambda item: getattr(item, "__name__", ""))
def test_every_row_is_a_problem_document(
    client: TestClient[Litestar], thrower: Thrower, kind: type[Exception], row: Row
) -> None:
    thrower.error = made(kind)
    response = client.get("/raise")
    problem = response.json()
    assert response.headers["content-type"] == PROBLEM_JSON
    assert response.status_code == problem["status"] == row.status
    assert problem["title"] == row.title
    assert problem["detail"] == str(thrower.error)
    assert problem["reason"] == thrower.error.reason  # type: ignore[attr-defined]
    assert problem["type"] == f"urn:dermacite:problem:{problem['reason']}"
    assert problem["instance"].startswith("urn:uuid:")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PictureRefused("too_large", "Send less."), 413),
        (PictureRefused("truncated", "Send again."), 422),
        (PicturesRefused([Fault("Convert it.", picture=1, reason="format_not_supported")]), 415),
        (DocumentRefused("no_such_page", "There is no page 9."), 404),
    ],
)
def test_a_reason_can_have_a_status_of_its_own(
    client: TestClient[Litestar], thrower: Thrower, error: Exception, status: int
) -> None:
    thrower.error = error
    assert client.get("/raise").status_code == status


def test_a_class_without_a_row_is_treated_as_its_parent() -> None:
    class Newer(knowledge.errors.StorageFailed):
        pass

    assert row_of(Newer()) is TABLE[knowledge.errors.StorageFailed]


def test_who_must_wait_is_told_how_long(client: TestClient[Litestar], thrower: Thrower) -> None:
    thrower.error = EngineOverloaded("the engine's queue is full", retry_after=2.4)
    response = client.get("/raise")
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")
    assert response.json()["retry_after"] == 3  # an event of a stream has no headers
    thrower.error = EngineUnreachable("nobody answers")
    assert "retry-after" not in client.get("/raise").headers


def test_each_bad_picture_is_named_by_its_number(client: TestClient[Litestar], thrower: Thrower) -> None:
    thrower.error = PicturesRefused([Fault("It is empty.", picture=2, reason="empty_file")])
    problem = client.get("/raise").json()
    assert problem["detail"] == "Picture 2: It is empty."
    assert problem["errors"] == [{"detail": "It is empty.", "picture": 2, "reason": "empty_file"}]


@pytest.mark.parametrize(
    "error", [RuntimeError(SECRET), OSError(SECRET), KeyError(SECRET), ExceptionGroup(SECRET, [RuntimeError()])]
)
def test_what_nobody_expected_says_nothing_about_itself(
    client: TestClient[Litestar], thrower: Thrower, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    thrower.error = error
    with caplog.at_level(logging.DEBUG):
        response = client.get("/raise")
    problem = response.json()
    assert (response.status_code, problem["reason"]) == (500, "internal_error")
    assert SECRET not in response.text + caplog.text
    assert any(type(error).__name__ in line and problem["instance"] in line for line in caplog.messages)


def test_all_wrong_fields_are_listed_and_none_is_repeated(client: TestClient[Litestar]) -> None:
    response = client.post("/search", json={"text": [SECRET], "k": 99, SECRET: 1, "plain": SECRET})
    problem = response.json()
    assert response.status_code == 400
    assert {fault["field"] for fault in problem["errors"]} == {"text", "k", "plain", "(unknown field)"}
    assert SECRET not in response.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", "/search", b"", 400, "invalid_request"),
        ("POST", "/search", b'{"text": ', 400, "malformed"),
        ("POST", "/search", b'{"text": "\xff"}', 400, "malformed"),
        ("POST", "/search", json.dumps({"text": "x" * 2_000}).encode(), 413, "too_large"),
        ("GET", f"/{SECRET}", b"", 404, "no_such_route"),
        ("PUT", "/search", b"", 405, "method_not_allowed"),
    ],
)
def test_what_the_framework_refuses_is_a_problem_document_too(
    client: TestClient[Litestar], method: str, path: str, body: bytes, status: int, reason: str
) -> None:
    response = client.request(method, path, content=body)
    assert (response.status_code, response.json()["reason"]) == (status, reason)
    assert response.headers["content-type"] == PROBLEM_JSON
    assert SECRET not in response.text


def test_a_refused_method_comes_with_those_that_are_known(client: TestClient[Litestar]) -> None:
    assert "POST" in client.put("/search").headers["allow"]
