"""From settings to served models: what is reached how, and every refusal as one sentence that says what to do."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from inference.engines.openai_engine import OpenAIEngine
from inference.engines.replicated import ReplicatedEngine
from inference.errors import CalibrationBroken, ProfileBroken
from inference.label_probabilities import LabelCalibration
from runtime.errors import SettingsRefused
from runtime.model_choice import ModelChoice
from runtime.models import named_by, served_models
from runtime.settings import Settings, load_settings

KEY = "sk-very-secret-key"
SIRIUS = '[models.hikari-sirius]\nurl = "http://127.0.0.1:8001/v1"\n'


def settings(home: Path, text: str = "", **given: Any) -> Settings:
    (home / "settings.toml").write_text(text, "utf-8")
    return load_settings(home, **given)


def refusal(home: Path, text: str, **given: Any) -> str:
    with pytest.raises(SettingsRefused) as refused:
        served_models(settings(home, text, **given), home / "calibrations")
    return str(refused.value)


# --- what is reached


def test_the_embedded_configuration_reaches_nobody(tmp_path: Path) -> None:
    assert served_models(settings(tmp_path), tmp_path).all == ()


def test_the_clinical_configuration_reaches_sirius_and_vega_on_this_machine(tmp_path: Path) -> None:
    models = served_models(settings(tmp_path, configuration="clinical"), tmp_path)
    assert models.group is None
    assert models.disease is not None
    assert models.report is not None
    assert (models.disease.profile.name, models.report.profile.name) == ("hikari-sirius", "hikari-vega")
    assert (models.disease.name, models.disease.through) == ("hikari-sirius", "vllm")
    assert models.disease.engine.can_score
    assert models.disease.engine is not models.report.engine


def test_a_model_is_asked_by_the_name_its_server_knows(tmp_path: Path) -> None:
    text = f'classifier = "hikari-sirius"\n{SIRIUS}model = "sirius-fp8"\nengine = "sglang"\n'
    disease = served_models(settings(tmp_path, text), tmp_path).disease
    assert disease is not None
    assert (disease.name, disease.through, disease.engine.can_score) == ("sirius-fp8", "sglang", False)


def test_limits_and_times_reach_the_engine(tmp_path: Path) -> None:
    text = f'classifier = "hikari-sirius"\n{SIRIUS}concurrent = 3\nwaiting = 0\nread_seconds = 7\ntotal_seconds = 9\n'
    disease = served_models(settings(tmp_path, text), tmp_path).disease
    assert disease is not None
    engine = disease.engine
    assert isinstance(engine, OpenAIEngine)
    assert (engine._limits.concurrent, engine._limits.waiting) == (3, 0)
    assert (engine._timeouts.connect, engine._timeouts.read, engine._timeouts.total) == (5, 7, 9)


def test_one_model_in_two_roles_is_one_engine(tmp_path: Path) -> None:
    text = (
        'classifier = "qwen3-vl-8b-instruct"\nreporter = "qwen3-vl-8b-instruct"\n'
        '[models.qwen3-vl-8b-instruct]\nurl = "http://127.0.0.1:8001/v1"\n'
    )
    models = served_models(settings(tmp_path, text), tmp_path)
    assert models.disease is models.report is not None


def test_a_calibration_file_is_used_where_it_is(tmp_path: Path) -> None:
    given = settings(tmp_path, f'classifier = "hikari-sirius"\n{SIRIUS}')
    folder = tmp_path / "calibrations"
    disease = served_models(given, folder).disease
    assert disease is not None
    assert disease.calibration is None
    folder.mkdir()
    file = folder / "hikari-sirius.json"
    file.write_text(json.dumps({"temperature": 1.4, "cases": 9, "source": "held out"}))
    disease = served_models(given, folder).disease
    assert disease is not None
    assert disease.calibration == LabelCalibration(1.4, 9, "held out")
    file.write_text("{}")
    with pytest.raises(CalibrationBroken, match=r"hikari-sirius\.json"):
        served_models(given, folder)


# --- several servers of one model

TWO = '["http://10.0.0.5:8001/v1", "http://10.0.0.6:8001/v1"]'


def replicated(home: Path, lines: str, **given: Any) -> ReplicatedEngine:
    text = f'classifier = "hikari-sirius"\n[models.hikari-sirius]\n{lines}\n'
    disease = served_models(settings(home, text, **given), home).disease
    assert disease is not None
    assert isinstance(disease.engine, ReplicatedEngine)
    assert [one.name for one in disease.replicas] == [one.name for one in disease.engine.replicas]
    return disease.engine


def test_several_addresses_are_one_engine_whose_replicas_have_their_host_and_port_as_names(tmp_path: Path) -> None:
    engine = replicated(tmp_path, f"urls = {TWO}\nconcurrent = 6\nwaiting = 0\ntotal_seconds = 9")
    assert [one.name for one in engine.replicas] == ["10.0.0.5:8001", "10.0.0.6:8001"]
    assert engine.can_score
    assert (engine._slack, engine._total) == (3, 9)
    for replica in engine._replicas.values():
        inner = replica.engine
        assert isinstance(inner, OpenAIEngine)
        limits = inner._limits
        assert (limits.concurrent, limits.waiting, limits.attempts) == (6, 0, 1)  # the other is asked instead


def test_several_addresses_take_the_place_of_a_named_one(tmp_path: Path) -> None:
    engine = replicated(tmp_path, f"urls = {TWO}", configuration="clinical")
    assert len(engine.replicas) == 2


def test_addresses_can_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMACITE_MODELS", f'{{"hikari-sirius": {{"urls": {TWO}}}}}')
    assert settings(tmp_path, configuration="clinical").models["hikari-sirius"].addresses == tuple(json.loads(TWO))
    monkeypatch.delenv("DERMACITE_MODELS")
    monkeypatch.setenv("DERMACITE_MODELS__HIKARI-SIRIUS__URLS", TWO)
    assert settings(tmp_path, configuration="clinical").models["hikari-sirius"].addresses == tuple(json.loads(TWO))


def test_one_address_in_a_list_is_one_server(tmp_path: Path) -> None:
    text = 'classifier = "hikari-sirius"\n[models.hikari-sirius]\nurls = ["http://127.0.0.1:8001/v1"]\n'
    disease = served_models(settings(tmp_path, text), tmp_path).disease
    assert disease is not None
    assert isinstance(disease.engine, OpenAIEngine)
    assert disease.engine._limits.attempts == 3
    assert disease.replicas == ()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://127.0.0.1:8001/v1", "127.0.0.1:8001"),
        ("https://user:secret@gpu.example/v1", "gpu.example"),
        ("https://gpu.example/sirius/v1", "gpu.example/sirius"),
        ("http://[::1]:8001/v1", "[::1]:8001"),
    ],
)
def test_a_replica_is_named_without_what_may_be_secret(url: str, name: str) -> None:
    assert named_by(url) == name


# --- what is refused


@pytest.mark.parametrize(
    ("role", "name", "means"),
    [
        ("classifier", "hikari-subaru", "stage 2"),
        ("classifier", "hikari-vega", "stage 2"),
        ("grouper", "hikari-sirius", "stage 1"),
        ("reporter", "hikari-sirius", "stage 3"),
        ("reporter", "hikari-subaru", "stage 3"),
        ("classifier", "skinspector", "stage 2"),
    ],
)
def test_a_model_that_does_not_do_what_it_is_set_to_is_refused(
    tmp_path: Path, role: str, name: str, means: str
) -> None:
    said = refusal(tmp_path, f'{role} = "{name}"\n[models.{name}]\nurl = "http://127.0.0.1:8001/v1"\n')
    assert said.startswith(f"{role} = '{name}'")
    assert means in said
    assert said.endswith("dermacite models list")


def test_the_second_role_of_a_model_is_checked_too(tmp_path: Path) -> None:
    said = refusal(tmp_path, f'classifier = "hikari-sirius"\nreporter = "hikari-sirius"\n{SIRIUS}')
    assert said.startswith("reporter = 'hikari-sirius'")


@pytest.mark.parametrize("role", ["grouper", "classifier", "reporter"])
def test_an_unknown_profile_is_refused_with_those_there_are(tmp_path: Path, role: str) -> None:
    given = settings(tmp_path, f'{role} = "hikari-sirus"')
    with pytest.raises(ProfileBroken, match=r"'hikari-sirus'; there are: .*hikari-sirius"):
        served_models(given, tmp_path)


def test_a_model_without_an_address_is_refused_with_what_to_write_and_to_start(tmp_path: Path) -> None:
    said = refusal(tmp_path, 'classifier = "hikari-sirius"')
    assert '[models.hikari-sirius] url = "http://127.0.0.1:8001/v1"' in said
    assert said.endswith("dermacite models command hikari-sirius")
    assert "classifier" in said


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ('url = "http://127.0.0.1:8001/v1"\nfolder = "/weights"', "give url for a server, or"),
        ('url = "http://127.0.0.1:8001/v1"\nengine = "transformers"', "give url for a server, or"),
        ('engine = "transformers"', "give url for a server, or"),
        ('folder = "/weights"', "give url for a server, or"),
        ("", "give url for a server, or"),
        (f'url = "http://127.0.0.1:8001/v1"\nurls = {TWO}', "give url for a server, or"),
        (f'urls = {TWO}\nfolder = "/weights"', "give url for a server, or"),
        (f'urls = {TWO}\nengine = "transformers"', "give url for a server, or"),
        ("urls = []", "give url for a server, or"),
        ('urls = ["http://a:1/v1", "http://a:1/v1"]', "stands there twice"),
        ('urls = ["http://a:1/v1", "a:1/v1"]', "models.hikari-sirius.urls.1"),
        ('url = "127.0.0.1:8001/v1"', "models.hikari-sirius.url"),
        ('url = "http://127.0.0.1:8001"', "models.hikari-sirius.url"),
        ('url = "http://127.0.0.1:8001/v1"\nengine = "ollama"', "models.hikari-sirius.engine"),
        ('url = "http://127.0.0.1:8001/v1"\nadress = "x"', "models.hikari-sirius.adress"),
        ('url = "http://127.0.0.1:8001/v1"\nconcurrent = 0', "models.hikari-sirius.concurrent"),
        ('url = "http://127.0.0.1:8001/v1"\nread_seconds = 0', "models.hikari-sirius.read_seconds"),
    ],
)
def test_an_address_that_is_none_is_refused_by_its_key(tmp_path: Path, lines: str, named: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        settings(tmp_path, f"[models.hikari-sirius]\n{lines}")
    assert named in str(refused.value)
    assert "models.hikari-sirius" in str(refused.value)
    assert str(refused.value).endswith("Keys: docs/settings.md")


# --- the key


def test_the_key_is_sent_and_never_shown(tmp_path: Path) -> None:
    given = settings(tmp_path, f'classifier = "hikari-sirius"\n{SIRIUS}api_key = "{KEY}"\n')
    assert given.models["hikari-sirius"].api_key == SecretStr(KEY)
    models = served_models(given, tmp_path)
    assert models.disease is not None
    assert isinstance(models.disease.engine, OpenAIEngine)
    assert models.disease.engine._client.api_key == KEY
    for shown in (repr(given), str(given), given.model_dump_json(), repr(models), repr(given.models)):
        assert KEY not in shown


@pytest.mark.parametrize("lines", ['engine = "ollama"', "concurrent = 0", 'folder = "/weights"', 'api_kee = "x"'])
def test_a_refusal_does_not_repeat_the_key(tmp_path: Path, lines: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        settings(tmp_path, f'{SIRIUS}api_key = "{KEY}"\n{lines}')
    assert KEY not in str(refused.value)
    assert KEY not in str(refused.value.__cause__)


def test_a_key_of_the_wrong_kind_is_refused_without_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused) as refused:
        settings(tmp_path, f'{SIRIUS}api_key = ["{KEY}"]')
    assert KEY not in str(refused.value)


def test_the_key_can_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMACITE_MODELS", json.dumps({"hikari-sirius": {"api_key": KEY}}))
    given = settings(tmp_path, f'classifier = "hikari-sirius"\n{SIRIUS}')
    choice = given.models["hikari-sirius"]
    assert (choice.api_key, choice.url) == (SecretStr(KEY), "http://127.0.0.1:8001/v1")


def test_a_broken_variable_is_refused_without_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMACITE_MODELS", f'{{"hikari-sirius": {{"api_key": "{KEY}"')
    with pytest.raises(SettingsRefused, match="models") as refused:
        load_settings(tmp_path)
    assert KEY not in str(refused.value)


# --- one configuration on top of another


def test_a_clinical_model_can_be_loaded_by_this_process_instead(tmp_path: Path) -> None:
    text = '[models.hikari-sirius]\nengine = "transformers"\nfolder = "/weights"\n'
    given = settings(tmp_path, text, configuration="clinical")
    assert given.models["hikari-sirius"] == ModelChoice(engine="transformers", folder=Path("/weights"))
    assert given.models["hikari-vega"].url == "http://127.0.0.1:8002/v1"


def test_one_part_of_a_clinical_model_can_be_set_and_the_rest_stays(tmp_path: Path) -> None:
    given = settings(tmp_path, "[models.hikari-sirius]\nconcurrent = 2\n", configuration="clinical")
    choice = given.models["hikari-sirius"]
    assert (choice.url, choice.concurrent) == ("http://127.0.0.1:8001/v1", 2)


def test_engines_are_given_back_once_each(tmp_path: Path) -> None:
    models = served_models(settings(tmp_path, configuration="clinical"), tmp_path)

    async def close() -> None:
        for one in models.all:
            await one.engine.aclose()

    anyio.run(close)
