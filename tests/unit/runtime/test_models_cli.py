"""The commands about served models, through the real command line, without a knowledge base."""

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inference.profiles import Engine, load_profile, profiles
from runtime.cli import main
from runtime.errors import RuntimeRefused
from runtime.launching import launch_command
from runtime.settings import load_settings

README = Path(__file__).parents[3] / "README.md"


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=typed)


def words_of(command: str) -> list[str]:
    """The words a shell would see, comments and exports left out."""
    lines = [line for line in command.splitlines() if not line.startswith(("#", "export "))]
    return shlex.split("\n".join(lines).replace("\\\n", " "))


def value_after(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_list_names_every_profile_with_its_status() -> None:
    plain = run("models", "list")
    assert plain.exit_code == 0
    assert [line.split()[0] for line in plain.output.splitlines()] == list(profiles())
    found = json.loads(run("models", "list", "--json").output)["profiles"]
    assert {one["name"]: one["status"] for one in found}["hikari-antares"] == "collapsed"


@pytest.mark.parametrize("name", profiles())
def test_show_says_the_same_to_people_and_programs(name: str) -> None:
    shown = run("models", "show", name)
    assert shown.exit_code == 0
    data = json.loads(run("models", "show", name, "--json").output)
    assert data["context_needed"] <= data["context_length"]
    for warning in data["warnings"]:
        assert f"! {warning}" in shown.output
    for figure in data["figures"]:
        assert figure["caveat"] in shown.output


def test_an_unknown_profile_is_a_sentence_and_a_reason() -> None:
    refused = run("models", "show", "hikari-sol", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"]["reason"] == "profile_broken"
    assert "hikari-sirius" in refused.stderr


def test_the_vllm_command_is_safe_and_large_enough() -> None:
    printed = run("models", "command", "hikari-sirius", "--engine", "vllm").output
    words = words_of(printed)
    assert words[:3] == ["vllm", "serve", "E27085921/HIKARI-Sirius-8B-SkinDx-RAG"]
    assert value_after(words, "--host") == "127.0.0.1"
    assert value_after(words, "--served-model-name") == "hikari-sirius"
    assert value_after(words, "--max-model-len") == "4096"
    assert json.loads(value_after(words, "--limit-mm-per-prompt")) == {"image": 4, "video": 0, "audio": 0}
    assert json.loads(value_after(words, "--mm-processor-kwargs"))["images_kwargs"]["size"]["longest_edge"] == 672**2
    assert value_after(words, "--allowed-media-domains") == "media.invalid"
    assert json.loads(value_after(words, "--structured-outputs-config"))["disable_any_whitespace"] is True
    assert value_after(words, "--quantization") == "bitsandbytes"
    assert "--reasoning-parser" not in words
    assert "--trust-remote-code" not in words
    assert "0.28" in printed
    assert "vllm-bnb-plugin" in printed
    assert "16 GB" in printed


@pytest.mark.parametrize(("way", "flag"), [("fp8", True), ("none", False)])
def test_the_way_to_quantise_is_a_choice(way: str, flag: bool) -> None:
    words = words_of(run("models", "command", "hikari-vega", "--quantisation", way).output)
    assert ("--quantization" in words) is flag
    assert "bitsandbytes" not in words


def test_the_sglang_command_follows_the_profile() -> None:
    words = words_of(run("models", "command", "hikari-deneb", "--engine", "sglang", "--port", "9000").output)
    assert value_after(words, "--context-length") == "4096"
    assert value_after(words, "--quantization") == "fp8"
    assert value_after(words, "--mem-fraction-static") == "0.88"
    assert (value_after(words, "--host"), value_after(words, "--port")) == ("127.0.0.1", "9000")
    assert "--disable-cuda-graph" in words


def test_the_llama_command_samples_as_the_profile_says() -> None:
    words = words_of(run("models", "command", "skinspector", "--engine", "llama.cpp").output)
    assert value_after(words, "--mmproj") == "skinspector-mmproj.gguf"
    assert value_after(words, "--ctx-size") == "8192"
    sampling = ("--temp", "--top-p", "--top-k", "--repeat-penalty")
    assert [value_after(words, flag) for flag in sampling] == ["0.7", "0.95", "25", "1"]
    given = words_of(
        run("models", "command", "skinspector", "--engine", "llama.cpp", "--weights", "a b/q4.gguf").output
    )
    assert (value_after(given, "--model"), value_after(given, "--mmproj")) == ("a b/q4.gguf", "a b/q4-mmproj.gguf")


@pytest.mark.parametrize("name", profiles())
@pytest.mark.parametrize("engine", list(Engine))
def test_every_command_listens_on_loopback_only_or_is_refused(name: str, engine: Engine) -> None:
    profile = load_profile(name)
    if engine is Engine.TRANSFORMERS or engine not in profile.engines:
        with pytest.raises(RuntimeRefused, match="is not served by"):
            launch_command(profile, engine, weights="folder")
        return
    words = [word for group in launch_command(profile, engine, weights="folder").words for word in group]
    assert value_after(words, "--host") == "127.0.0.1"
    assert str(profile.context_length) in words


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["skinspector", "--engine", "vllm"], "engines: llama.cpp"),
        (["hikari-vega", "--quantisation", "int2"], "there are: bitsandbytes, fp8, none"),
    ],
)
def test_what_cannot_be_served_is_refused(arguments: list[str], reason: str) -> None:
    refused = run("models", "command", *arguments)
    assert refused.exit_code == 1
    assert reason in refused.stderr


