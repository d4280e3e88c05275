"""`dermacite check`: what it finds on a healthy home and on broken ones, what mends it, and that it changes nothing."""

import json
import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from knowledge.registry import SCHEMA_HEAD, Registry
from retrieval.index import CURRENT
from runtime import extras
from runtime.cli import main
from runtime.service import Service
from tests.misbehaving_server import says
from tests.model_server import answering

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def home(sample_service: Service, tmp_path: Path) -> Path:
    shutil.copytree(sample_service.home.root, tmp_path / "home", symlinks=True)
    return tmp_path / "home"


def check(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), "check", *arguments], catch_exceptions=False)


def findings(home: Path, code: int, *arguments: str) -> dict[str, dict[str, Any]]:
    """By name."""
    result = check(home, "--json", *arguments)
    assert result.exit_code == code, result.output
    told = json.loads(result.stdout)
    assert told["ok"] is (code == 0)
    return {one["name"]: one for one in told["findings"]}


def files_of(home: Path) -> dict[str, bytes]:
    return {
        str(file): file.read_bytes() for file in home.rglob("*") if file.is_file() and not file.name.endswith("-shm")
    }


def test_a_healthy_home_is_ready_and_stays_as_it_is(home: Path) -> None:
    findings(home, 0)  # closes the copied registry, so that all of it is in its file
    before = files_of(home)
    found = findings(home, 0)
    assert {one["state"] for name, one in found.items() if not name.startswith(("extra", "disk"))} == {"ok"}
    assert {"settings", "home folder", "disk", "registry", "encoders", "index"} <= set(found)
    assert "12 cases" in found["index"]["detail"]
    assert found["registry"]["detail"] == f"schema {SCHEMA_HEAD}"
    assert files_of(home) == before


def test_a_person_reads_lines(home: Path) -> None:
    result = check(home)
    assert result.stdout.startswith("ok      settings: configuration embedded")
    assert result.stdout.endswith("ready to serve\n")


def test_both_helps_say_which_is_which() -> None:
    for one, other in (("check", "doctor"), ("doctor", "check")):
        assert f"dermacite {other}" in " ".join(CliRunner().invoke(main, [one, "--help"]).output.split())


def test_a_wrong_setting_is_named_and_nothing_is_opened(home: Path) -> None:
    (home / "settings.toml").write_text("alhpa = 0.3", "utf-8")
    found = findings(home, 1)
    assert "alhpa" in found["settings"]["detail"]
    assert "index" not in found
    assert "ERROR   settings:" in check(home).stdout


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = findings(tmp_path / "nowhere", 0)
    assert found["home folder"]["state"] == "warning"
    assert not (tmp_path / "nowhere").exists()


def test_a_home_without_evidence_says_how_to_fill_it(tmp_path: Path) -> None:
    found = findings(tmp_path, 0)
    assert found["index"]["state"] == "warning"
    assert "dermacite ingest" in found["index"]["mend"]


def with_schema(home: Path, schema: str) -> None:
    with closing(sqlite3.connect(home / "registry.sqlite3")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (schema,))
        connection.commit()


def test_an_older_schema_is_told_before_anything_changes_it(home: Path) -> None:
    with_schema(home, "0003")
    found = findings(home, 0)
    assert (found["registry"]["state"], "index" in found) == ("warning", False)
    assert "copy the home folder" in found["registry"]["mend"]
    assert Registry.schema_in(home) == "0003"


def test_a_newer_schema_is_refused_by_everything(home: Path) -> None:
    with_schema(home, "9999")
    assert findings(home, 1)["registry"]["mend"] == "serve it with the version that wrote it"
    refused = CliRunner().invoke(main, ["--home", str(home), "documents", "list"], catch_exceptions=False)
    assert refused.exit_code == 1
    assert "a newer version wrote the registry (schema 9999" in refused.output


def test_a_registry_that_is_none_is_an_error(home: Path) -> None:
    for file in home.glob("registry.sqlite3*"):
        file.write_bytes(b"not a database" * 100)
    assert "cannot be read" in findings(home, 1)["registry"]["detail"]


