"""Presets: every one names encoders that are known, and says what it stands for."""

import pytest

from retrieval.encoders import encoder_card
from retrieval.errors import EncoderMissing
from retrieval.presets import Preset, preset, presets, share_a_space


@pytest.mark.parametrize("one", presets().values(), ids=lambda one: one.name)
def test_every_preset_names_known_encoders_of_the_right_kind(one: Preset) -> None:
    if one.pictures is not None:
        assert "image" in encoder_card(one.pictures).kind
    for text in filter(None, (one.captions, one.passages)):
        assert "text" in encoder_card(text).kind
    assert one.note


@pytest.mark.parametrize("name", ["R0", "R4"])
def test_strategy_a_compares_within_one_space(name: str) -> None:
    one = preset(name)
    assert one.strategy == "A"
    assert share_a_space(encoder_card(str(one.pictures)), encoder_card(str(one.captions)))


def test_two_models_share_no_space() -> None:
    assert not share_a_space(encoder_card("siglip-base-512"), encoder_card("bge-m3"))
    assert not share_a_space(encoder_card("nomic-vision"), encoder_card("minilm"))


def test_what_was_published_is_kept() -> None:
    assert (preset("R0").alpha, preset("R2").alpha, preset("R3").alpha) == (1.0, 0.9, 0.7)
    assert encoder_card("medcpt").query_model == "ncbi/MedCPT-Query-Encoder"
    assert encoder_card("nomic-text").query_prefix == "search_query: "


def test_only_what_a_preset_names_is_a_value() -> None:
    assert preset("S").values() == {"passages": {"card": "pubmedbert"}}
    assert preset("R1").values() == {
        "pictures": {"card": "clip-vit-b32"}, "captions": {"card": "clinicalbert"}, "strategy": "B", "alpha": 0.9,
    }  # fmt: skip


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(EncoderMissing, match=r"'R9'.*R0, R1"):
        preset("R9")