def test_answers_are_parsed_line_by_line() -> None:
    lines = [
        "psoriasis",
        json.dumps("</think>\n\nThis image shows melanocytic nevi."),
        "",
        '"Melanoma',
        "Melanoma",
        '"a" "b"',
        "thinking\\npsoriasis",
    ]
    result = run("labels", "parse", "--profile", "hikari-sirius", typed="\n".join(lines) + "\n")
    assert result.exit_code == 0
    parsed = [json.loads(line) for line in result.output.splitlines()]
    assert [one["label"] for one in parsed] == ["psoriasis", "melanocytic nevi", None, None, None, None, None]
    assert [one["method"] for one in parsed[2:5]] == ["empty", "outside_set", "outside_set"]
    assert parsed[0] == {"label": "psoriasis", "method": "exact", "score": 1.0}


def test_groups_are_parsed_with_the_group_profile() -> None:
    result = run("labels", "parse", "--profile", "hikari-subaru", typed="3\n")
    assert json.loads(result.output)["label"] == "3. Malignant Skin Tumors"


def test_a_profile_without_labels_cannot_parse_them() -> None:
    refused = run("labels", "parse", "--profile", "hikari-vega", typed="psoriasis\n")
    assert refused.exit_code == 1
    assert "hikari-sirius" in refused.stderr


def test_help_says_how_answers_of_several_lines_are_written() -> None:
    assert "JSON string" in run("labels", "parse", "--help").output


def test_a_model_can_take_a_share_of_the_card() -> None:
    words = words_of(run("models", "command", "hikari-sirius", "--memory", "0.55").output)
    assert value_after(words, "--gpu-memory-utilization") == "0.55"
    assert words.count("--gpu-memory-utilization") == 1
    words = words_of(run("models", "command", "hikari-vega", "--engine", "sglang", "--memory", "0.4").output)
    assert value_after(words, "--mem-fraction-static") == "0.4"
    refused = run("models", "command", "hikari-vega", "--engine", "llama.cpp", "--memory", "0.4")
    assert refused.exit_code == 1
    assert "leave --memory out" in refused.output


@pytest.mark.parametrize("engine", ["vllm", "sglang", "llama.cpp"])
def test_replicas_are_commands_on_ports_and_cards_of_their_own_and_a_setting_that_reaches_them(
    engine: str, tmp_path: Path
) -> None:
    printed = run("models", "command", "hikari-vega", "--engine", engine, "--port", "9000", "--replicas", "3").output
    words = words_of(printed)
    assert [word for word in words if word.startswith("CUDA_VISIBLE_DEVICES")] == [
        f"CUDA_VISIBLE_DEVICES={card}" for card in range(3)
    ]
    ports = [words[at + 1] for at, word in enumerate(words) if word == "--port"]
    assert ports == ["9000", "9001", "9002"]
    one = words_of(run("models", "command", "hikari-vega", "--engine", engine, "--port", "9001").output)
    second = words[words.index("CUDA_VISIBLE_DEVICES=1") + 1 : words.index("CUDA_VISIBLE_DEVICES=2")]
    assert second == one
    assert "CUDA_VISIBLE_DEVICES" not in " ".join(one)
    setting = "\n".join(line.removeprefix("#     ") for line in printed.splitlines() if line.startswith("#     "))
    (tmp_path / "settings.toml").write_text(setting, "utf-8")
    choice = load_settings(tmp_path).models["hikari-vega"]
    assert choice.addresses == tuple(f"http://127.0.0.1:{port}/v1" for port in ports)


def test_ports_that_do_not_exist_are_refused() -> None:
    refused = run("models", "command", "hikari-vega", "--port", "65534", "--replicas", "3")
    assert refused.exit_code == 1
    assert "lower --port" in refused.stderr
    assert run("models", "command", "hikari-vega", "--port", "65534", "--replicas", "2").exit_code == 0


def test_the_readme_shows_what_the_commands_print() -> None:
    readme = README.read_text("utf-8")
    asked = [
        line.split()[3:]
        for line in readme.splitlines()
        if line.startswith("dermacite models command hikari-") and "/srv" in line
    ]
    assert len(asked) == 4
    for arguments in asked:
        printed = run("models", "command", *arguments).output
        assert "\n".join(line for line in printed.splitlines() if not line.startswith("#")) in readme
