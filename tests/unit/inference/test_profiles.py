"""Profiles and label sets: what ships is whole, and a file that contradicts itself is refused with its reason."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from inference.errors import LabelSetBroken, ProfileBroken
from inference.labels import group_of, known_diseases, names_of
from inference.labelsets import label_sets, load_label_set, read_label_set
from inference.profiles import Engine, Layout, Stage, Status, load_profile, profiles, read_profile
from inference.profiles.loading import FOLDER

HIKARI = ("subaru", "altair", "deneb", "sirius", "polaris", "vega", "rigel", "antares")


def test_the_whole_family_ships() -> None:
    expected = {f"hikari-{star}" for star in HIKARI} | {"skinspector", "qwen3-vl-8b-instruct", "qwen2.5-vl-7b-instruct"}
    assert set(profiles()) == expected


@pytest.mark.parametrize("name", profiles())
def test_a_profile_is_frozen_and_fits_its_own_limits(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.references + 1 <= profile.image_limit
    assert profile.context_needed() <= profile.context_length
    assert profile.preprocessing.longest_side == 672
    assert profile.status is Status.PRODUCTION or profile.warnings
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.references = 9  # type: ignore[misc]


@pytest.mark.parametrize("star", HIKARI)
def test_the_family_is_greedy_and_limited_by_stage(star: str) -> None:
    profile = load_profile(f"hikari-{star}")
    assert profile.decoding.temperature == 0
    limits = {Stage.GROUP: 32, Stage.DISEASE: 64, Stage.CAPTION: 256}
    assert profile.decoding.max_new_tokens == limits[profile.stage]
    assert (profile.thinking.expected, profile.thinking.prefill_empty_block) == (True, True)
    assert profile.preprocessing.tokens_per_picture == 21 * 21
    assert set(profile.engines) == set(Engine)


def test_three_references_need_more_than_the_cards_context() -> None:
    sirius = load_profile("hikari-sirius")
    assert (sirius.prompt, sirius.layout, sirius.references) == ("P0", Layout.EVALUATION, 3)
    assert sirius.context_needed() == 4 * 441 + 3 * 256 + 256 + 64
    assert 2048 < sirius.context_needed() <= sirius.context_length == 4096
    assert sirius.context_needed(0) < 2048


def test_what_samples_says_so() -> None:
    decoding = load_profile("skinspector").decoding
    assert (decoding.temperature, decoding.top_p, decoding.top_k, decoding.repeat_penalty) == (0.7, 0.95, 25, 1.0)
    assert load_profile("skinspector").context_length == 8192


def test_oracle_and_collapsed_models_warn() -> None:
    assert load_profile("hikari-antares").status is Status.COLLAPSED
    assert "collapsed" in load_profile("hikari-antares").warnings[0]
    assert load_profile("hikari-polaris").status is Status.RESEARCH
    assert "true group" in load_profile("hikari-polaris").warnings[0]


def test_the_ten_labels_have_their_groups_and_say_what_they_hold() -> None:
    ten = load_label_set("hikari-10")
    groups = [label.group for label in ten.labels]
    assert [groups.count(group) for group in load_label_set("groups-4").answers] == [6, 1, 2, 1]
    assert ten.label("squamous cell carcinoma in situ").display == "squamous cell carcinoma (incl. in situ)"
    assert "squamous cell carcinoma" in ten.label("squamous cell carcinoma in situ").aliases
    assert "basal cell carcinoma nodular" in ten.label("basal cell carcinoma").aliases
    with pytest.raises(LabelSetBroken, match="no label 'melanoma'"):
        ten.label("melanoma")


def test_both_lists_share_five_diseases() -> None:
    ten, card = (
        {label.name for label in load_label_set(name).labels} for name in ("hikari-10", "hikari-card")
    )  # fmt: skip
    assert len(ten & card) == 5
    assert len(card) == 10


def test_groups_are_numbered_from_one() -> None:
    for name, count in (("groups-4", 4), ("groups-3", 3)):
        assert [label.number for label in load_label_set(name).labels] == list(range(1, count + 1))


def test_aliases_have_one_source() -> None:
    for name in ("hikari-10", "hikari-card"):
        for label in load_label_set(name).labels:
            assert set(known_diseases()[label.name]) <= {label.name, *label.aliases}
    assert "psoriatic" in names_of("psoriasis")
    assert "psoriatic" not in known_diseases()["psoriasis"]
    assert group_of("tinea versicolor") is None


def _changed(tmp_path: Path, old: str, new: str, name: str = "hikari-sirius") -> Path:
    text = (FOLDER / f"{name}.toml").read_text("utf-8")
    assert old in text
    file = tmp_path / f"{name}.toml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    return file


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('prompt = "P0"', 'prompt = "P9"', "unknown prompt P9"),
        ('prompts = ["T1", "T2", "T3", "P0",', 'prompts = ["T1", "T2", "T3",', "P0 is not among its prompts"),
        ('prompt = "P0"', 'prompt = "P0g"', "default prompt P0g needs group"),
        ('guided_prompt = "P0g"', 'guided_prompt = "P1"', "takes nothing to guide it"),
        ('labels = "hikari-10"', 'labels = "hikari-11"', "no label set 'hikari-11'"),
        ('labels = "hikari-10"\n', "", "needs a label set"),
        ("references = 3", "references = 4", "over its image limit of 4"),
        ("context_length = 4096", "context_length = 2048", "2852 tokens are needed, context_length is 2048"),
        ('layout = "evaluation"', 'layout = "single"', "shows no references"),
        ('status = "production"', 'status = "research"', "must warn in every answer"),
        ('stage = "disease"', 'stage = "group"', "holds diseases, not groups"),
        ('stage = "disease"', 'stage = "guess"', "'guess' is not a valid Stage"),
        ('title = "HIKARI Sirius, disease with references"\n', "", "title is missing"),
        ("references = 3", "references = 3\nreference = 2", "unknown keys reference"),
        ("expected = true", "expects = true", "unexpected keyword"),
        ("[engines.vllm]", "[engines.vllm]\nflag = 1", "unknown keys of an engine: flag"),
        ("[engines.vllm]", "[engines.vlm]", "not a valid Engine"),
        ("references = 3", "references = ", "cannot be read"),
    ],
)
def test_a_contradiction_is_refused_with_its_reason(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(ProfileBroken, match=r"hikari-sirius\.toml") as refused:
        read_profile(_changed(tmp_path, old, new))
    assert reason in str(refused.value)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ProfileBroken, match="there are: hikari-altair"):
        load_profile("hikari-sol")
    with pytest.raises(LabelSetBroken, match="there are: groups-3, groups-4, hikari-10, hikari-card"):
        load_label_set("../labels")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('title = "x"\n', "labels"),
        ('title = "x"\n[[labels]]\nname = "psoriasis"\ncolour = "red"\n', "colour"),
        ('title = "x"\nnumbered = true\n[[labels]]\nname = "psoriasis"\n', "psoriasis"),
        ('title = "x"\n[[labels]]\nname = "a"\nalso = ["b"]\n[[labels]]\nname = "b"\n', "'b' is a and b"),
        ("title = ", "cannot be read"),
    ],
)
def test_a_broken_label_set_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(LabelSetBroken, match="broken") as refused:
        read_label_set(file)
    assert reason in str(refused.value)


def test_every_file_is_listed() -> None:
    assert label_sets() == ("groups-3", "groups-4", "hikari-10", "hikari-card")
    for name in profiles():
        assert tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))["title"] == load_profile(name).title
