"""`dermacite diagnose` with served models: every option reaches them, and their connections are given up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from inference.admission import ServedModels
from inference.engines.errors import EngineUnreachable
from inference.errors import ConsultationRefused
from runtime.cli.asking import diagnose
from runtime.service import Service
from tests.fakes import FakeEngine, naming, served

Draw = Callable[[str, int], bytes]


class OneService:
    """What the command line hands to its commands."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def service(self) -> Service:
        return self._service


def models(fails: dict[str, Any] | None = None) -> ServedModels:
    return ServedModels(
        served("hikari-subaru", FakeEngine(naming("Inflammatory"), {"Inflammatory": 0.9})),
        served("hikari-sirius", FakeEngine(naming("psoriasis"), {"psoriasis": 0.9}, fails=fails)),
        served("hikari-vega", FakeEngine("A red plaque \x1b[31mwith scale.")),
    )


@pytest.fixture
def picture(draw: Draw, tmp_path: Path) -> Path:
    file = tmp_path / "picture.png"
    file.write_bytes(draw("psoriasis", 7))
    return file


def run(service: Service, asked: ServedModels, *arguments: Any) -> Result:
    service.__dict__["models"] = asked
    return CliRunner().invoke(diagnose, [str(one) for one in arguments], obj=OneService(service))


def test_every_option_reaches_the_pipeline(own_service: Service, picture: Path) -> None:
    result = run(
        own_service, models(), picture, "--note", "scaly plaque", "-k", 2, "--alpha", 0.5, "--no-passages",
        "--references", 1, "--prompt", "P1", "--mask-captions", "--free", "--group", "soft", "--report", "plain",
        "--on-engine-failure", "abstain", "--seed", 9, "--layout", "evaluation", "--leak-report",
        "--filter", "label=psoriasis", "--fusion", "rrf", "--strategy", "B", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    options = json.loads(result.output)["trace"]["configuration"]["options"]
    filters = options.pop("filters")
    assert {name: value for name, value in filters.items() if value} == {"label": ["psoriasis"]}
    assert options == {
        "k": 2, "alpha": 0.5, "strategy": "B", "fusion": "rrf", "rerank": False, "cases": True,
        "passages": False, "leak_guard": True, "leak_report": True, "references": 1,
        "layout": "evaluation", "prompt": "P1", "captions": "masked", "group": "soft", "constrain": False,
        "report": "plain", "on_engine_failure": "abstain", "seed": 9,
    }  # fmt: skip


def test_what_is_not_given_is_as_the_profiles_say_and_connections_are_given_up(
    own_service: Service, picture: Path
) -> None:
    asked = models()
    result = run(own_service, asked, picture)
    assert result.exit_code == 0, result.output
    assert "stage 2 (hikari-sirius): stated psoriasis (constrained)" in result.output
    assert "What hikari-vega writes of the picture (guided, told the diagnosis psoriasis)" in result.output
    assert "\x1b" not in result.output
    assert all(model.engine.closed for model in asked.all)  # type: ignore[attr-defined]
    assert "models" not in own_service.__dict__, "they are made anew when they are needed again"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--references", "9"], ConsultationRefused),
        ([], EngineUnreachable),
    ],
)
def test_a_failure_gives_the_connections_up_too(
    own_service: Service, picture: Path, arguments: list[str], error: type[Exception]
) -> None:
    asked = models({"complete": EngineUnreachable("nobody answers")})
    result = run(own_service, asked, picture, *arguments)
    assert isinstance(result.exception, error)
    assert all(model.engine.closed for model in asked.all)  # type: ignore[attr-defined]
