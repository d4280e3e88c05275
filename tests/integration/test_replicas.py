"""What an operator sees of models that several servers share: readiness, numbers, `dermacite check`, `dermacite doctor`."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from inference.admission import ServedModels
from inference.engines import ModelIdentity
from inference.engines.errors import EngineError, EngineUnreachable
from inference.engines.replica import Pauses
from inference.engines.replicated import ReplicatedEngine
from inference.profiles import load_profile
from inference.served import ServedModel
from runtime.cli import main
from runtime.service import Service
from tests.fakes import FakeEngine, naming
from tests.integration.test_api import HERE, SECRET, diagnose, wait_until_ready
from tests.integration.test_operations import samples
from tests.misbehaving_server import says
from tests.model_server import answering

Client = TestClient[Litestar]
Draw = Callable[[str, int], bytes]
GONE = EngineUnreachable("the connection to the engine failed (ConnectError)")
SIRIUS = "hikari-sirius"


class IdentifiedFake(FakeEngine):
    """A double that fails as long as it is told to."""

    def __init__(self) -> None:
        super().__init__(naming("psoriasis"), {"psoriasis": 0.9})

    async def identity(self) -> ModelIdentity:
        await self._work("identity")
        return ModelIdentity("snapshot-1", 4096)

    def fail(self, error: EngineError | None) -> None:
        self._fails = {} if error is None else dict.fromkeys(("complete", "score", "identity", "probe"), error)


@contextmanager
def client_of(service: Service, engines: Mapping[str, IdentifiedFake]) -> Iterator[Client]:
    engine = ReplicatedEngine(engines, SIRIUS, pauses=Pauses(0.0, 0.0))
    model = ServedModel(load_profile(SIRIUS), engine, SIRIUS, "fake")
    service.__dict__["models"] = ServedModels(disease=model)
    with TestClient(create_app(service), base_url=HERE) as client:
        yield client


@pytest.fixture
def engines() -> dict[str, IdentifiedFake]:
    return {"10.0.0.5:8001": IdentifiedFake(), "10.0.0.6:8001": IdentifiedFake()}


def legs_of(client: Client, status: int) -> dict[str, dict[str, Any]]:
    """The legs of models by their names."""
    response = client.get("/health/ready")
    assert response.status_code == status, response.text
    return {one["leg"]: one for one in response.json()["checks"] if one["leg"].startswith("model")}


def test_readiness_and_numbers_tell_every_replica(own_service: Service, engines: dict[str, IdentifiedFake]) -> None:
    with client_of(own_service, engines) as client:
        wait_until_ready(client)
        legs = legs_of(client, 200)
        assert [legs[f"model {SIRIUS}, replica {name}"]["alive"] for name in engines] == [True, True]
        assert samples(client, "dermacite_replica_up") == {(SIRIUS, name): 1 for name in engines}


def test_a_replica_that_is_out_is_told_and_service_goes_on(
    own_service: Service, engines: dict[str, IdentifiedFake], draw: Draw
) -> None:
    one, two = engines
    with client_of(own_service, engines) as client:
        wait_until_ready(client)
        picture = draw("psoriasis", 7)
        diagnose(client, picture, note=SECRET)
        (asked,) = (name for name in engines if engines[name].completed)
        engines[asked].fail(GONE)
        answer = diagnose(client, picture, note=SECRET)
        assert answer.status_code == 200
        assert answer.json()["opinions"]["disease"]["stated"] == "psoriasis"
        other = two if asked == one else one
        assert samples(client, "dermacite_replica_up") == {(SIRIUS, asked): 0, (SIRIUS, other): 1}
        assert samples(client, "dermacite_replica_failures_total") == {(SIRIUS, asked): 1, (SIRIUS, other): 0}
        assert samples(client, "dermacite_replica_taken_out_total") == {(SIRIUS, asked): 1, (SIRIUS, other): 0}
        assert samples(client, "dermacite_replica_requests_total") == {(SIRIUS, asked): 12, (SIRIUS, other): 11}
        assert set(samples(client, "dermacite_replica_requests_running").values()) == {0}
        assert samples(client, "dermacite_model_failures_total") == {}  # no step failed


def test_a_service_that_starts_degraded_is_ready_and_says_so(
    own_service: Service, engines: dict[str, IdentifiedFake]
) -> None:
    one, two = engines
    engines[one].fail(GONE)
    with client_of(own_service, engines) as client:
        wait_until_ready(client)
        legs = legs_of(client, 200)
        assert legs[f"model {SIRIUS}"]["alive"]
        told = legs[f"model {SIRIUS}, replica {one}"]
        assert (told["alive"], told["detail"]) == (False, f"out: {GONE}")
        assert legs[f"model {SIRIUS}, replica {two}"] == {
            "leg": f"model {SIRIUS}, replica {two}", "alive": True, "detail": "in",
        }  # fmt: skip


def test_a_service_without_any_replica_is_not_ready_until_one_is_back(
    own_service: Service, engines: dict[str, IdentifiedFake], draw: Draw
) -> None:
    for engine in engines.values():
        engine.fail(GONE)
    with client_of(own_service, engines) as client:
        while "warming" in str(client.get("/health/ready").json()["problem"]):
            pass
        legs = legs_of(client, 503)
        assert not any(leg["alive"] for leg in legs.values())
        assert "none of 2 replicas" in client.get("/health/ready").json()["problem"]
        failed = diagnose(client, draw("psoriasis", 7), note=SECRET)
        assert (failed.status_code, failed.json()["reason"]) == (503, "engine_unreachable")
        assert "inference server" in failed.json()["detail"]
        engines["10.0.0.6:8001"].fail(None)
        assert legs_of(client, 200)[f"model {SIRIUS}"]["alive"]
        assert diagnose(client, draw("psoriasis", 7), note=SECRET).status_code == 200


# --- the command line


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_the_command_line_lists_every_replica_and_degraded_is_no_failure(
    own_service: Service, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    home = own_service.home.root
    own_service.close()
    monkeypatch.setenv("DERMACITE_CLASSIFIER", SIRIUS)
    with answering(lambda _: (200, says("yes").body), lists=SIRIUS) as url:
        gone = "http://127.0.0.1:9/v1"  # nothing listens on the port of `discard`
        assert asked(home, command, monkeypatch, [url, gone]) == (0, {"model": 0, url: 0, gone: 1})
        assert asked(home, command, monkeypatch, [gone, "http://127.0.0.1:7/v1"])[0] == 1


def asked(home: Path, command: str, monkeypatch: pytest.MonkeyPatch, urls: list[str]) -> tuple[int, dict[str, int]]:
    """The exit code, and how bad the model and each replica are: 0 well, 1 to look at, 2 an error."""
    monkeypatch.setenv("DERMACITE_MODELS", json.dumps({SIRIUS: {"urls": urls}}))
    result = CliRunner().invoke(main, ["--home", str(home), command, "--json"], catch_exceptions=False)
    told = json.loads(result.stdout)
    found = {one["name"]: one for one in told.get("findings") or told["checks"]}

    def badness(name: str) -> int:
        one = found[name]
        if "state" in one:
            return ["ok", "warning", "error"].index(one["state"])
        return 2 if not one["healthy"] else int(one["degraded"])

    replicas = {
        url: badness(f"model: {SIRIUS}, replica {url.removeprefix('http://').removesuffix('/v1')}") for url in urls
    }
    return result.exit_code, {"model": badness(f"model: {SIRIUS}"), **replicas}
