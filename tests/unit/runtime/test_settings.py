"""Settings: which source wins, what is refused and how, and that the document says it all."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

import runtime
from retrieval.encoders import encoder_card
from retrieval.presets import presets
from runtime.cli import main
from runtime.errors import SettingsRefused
from runtime.model_choice import ModelChoice
from runtime.models import served_models
from runtime.settings import (
    CONFIGURATIONS,
    SETTINGS_FILE,
    EncoderChoice,
    Settings,
    default_home,
    load_settings,
)

DOCUMENT = Path(runtime.__file__).parent.parent / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("DERMACITE_"):
            monkeypatch.delenv(name)


def write(home: Path, text: str) -> Path:
    (home / SETTINGS_FILE).write_text(text, "utf-8")
    return home


# --- which source wins -------------------------------------------------------------------------------------------------


def test_without_anything_said_the_embedded_configuration_is_in_force(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert (settings.configuration, settings.alpha) == ("embedded", 0.7)
    assert (settings.classifier, settings.reporter) == ("exemplar", "extractive")
    assert (settings.pictures.card, settings.captions.card, settings.passages.card) == (
        "efficientnet-lite0", "minilm", "minilm",
    )  # fmt: skip


def test_the_clinical_configuration_has_its_own_parts(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, configuration="clinical")
    assert (settings.configuration, settings.alpha) == ("clinical", 0.9)
    assert (settings.classifier, settings.reporter) == ("hikari-sirius", "hikari-vega")
    assert (settings.pictures.card, settings.captions.card, settings.passages.card) == (
        "siglip-base-512", "bge-m3", "pubmedbert",
    )  # fmt: skip
    assert (settings.shown_cases, settings.pdf_pages) == (5, 2_000)


def test_each_source_beats_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [load_settings(tmp_path).alpha]
    write(tmp_path, "alpha = 0.1")
    seen.append(load_settings(tmp_path).alpha)
    monkeypatch.setenv("DERMACITE_ALPHA", "0.2")
    seen.append(load_settings(tmp_path).alpha)
    seen.append(load_settings(tmp_path, alpha=0.3).alpha)
    assert seen == [0.7, 0.1, 0.2, 0.3]


def test_the_configuration_itself_follows_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'configuration = "clinical"')
    assert load_settings(tmp_path).captions.card == "bge-m3"
    monkeypatch.setenv("DERMACITE_CONFIGURATION", "embedded")
    assert load_settings(tmp_path).captions.card == "minilm"
    assert load_settings(tmp_path, configuration="clinical").captions.card == "bge-m3"


def test_a_preset_chooses_encoders_and_shares_over_the_configuration(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, 'configuration = "clinical"\npreset = "R1"'))
    assert (settings.pictures.card, settings.captions.card, settings.alpha) == ("clip-vit-b32", "clinicalbert", 0.9)
    assert (settings.passages.card, settings.classifier) == ("pubmedbert", "hikari-sirius")


def test_single_keys_beat_the_preset_and_add_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'alpha = 0.5\n[pictures]\nfolder = "/models/clip"')
    monkeypatch.setenv("DERMACITE_PRESET", "R0")
    settings = load_settings(tmp_path)
    assert (settings.strategy, settings.alpha) == ("A", 0.5)
    assert settings.pictures == EncoderChoice(card="clip-vit-b32", folder=Path("/models/clip"))


def test_the_presets_are_those_that_there_are() -> None:
    (names, _none) = get_args(Settings.model_fields["preset"].annotation)
    assert list(get_args(names)) == list(presets())


def test_an_argument_that_was_not_given_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, "alpha = 0.1")
    assert load_settings(tmp_path, alpha=None, configuration=None).alpha == 0.1


def test_one_part_of_an_encoder_can_be_set_and_the_rest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, '[pictures]\nfolder = "/models/a"')
    monkeypatch.setenv("DERMACITE_PICTURES__REVISION", "abc")
    assert load_settings(tmp_path).pictures == EncoderChoice(
        card="efficientnet-lite0", folder=Path("/models/a"), revision="abc"
    )


def test_the_working_folder_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DERMACITE_ALPHA=0.1\n")
    write(tmp_path, "alpha = 0.1")
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_settings(tmp_path / "home").alpha == 0.7


def test_settings_never_change(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(tmp_path).alpha = 0.1  # type: ignore[misc]


def test_the_home_is_named_by_the_environment_else_by_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_home().name == "dermacite"
    monkeypatch.setenv("DERMACITE_HOME", "/somewhere/else")
    assert default_home() == Path("/somewhere/else")


# --- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alhpa = 0.1", "alhpa"),
        ("alpha = 1.1", "alpha"),
        ('alpha = "much"', "alpha"),
        ("shown_cases = 21", "shown_cases"),
        ("pdf_seconds = 0", "pdf_seconds"),
        ('strategy = "C"', "strategy"),
        ('preset = "R9"', "preset"),
        ('[pictures]\ncrad = "minilm"', "pictures.crad"),
        ('pictures = "minilm"', "pictures"),
        ('configuration = "clinic"', "configuration"),
        ("configuration = [1]", "configuration"),
        ("alpha = ", SETTINGS_FILE),
        ("alpha = 0.1\nalpha = 0.2", SETTINGS_FILE),
    ],
)
def test_the_file_is_refused_with_the_key_at_fault(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsRefused, match=re.escape(named)):
        load_settings(write(tmp_path, text))


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"alpha: .*; workers: .*docs/settings\.md"):
        load_settings(write(tmp_path, "alpha = 7\nworkers = 0"))


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("DERMACITE_ALHPA", "0.1", "DERMACITE_ALHPA"),
        ("DERMACITE_PICTRUES__CARD", "minilm", "DERMACITE_PICTRUES__CARD"),
        ("DERMACITE_PICTURES__CRAD", "minilm", "pictures.crad"),
        ("DERMACITE_PICTURES", "minilm", "pictures"),
        ("DERMACITE_ALPHA", "much", "alpha"),
    ],
)
def test_the_environment_is_refused_with_the_name_at_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsRefused, match=named):
        load_settings(tmp_path)


def test_an_unknown_argument_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="alhpa"):
        load_settings(tmp_path, alhpa=0.1)


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_bytes(b'classifier = "\xff"')
    with pytest.raises(SettingsRefused, match=SETTINGS_FILE):
        load_settings(tmp_path)


# --- the document ------------------------------------------------------------------------------------------------------


def keys() -> dict[str, Any]:
    """Every key with its default, nested ones with a dot."""
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        if name == "models":
            found.update({f"{name}.NAME.{inner}": None for inner in ModelChoice.model_fields})
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found.update({f"{name}.{inner}": None for inner in field.annotation.model_fields})
        else:
            found[name] = field.default
    return found


def table() -> dict[str, list[str]]:
    """The cells of the document's table by key."""
    lines = [line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_the_document_lists_exactly_the_settings_there_are() -> None:
    assert list(table()) == list(dict.fromkeys(table())), "a key stands twice"
    assert set(table()) == set(keys())


def test_the_document_names_the_variable_of_every_setting() -> None:
    for key, cells in table().items():
        assert cells[-1] == f"`DERMACITE_{key.upper().replace('.', '__')}`"


def value_of(settings: Settings, key: str) -> Any:
    """What a key stands for; of a model that nobody has set up, what is assumed."""
    if key.startswith("models.NAME."):
        return ModelChoice.model_fields[key.removeprefix("models.NAME.")].default
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize(("name", "column"), [("embedded", 0), ("clinical", 1)])
def test_the_document_says_every_default(tmp_path: Path, name: str, column: int) -> None:
    settings = load_settings(tmp_path, configuration=name)
    for key, cells in table().items():
        value = value_of(settings, key)
        if value is None and cells[column] == "":
            assert cells[0] == "none", key
        elif key == "models.NAME.url":
            named = re.findall(r"`(http\S+)` for `(\S+)`", cells[column])
            assert {model: url for url, model in named} == {model: one.url for model, one in settings.models.items()}
        elif value is None:
            assert cells[column] in {"none", "of the card"}
        else:
            said = (cells[column] or cells[0]).strip("`")
            assert said == (f"{value:g}" if isinstance(value, float) else str(value)), key


def test_the_worked_example_is_a_settings_file_that_works(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    settings = load_settings(write(tmp_path, example))
    assert settings.configuration == "clinical"
    folders = [choice.folder for choice in (settings.pictures, settings.captions, settings.passages)]
    assert all(folder is not None and folder.is_absolute() for folder in folders)
    assert tomllib.loads(example)["pictures"]["folder"] == str(folders[0])
    models = served_models(settings, tmp_path)
    assert models.disease is not None
    assert models.report is not None
    assert [settings.models[one.profile.name].url for one in models.all] == [
        "http://gpu.example:8001/v1", "http://gpu.example:8002/v1",
    ]  # fmt: skip


def test_a_variable_of_a_model_is_read_as_the_document_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = table()["models.NAME.url"]
    monkeypatch.setenv(cells[-1].strip("`").replace("NAME", "hikari-subaru"), "http://gpu.example:8003/v1")
    assert load_settings(tmp_path).models["hikari-subaru"].url == "http://gpu.example:8003/v1"


def test_the_commands_of_the_document_are_those_that_serve_the_clinical_models() -> None:
    text = DOCUMENT.read_text("utf-8")
    for command in ("models command hikari-sirius", "models command hikari-vega --port 8002"):
        assert f"`dermacite {command}`" in text
        result = CliRunner().invoke(main, command.split())
        assert result.exit_code == 0, result.output
        port = CONFIGURATIONS["clinical"]["models"][command.split()[2]]["url"].rpartition(":")[2].removesuffix("/v1")
        assert f"--port {port}" in result.output


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_every_configuration_names_encoders_that_there_are(tmp_path: Path, name: str) -> None:
    settings = load_settings(tmp_path, configuration=name)
    assert "image" in encoder_card(settings.pictures.card).kind
    assert "text" in encoder_card(settings.captions.card).kind
    assert "text" in encoder_card(settings.passages.card).kind


def test_the_document_says_what_each_preset_stands_for() -> None:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.read_text("utf-8").splitlines()]
    said = {cells[0]: cells[1:] for cells in lines if cells[0] in presets()}
    parts = ("pictures", "captions", "passages", "strategy", "alpha")
    for name, one in presets().items():
        values = [getattr(one, part) for part in parts]
        assert said[name] == ["" if one is None else f"{one:g}" if isinstance(one, float) else one for one in values]
