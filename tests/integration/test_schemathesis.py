"""Requests that Schemathesis makes from the API's own description, with the key of each role, against a real server.

No answer is a failure of ours, none is missing in the description, none goes beyond the role. The examples are the same in
every run; DERMACITE_SCHEMATHESIS=500 asks for so many of each kind and operation instead of a few (`make test-schema`).
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from runtime.keys import Role
from runtime.service import Service
from tests.real_server import RealServer, real_server
from tests.sample import copy_of, drawn, guideline

EXAMPLES = int(os.environ.get("DERMACITE_SCHEMATHESIS", "0"))
A_FEW = {True: 6, False: 2}  # examples, by whether the role may do it at all
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
NOBODY = "nobody"
READY = "GET /health/ready"
SETTINGS = "requests_per_minute = 1000000\nocr_pages = 0\n"
KEY = "Authorization"


@dataclass
class Asked:
    """What one role asked, and what was wrong with the answers."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Api:
    """A server with keys, its description, and ids that exist there."""

    server: RealServer
    schema: Any
    keys: dict[str, str]
    known: dict[str, list[str]]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, sample_service: Service) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("schema")
    service = copy_of(sample_service, folder / "home", sample_service.encoders)
    keys = {role.value: service.keys.create(f"a {role}", role, 30, "me")[0] for role in Role}
    cases = [case_id for case_id, *_ in service.registry.case_captions()]
    service.close()
    with real_server(folder / "home", folder / "written", SETTINGS, keys["admin"]) as server:
        with requests.Session() as session:
            session.headers[KEY] = f"Bearer {keys['admin']}"
            described = session.get(f"{server.url}/schema/openapi.json", timeout=60).json()
            known = _known(session, server.url) | {"case_id": cases}
        yield Api(server, schemathesis.openapi.from_dict(described), keys, known)


def _known(session: requests.Session, url: str) -> dict[str, list[str]]:
    """Ids by the name of the parameter that takes them."""
    documents = session.get(f"{url}/v1/documents", timeout=60).json()["documents"]
    jobs = session.get(f"{url}/v1/jobs", timeout=60).json()["jobs"]
    versions = [one["version"]["id"] for one in documents]
    return {
        "document_id": [*(one["id"] for one in documents), *versions], "version_id": versions, "to": versions,
        "job_id": [one["id"] for one in jobs], "name": ["sample"], "number": ["1", "2", "99"],
    }  # fmt: skip


def operations(api: Api) -> list[Any]:
    return [found.ok() for found in api.schema.get_all_operations()]


def needed(operation: Any) -> str:
    """The role that the description says an operation needs."""
    secured = operation.definition.raw.get("security", [])
    return next((scopes[0] for one in secured for scopes in one.values()), NOBODY)


def may(role: str, operation: Any) -> bool:
    wanted = needed(operation)
    return wanted == NOBODY or (role != NOBODY and Role(role).may(Role(wanted)))


@pytest.mark.timeout(3_600)
def test_every_answer_is_described_and_within_the_role(api: Api) -> None:
    """One role after the other, the strongest last: what it deletes, the others have asked about before."""
    for role in (NOBODY, *(role.value for role in Role)):
        asked = Asked()
        with requests.Session() as session:
            for operation in operations(api):
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    ask(api, session, role, operation, mode, asked)
        assert asked.wrong == []
        assert asked.statuses.total() > 100
        assert role == NOBODY or {200, 400, 404, 422} <= asked.statuses.keys()
    assert api.server.process.poll() is None
    assert "unexpected" not in api.server.log


def ask(api: Api, session: requests.Session, role: str, operation: Any, mode: GenerationMode, asked: Asked) -> None:
    """Some requests to one operation, half of them about what is really there."""
    allowed = may(role, operation)

    @settings(
        max_examples=EXAMPLES or A_FEW[allowed], derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode), seed=st.integers(0, 2**32))
    def send(case: Any, seed: int) -> None:
        if seed % 2:
            _make_real(case, api.known, random.Random(seed))
        key = {KEY: f"Bearer {api.keys[role]}"} if role != NOBODY else {}
        case.headers = {name: value for name, value in (case.headers or {}).items() if name != KEY}
        response = case.call(base_url=api.server.url, session=session, headers=key, timeout=120)
        asked.statuses[response.status_code] += 1
        what = f"{role}: {operation.label} {mode.value} -> {response.status_code} {response.content[:300]!r}"
        keyed = needed(operation) != NOBODY  # signing in with a key that is none is no refusal of the role
        if allowed and keyed and response.status_code in {401, 403} and not _option_refused(response):
            asked.wrong.append(f"refused: {what}")
        if not allowed and response.status_code not in {401, 403} and not _nothing_there(response):
            asked.wrong.append(f"beyond the role: {what}")
        left_out = {
            response_schema_conformance: _is_stream(response),
            not_a_server_error: operation.label == READY,  # 503 is what it is there to say
        }
        checks = [one for one in CHECKS if not left_out.get(one)]
        try:
            case.validate_response(response, checks=checks)
        except (Exception, FailureGroup) as problem:  # one of many kinds; all are collected
            asked.wrong.append(f"{what}\n{problem}")

    with suppress(Unsatisfiable):  # an operation without parameters cannot be asked wrongly
        send()


def _is_stream(response: Any) -> bool:
    """Events are described as text: OpenAPI 3.1 has no words for what is in them."""
    return any("event-stream" in value for value in response.headers.get("content-type", ()))


def _nothing_there(response: Any) -> bool:
    """A path that no route has, such as a page whose number is none, is the same for everybody."""
    return bool(response.status_code == 404 and response.json()["reason"] == "no_such_route")


def _option_refused(response: Any) -> bool:
    """Some options of an operation need a higher role than the operation."""
    return bool(response.status_code == 403 and response.json()["reason"] == "role_too_low")


def _make_real(case: Any, known: dict[str, list[str]], dice: random.Random) -> None:
    """Ids that exist, pictures and PDFs that can be read: so that requests come further than to the first check."""
    for place in (case.path_parameters, case.query):
        for name in set(place or ()) & known.keys():
            place[name] = dice.choice(known[name])
    if isinstance(case.body, dict) and case.media_type == "multipart/form-data":
        picture = drawn(dice.choice(("acne", "nevus")), dice.randrange(4, 9))
        files = {"images": [picture], "image": picture, "files": [guideline()]}
        case.body = {name: files.get(name, value) for name, value in case.body.items()}
