"""The runbook says what is true: its commands and settings exist, its metrics are told, its files fit the defaults."""

import configparser
import re
import shlex
from pathlib import Path

import click
import pytest
from litestar.testing import TestClient

from api.app import JOB_PATIENCE_S, create_app
from api.draining import LAST_WORDS_S
from api.server import CLOSE_S
from runtime.cli import main
from runtime.service import Service
from runtime.settings import Settings
from tests.integration.test_api import HERE
from tests.integration.test_api_served import models, use

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")
COMMANDS = sorted(
    {match.strip() for match in re.findall(r"^dermacite [^#\n]+|(?<=`)dermacite [^`]+(?=`)", RUNBOOK, re.MULTILINE)}
)


def block(language: str) -> str:
    """The only block of code in this language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", RUNBOOK, re.DOTALL)
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_of_ours(line: str, tmp_path: Path) -> None:
    """Parsed by click to its last argument; not run."""
    archive = tmp_path / "knowledge.tar"
    archive.touch()
    words = [str(archive) if word.endswith(".tar") else word for word in shlex.split(line)[1:]]
    command: click.Command = main
    context = click.Context(main, info_name="dermacite")
    while isinstance(command, click.Group):
        while words[0].startswith("--"):  # options of the whole program
            assert words[0] in {option for one in command.params for option in one.opts}
            words = words[2:]
        name, words = words[0], words[1:]
        assert name in command.commands, line
        command = command.commands[name]
    command.make_context(command.name, words, parent=context)


def test_every_command_of_the_list_was_found() -> None:
    assert len(COMMANDS) > 15
    assert "dermacite check" in COMMANDS


def test_every_metric_is_told(own_service: Service, draw: object) -> None:
    use(own_service, models(fails={}))
    with TestClient(create_app(own_service), base_url=HERE) as client:
        client.get("/health/ready")
        text = client.get("/metrics").text
    named = set(re.findall(r"\bdermacite_[a-z_]+(?=[{\[ )]|`)", RUNBOOK)) - {"dermacite_index"}
    told = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert len(bare) > 8
    assert bare <= told, bare - told


def test_every_setting_is_one(own_service: Service) -> None:
    named = set(re.findall(r"`([a-z]+_[a-z_]+)(?: = [^`]+)?`", RUNBOOK))
    fields = {"duration_ms", "request_id", "key_id"}  # of a line in the log
    assert named - fields <= set(Settings.model_fields)
    assert {"drain_seconds", "keep_answers", "otlp_endpoint", "log_format"} <= named


def test_the_unit_waits_longer_than_the_server_takes_to_end() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(block("ini"))
    patience = LAST_WORDS_S + CLOSE_S + JOB_PATIENCE_S
    assert unit.getint("Service", "TimeoutStopSec") >= Settings.model_fields["drain_seconds"].default + patience
    assert unit.get("Service", "KillMode") == "mixed"


def test_the_proxy_takes_what_the_service_takes() -> None:
    largest = re.search(r"client_max_body_size (\d+)m;", block("nginx"))
    assert largest is not None
    assert int(largest[1]) >= 4 * Settings.model_fields["pdf_megabytes"].default + 1
    patience = re.search(r"proxy_read_timeout (\d+)s;", block("nginx"))
    assert patience is not None
    assert int(patience[1]) > Settings.model_fields["answer_seconds"].default
    assert "proxy_buffering off;" in block("nginx")
