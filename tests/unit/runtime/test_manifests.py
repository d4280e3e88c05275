"""The manifests name settings that there are, with values that are taken; their shape is held by `make manifests`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.building import PROJECT
from runtime.settings import Settings, load_settings

DEPLOY = PROJECT / "deploy"
FILLED = {"${PUBLIC_HOST:?the name under which others reach the service}": "derm.example.org"}


def of_compose() -> dict[str, str]:
    service: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["api"]
    return {name: _filled(str(value)) for name, value in service["environment"].items()}


def of_kubernetes() -> dict[str, str]:
    objects = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8")))
    [config] = [one for one in objects if one["kind"] == "ConfigMap"]
    values: dict[str, str] = config["data"]
    return values


def of_image() -> dict[str, str]:
    [line] = [one for one in (DEPLOY / "Dockerfile").read_text("utf-8").splitlines() if one.startswith("ENV ")]
    return dict(word.split("=", 1) for word in line.split()[1:])


def _filled(text: str) -> str:
    for word, value in FILLED.items():
        text = text.replace(word, value)
    return text


@pytest.mark.parametrize("manifest", [of_compose, of_kubernetes], ids=["compose", "kubernetes"])
def test_the_settings_of_a_manifest_are_taken(manifest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = manifest()
    for name, value in {**of_image(), **values}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(tmp_path)
    ours = {name.removeprefix("DERMACITE_").lower() for name in values if name.startswith("DERMACITE_")}
    assert ours >= {"public_url", "registry_url", "storage_url"}  # without these, processes share nothing
    assert ours <= set(Settings.model_fields)
    assert settings.public_url == "https://derm.example.org"
    assert settings.log_format == "json"


def test_every_package_is_in_the_image() -> None:
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and len(line.split()) == 3}
    assert copied == {one.name for one in PROJECT.iterdir() if (one / "__init__.py").exists()} - {"tests", "bench"}