def test_evidence_without_an_index_is_an_error(home: Path) -> None:
    for link in home.glob(f"indexes/*/{CURRENT}"):
        link.unlink()
    assert findings(home, 1)["index"]["mend"] == "dermacite reindex"


def test_an_encoder_that_is_not_here_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMACITE_PASSAGES__CARD", "pubmedbert")
    found = findings(home, 1)
    assert "pubmedbert" in found["encoders"]["detail"]
    assert "index" not in found


@pytest.mark.parametrize(("free", "state", "code"), [(10**12, "ok", 0), (10**9, "warning", 0), (10**8, "error", 1)])
def test_a_full_disk_is_told(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str, code: int) -> None:
    monkeypatch.setattr("runtime.checking.shutil.disk_usage", lambda _: Usage(10**12, 0, free))
    assert findings(home, code)["disk"]["state"] == state


def test_a_missing_extra_is_no_error_unless_a_setting_needs_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = extras.Extra("a part", ("a_module_that_is_not_there",))
    for name in ("tracing", "ocr", "heic"):
        monkeypatch.setitem(extras.EXTRAS, name, absent)
    found = findings(home, 0)
    assert [found[f"extra {name}"]["state"] for name in ("tracing", "ocr", "heic")] == ["ok", "warning", "ok"]
    monkeypatch.setenv("DERMACITE_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert findings(home, 1)["extra tracing"]["mend"].endswith('--editable ".[tracing]"')


@pytest.fixture
def served(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DERMACITE_CLASSIFIER", "hikari-sirius")
    return home


def test_a_served_model_is_asked_for_a_real_token(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda _: (200, says("yes").body)) as url:
        monkeypatch.setenv("DERMACITE_MODELS", json.dumps({"hikari-sirius": {"url": url}}))
        assert findings(served, 0)["model: hikari-sirius"]["detail"] == "generates"
    found = findings(served, 1)["model: hikari-sirius"]
    assert (found["state"], found["mend"]) == ("error", "dermacite models command hikari-sirius")
    assert "model: hikari-sirius" not in findings(served, 0, "--no-models")


def test_a_key_that_everybody_can_read_is_told(served: Path) -> None:
    text = '[models.hikari-sirius]\nurl = "http://127.0.0.1:9/v1"\napi_key = "k-very-secret"\n'
    (served / "settings.toml").write_text(text, "utf-8")
    (served / "settings.toml").chmod(0o644)
    result = check(served, "--no-models")
    assert "warning secrets: settings.toml is readable" in result.stdout
    assert "k-very-secret" not in result.output
    (served / "settings.toml").chmod(0o600)
    assert "secrets" not in findings(served, 0, "--no-models")


# --- the door ------------------------------------------------------------------------------------------------------------


def key(home: Path, days: int = 90) -> str:
    made = CliRunner().invoke(
        main, ["--home", str(home), "keys", "create", "--name", "ann", "--role", "admin", "--days", str(days), "--json"]
    )
    return str(json.loads(made.stdout)["id"])


def test_without_keys_this_machine_is_told_what_that_means(home: Path) -> None:
    assert findings(home, 0)["door"]["detail"] == "this machine only, without keys: everybody on it may do everything"


def test_a_public_address_without_keys_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMACITE_PUBLIC_URL", "https://derm.example")
    door = findings(home, 1)["door"]
    assert "there are no keys" in door["detail"]
    assert door["mend"].startswith("dermacite keys create")
    key(home)
    door = findings(home, 0)["door"]
    assert door["detail"] == "behind https://derm.example, whose proxy must end TLS and alone reach the port; 1 keys"


def test_keys_that_end_soon_or_open_nothing_are_told(home: Path) -> None:
    ending = key(home, days=3)
    door = findings(home, 0)["door"]
    assert (door["state"], ending in door["detail"]) == ("warning", True)
    CliRunner().invoke(main, ["--home", str(home), "keys", "revoke", ending])
    assert "no key opens anything" in findings(home, 1)["door"]["detail"]
