"""The door: every route of the application, every role, every kind of key that opens nothing."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from click.testing import CliRunner
from httpx import Response
from litestar import Litestar, get
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from api.app import create_app
from api.auth import EVERYBODY
from api.door import EveryRouteSaysItsRole
from api.problems import PROBLEM_JSON
from retrieval.search import Encoders
from runtime.cli import main
from runtime.keys import Role
from runtime.service import Service, open_service
from runtime.settings import load_settings

Client = TestClient[Litestar]

HERE = "http://127.0.0.1:8000"
# Written by hand, so that a role that changes has to be changed here too.
NEEDED: dict[str, str] = {
    name: role
    for role, names in {
        EVERYBODY: "live sign_in",
        "reader": "ready diagnose search search_by_picture list_documents get_document get_page get_page_image sign_out "
        "get_document_file get_case get_case_picture find_places list_passages list_cds_services answer_cds_hook",
        "researcher": "diagnose_counterfactually list_datasets get_dataset get_coverage",
        "curator": "add_documents delete_document approve_version retire_version describe_version delete_version "
        "compare_versions list_jobs get_job follow_job cancel_job retry_job list_audit retire_dataset restore_dataset "
        "delete_dataset delete_case",
        "admin": "metrics",
    }.items()
    for name in names.split()
}  # fmt: skip
OUT_OF_THE_DOCUMENT = {
    "/assets/nothing/nothing": EVERYBODY, "/sign-in": EVERYBODY, "/schema/openapi.json": "reader", "/": "reader",
    "/knowledge": "reader", "/knowledge/documents/nothing": "reader", "/knowledge/versions/nothing": "reader",
    "/knowledge/search": "reader", "/knowledge/datasets": "researcher", "/knowledge/datasets/nothing": "researcher",
    "/knowledge/coverage": "researcher", "/knowledge/upload": "curator", "/knowledge/compare": "curator",
    "/knowledge/jobs": "curator", "/knowledge/jobs/nothing": "curator", "/knowledge/audit": "curator",
}  # fmt: skip
FRAMEWORK = {"/schema", "/schema/nothing"}  # answers of Litestar that there is nothing


@dataclass(frozen=True, slots=True)
class Door:
    """A service with a key of each role, and keys that open nothing."""

    service: Service
    client: Client
    keys: dict[str, str]
    useless: dict[str, str]

    def send(self, method: str, path: str, key: str | None = None, **more: Any) -> Response:
        self.client.cookies.clear()
        headers = {**({} if key is None else {"Authorization": f"Bearer {key}"}), **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, follow_redirects=False, **more)

    def routes(self) -> Iterator[tuple[str, str, BaseRouteHandler]]:
        """Method and path of each handler, with something in the place of each parameter."""
        for route in self.client.app.routes:
            assert isinstance(route, HTTPRoute), "a route that is no HTTP route passes the door unseen"
            path = re.sub(r"\{\w+(:int)?[^}]*\}", lambda found: "1" if found[1] else "nothing", route.path)
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS":
                    yield method, path, handler


@pytest.fixture(scope="module")
def door(encoders: Encoders, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("door") / "home"
    service = open_service(home, load_settings(home, configuration="embedded"), encoders)
    keys = {role.value: service.keys.create(f"a {role}", role, 30, "me")[0] for role in Role}
    revoked, key = service.keys.create("dr.gone", Role.ADMIN, 30, "me")
    service.keys.revoke(key.id, "me")
    late, key = service.keys.create("dr.late", Role.ADMIN, 30, "me")
    secret = service.registry.keys.with_secret(key.id)
    assert secret is not None
    old = replace(key, id="0" * 12, expires_at="2020-01-01T00:00:00+00:00")
    service.registry.keys.add(old, secret[1], "me")
    useless = {"revoked": revoked, "expired": late.replace(key.id, old.id), "garbage": "dmc_x", "empty": ""}
    with TestClient(create_app(service), base_url=HERE) as client:
        yield Door(service, client, keys, useless)


def problem_of(response: Response, status: int, reason: str | None = None) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM_JSON
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert reason in {None, problem["reason"]}
    return problem


# --- every route -------------------------------------------------------------------------------------------------------


def test_every_route_serves_whom_the_list_says(door: Door) -> None:
    found: dict[object, str] = {}
    for method, path, handler in door.routes():
        assert getattr(handler, "operation_id", None) or method == "GET", f"{method} {path} stands in no document"
        found[getattr(handler, "operation_id", None) or path] = str(handler.opt["role"])
    assert {found.pop(path, "reader") for path in FRAMEWORK} == {"reader"}
    assert found == {**NEEDED, **OUT_OF_THE_DOCUMENT}


def test_who_has_no_key_that_opens_is_told_so_by_every_route(door: Door) -> None:
    for method, path, handler in door.routes():
        if handler.opt["role"] == EVERYBODY:
            assert door.send(method, path).status_code not in {403, 500}
            continue
        if handler.opt.get("page"):
            for key in (None, *door.useless.values()):
                sent = door.send(method, path, key)
                back = {} if path == "/" else {"next": [path]}
                address, _, query = sent.headers["location"].partition("?")
                assert (sent.status_code, address, parse_qs(query), sent.content) == (303, "/sign-in", back, b""), path
            continue
        missing = door.send(method, path)
        assert missing.headers["www-authenticate"] == 'Bearer realm="dermacite"', path
        assert "dermacite keys create" in problem_of(missing, 401, "key_needed")["detail"]
        for kind, key in door.useless.items():
            refused = door.send(method, path, key)
            assert refused.headers["www-authenticate"] == 'Bearer realm="dermacite", error="invalid_token"', kind
            reason = {"revoked": "key_revoked", "expired": "key_expired"}.get(kind, "key_unknown")
            problem_of(refused, 401, reason)


def test_no_role_reaches_beyond_itself(door: Door) -> None:
    refusals = 0
    for method, path, handler in door.routes():
        if handler.opt["role"] == EVERYBODY:
            continue
        needed = Role(handler.opt["role"])
        for role in Role:
            answer = door.send(method, path, door.keys[role])
            if role.may(needed):
                assert answer.status_code not in {401, 403, 500}, (method, path, role, answer.text)
            else:
                refusals += 1
                if handler.opt.get("page"):  # a person reads it
                    assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8"), (
                        path
                    )
                    assert f"This needs the role {needed}; this key has the role {role}." in answer.text
                    continue
                detail = problem_of(answer, 403, "role_too_low")["detail"]
                assert detail == f"This needs the role {needed}; this key has the role {role}."
    assert refusals > 30  # the ladder has steps


def test_the_document_says_what_each_route_needs(door: Door) -> None:
    document = door.send("GET", "/schema/openapi.json", door.keys["reader"]).json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path in document["paths"].values():
        for operation in path.values():
            needed = NEEDED[operation["operationId"]]
            if needed == EVERYBODY:
                assert operation["security"] == [{}]
                continue
            assert operation["security"] == [{"key": [needed]}, {"session": [needed]}]
            for status in ("401", "403"):
                [shown] = operation["responses"][status]["content"][PROBLEM_JSON]["examples"].values()
                assert shown["value"]["reason"] in {"key_needed", "role_too_low"}


def test_methods_of_a_path_are_told_to_whoever_has_a_key(door: Door) -> None:
    problem_of(door.send("OPTIONS", "/v1/audit"), 401)
    assert door.send("OPTIONS", "/v1/audit", door.keys["reader"]).status_code == 204


def test_an_application_with_a_route_without_a_role_does_not_start() -> None:
    @get("/open", sync_to_thread=False)
    def opened() -> None: ...

    with pytest.raises(ImproperlyConfiguredException, match="says no role"):
        Litestar([opened], plugins=[EveryRouteSaysItsRole()], openapi_config=None)


# --- who it is -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Basic ZHI6eA==", "Bearer", "bearer ", "Token x", "Bearer a b", "Bearer é"])
def test_other_headers_are_no_keys(door: Door, header: str) -> None:
    problem_of(door.send("GET", "/v1/documents", headers={"Authorization": header.encode("latin-1")}), 401)


def test_the_scheme_is_not_case_sensitive(door: Door) -> None:
    answer = door.send("GET", "/v1/documents", headers={"Authorization": f"bEARER  {door.keys['reader']}"})
    assert answer.status_code == 200


def test_the_actor_is_the_key_whatever_a_header_says(own_service: Service) -> None:
    text, _ = own_service.keys.create("dr.key", Role.CURATOR, 1, "me")
    (document,) = own_service.registry.documents()
    headers = {"Authorization": f"Bearer {text}", "Dermacite-Actor": "dr.other"}
    with TestClient(create_app(own_service), base_url=HERE) as client:
        assert client.post(f"/v1/versions/{document.version.id}/retire", headers=headers).status_code == 200
        entries = client.get("/v1/audit", headers=headers).json()["entries"]
    assert (entries[-1]["actor"], entries[-1]["action"]) == ("dr.key", "retire")


def test_without_keys_this_machine_may_do_everything_under_the_name_it_gives(own_service: Service) -> None:
    (document,) = own_service.registry.documents()
    with TestClient(create_app(own_service), base_url=HERE) as client:
        path = f"/v1/versions/{document.version.id}/retire"
        assert client.post(path, headers={"Dermacite-Actor": "dr.weber"}).status_code == 200
        assert client.get("/v1/audit").json()["entries"][-1]["actor"] == "dr.weber"


def test_the_first_key_closes_a_service_that_runs(empty_service: Service) -> None:
    with TestClient(create_app(empty_service), base_url=HERE) as client:
        assert client.get("/v1/documents").status_code == 200
        other = open_service(empty_service.home.root, empty_service.settings)  # another process
        text, key = other.keys.create("dr.weber", Role.READER, 1, "me")
        problem_of(client.get("/v1/documents"), 401, "key_needed")
        headers = {"Authorization": f"Bearer {text}"}
        assert client.get("/v1/documents", headers=headers).status_code == 200
        other.keys.revoke(key.id, "me")
        other.close()
        problem_of(client.get("/v1/documents", headers=headers), 401, "key_revoked")
        problem_of(client.get("/v1/documents"), 401, "key_needed")


# --- plain questions -------------------------------------------------------------------------------------------------------

STUDIES: list[dict[str, Any]] = [
    {"options": {name: value}}
    for name, value in {
        "k": 0, "alpha": 0.5, "strategy": "A", "fusion": "adaptive", "cases": False, "passages": False, "leak_guard": False,
        "references": 3, "layout": "single", "prompt": "T1", "captions": "masked", "group": "soft",
        "constrain": False, "seed": 7, "leak_report": True,
    }.items()
] + [{"lesion": "l1"}, {"subject": "s1"}, {"source": "ddi.png"}]  # fmt: skip
PLAIN: list[dict[str, Any]] = [
    {}, {"note": "itchy", "age": 40, "sex": "female", "body_site": "arm"}, {"options": {"k": 3}},
    {"options": {"filters": {"language": "en"}}}, {"options": {"rerank": True}}, {"options": {"report": "extractive"}},
    {"options": {"on_engine_failure": "abstain"}}, {"options": {"cases": True, "seed": 0, "alpha": None, "captions": "shown"}},
]  # fmt: skip


def asked(door: Door, role: str, request: dict[str, Any]) -> Response:
    files = {"images": ("a.png", b"no picture")}  # refused with 415 behind the door, before anything is computed
    data = {"request": json.dumps(request)}
    return door.send("POST", "/v1/diagnoses", door.keys[role], files=files, data=data)


@pytest.mark.parametrize("request_", STUDIES, ids=json.dumps)
def test_options_that_weaken_the_evidence_need_a_researcher(door: Door, request_: dict[str, Any]) -> None:
    [name] = request_.get("options", request_)
    detail = problem_of(asked(door, "reader", request_), 403, "role_too_low")["detail"]
    assert detail == f"The option {name} needs the role researcher; this key has the role reader."
    problem_of(asked(door, "researcher", request_), 415)


@pytest.mark.parametrize("request_", PLAIN, ids=json.dumps)
def test_a_plain_question_is_everybodys(door: Door, request_: dict[str, Any]) -> None:
    problem_of(asked(door, "reader", request_), 415)


def test_every_option_is_plain_or_a_study() -> None:
    from api.schemas import DiagnosisRequest, OptionsRequest

    tried = {name for one in (*STUDIES, *PLAIN) for name in one.get("options", ())}
    assert tried == set(OptionsRequest.model_fields)
    assert {name for one in (*STUDIES, *PLAIN) for name in one} == set(DiagnosisRequest.model_fields)


def test_several_options_are_named(door: Door) -> None:
    problem = problem_of(asked(door, "reader", {"options": {"alpha": 1, "cases": False}}), 403)
    assert problem["detail"].startswith("The options alpha, cases need the role researcher")


@pytest.mark.parametrize(
    ("path", "words", "study"),
    [
        ("/v1/search", {"text": "x"}, {"fusion": "adaptive"}),
        ("/v1/search/picture", {"text": "x"}, {"alpha": 0.5}),
        ("/v1/search/picture", {}, {"hard_negatives": True}),
        ("/v1/search/picture", {}, {"against": "nevus"}),
        ("/v1/search/picture", {}, {"strategy": "B"}),
    ],
)
def test_so_do_those_of_a_search(door: Door, path: str, words: dict[str, Any], study: dict[str, Any]) -> None:
    def sent(role: str, request: dict[str, Any]) -> Response:
        if path.endswith("picture"):
            more: dict[str, Any] = {"files": {"image": b"no picture"}, "data": {"request": json.dumps(request)}}
        else:
            more = {"json": request}
        return door.send("POST", path, door.keys[role], **more)

    problem_of(sent("reader", {**words, **study}), 403, "role_too_low")
    assert sent("researcher", {**words, **study}).status_code not in {401, 403}
    assert sent("reader", {**words, "k": 3}).status_code not in {401, 403}


# --- the command line ------------------------------------------------------------------------------------------------------


def run(home: Path, *arguments: str) -> Any:
    return CliRunner().invoke(main, ["--home", str(home), *arguments], catch_exceptions=False)


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    assert "no keys" in run(tmp_path, "keys", "list").stderr
    made = run(tmp_path, "keys", "create", "--name", "dr.weber", "--role", "curator", "--days", "7")
    text = made.stdout.strip()
    assert text.startswith("dmc_")
    assert "now needs keys" in made.stderr
    assert text not in made.stderr
    second = json.loads(run(tmp_path, "keys", "create", "--name", "b", "--role", "reader", "--json").stdout)
    assert second["first"] is False
    listed = run(tmp_path, "keys", "list")
    assert "dr.weber" in listed.stdout
    assert text not in listed.stdout
    revoked = json.loads(run(tmp_path, "keys", "revoke", second["id"], "--json").stdout)
    assert revoked["state"] == "revoked"
    states = {one["name"]: one["state"] for one in json.loads(run(tmp_path, "keys", "list", "--json").stdout)["keys"]}
    assert states == {"dr.weber": "usable", "b": "revoked"}
    assert "secret" not in run(tmp_path, "keys", "list", "--json").stdout


def test_what_cannot_be_made_or_found_is_said(tmp_path: Path) -> None:
    for arguments, words in (
        (("create", "--name", "a\nb", "--role", "reader"), "the name of a key has 1 to 100"),
        (("revoke", "nothing"), "no such key. List them: dermacite keys list"),
    ):
        refused = run(tmp_path, "keys", *arguments)
        assert (refused.exit_code, words in refused.stderr) == (1, True)
    assert run(tmp_path, "keys", "create", "--name", "a", "--role", "king").exit_code == 2
    assert run(tmp_path, "keys", "create", "--name", "a", "--role", "reader", "--days", "0").exit_code == 2
