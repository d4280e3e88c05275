"""What keeps an encoder from being loaded, and what names it: never random weights, never a foreign exception."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from retrieval.encoders import Weights, encoder_card, encoder_cards, load_image_encoder, load_text_encoder, locate
from retrieval.encoders.efficientnet_lite0 import EfficientNetLite0Encoder
from retrieval.errors import EncoderBroken, EncoderMissing
from retrieval.types import EncoderCard, Vectors
from tests.fakes import unit

MINILM = encoder_card("minilm")
EFFICIENTNET = encoder_card("efficientnet-lite0")
TINY = EncoderCard(
    "tiny-siglip", "image+text", "open-clip", "somebody/tiny-siglip", 24, "CC0-1.0",
    max_tokens=16, side=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
)  # fmt: skip


@pytest.fixture
def minilm_copy(tmp_path: Path) -> Path:
    return shutil.copytree(locate(MINILM).path, tmp_path / "minilm")


@pytest.fixture
def siglip_copy(siglip_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(siglip_folder, tmp_path / "siglip")


def lose_a_tensor(file: Path) -> None:
    tensors = load_file(file)
    tensors.pop(sorted(name for name in tensors if name.endswith("weight"))[0])
    save_file(tensors, file, metadata={"format": "pt"})


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1_000])


def hold_others(file: Path) -> None:
    save_file({"somebody.else": torch.zeros(3)}, file, metadata={"format": "pt"})


# --- not there -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("card", [MINILM, TINY], ids=lambda card: card.name)
def test_a_configured_folder_that_is_not_there_is_named_with_the_command(card: EncoderCard, tmp_path: Path) -> None:
    with pytest.raises(EncoderMissing, match=f"hf download {card.model}"):
        load_text_encoder(card, tmp_path / "nowhere")


def test_a_model_that_was_never_downloaded_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    command = "hf download BAAI/bge-m3 --revision 5617a9f61b028005a4858fdac845db406aefb181"
    with pytest.raises(EncoderMissing, match=command):
        load_text_encoder(encoder_card("bge-m3"))


def test_an_open_clip_folder_without_its_configuration_is_missing(siglip_copy: Path) -> None:
    (siglip_copy / "open_clip_config.json").unlink()
    with pytest.raises(EncoderMissing, match="hf download somebody/tiny-siglip"):
        load_image_encoder(TINY, siglip_copy)


def test_a_package_that_is_not_installed_is_missing() -> None:
    with pytest.raises(EncoderMissing, match="no_such_package"):
        locate(replace(MINILM, package="no_such_package/model"))


def test_an_unknown_card_is_missing_and_the_known_ones_are_named() -> None:
    with pytest.raises(EncoderMissing, match=r"'resnet'.*minilm"):
        encoder_card("resnet")


def test_a_picture_encoder_encodes_no_texts_and_the_reverse() -> None:
    with pytest.raises(EncoderBroken, match="does not encode texts"):
        load_text_encoder(EFFICIENTNET)
    with pytest.raises(EncoderBroken, match="does not encode pictures"):
        load_image_encoder(MINILM)


# --- there, but not what the card says -----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [lose_a_tensor, cut_short, hold_others, Path.unlink])
def test_minilm_with_other_weights_is_broken(damage: Callable[[Path], None], minilm_copy: Path) -> None:
    damage(minilm_copy / "model.safetensors")
    with pytest.raises(EncoderBroken, match="minilm"):
        load_text_encoder(MINILM, minilm_copy)


@pytest.mark.parametrize("damage", [lose_a_tensor, cut_short, hold_others, Path.unlink])
def test_open_clip_with_other_weights_is_broken(damage: Callable[[Path], None], siglip_copy: Path) -> None:
    damage(siglip_copy / "open_clip_model.safetensors")
    with pytest.raises(EncoderBroken, match="tiny-siglip"):
        load_image_encoder(TINY, siglip_copy)


def test_a_text_encoder_without_its_vocabulary_is_broken(minilm_copy: Path) -> None:
    for name in ("tokenizer.json", "vocab.txt"):
        (minilm_copy / name).unlink()
    with pytest.raises(EncoderBroken, match="minilm"):
        load_text_encoder(MINILM, minilm_copy)


def test_efficientnet_with_other_tensors_is_broken(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    with pytest.raises(EncoderBroken, match="do not fit"):
        EfficientNetLite0Encoder(EFFICIENTNET, Weights(tmp_path / "other.pth", "0"))


def test_a_wrong_dimension_is_broken_before_anything_is_encoded(siglip_folder: Path) -> None:
    with pytest.raises(EncoderBroken, match="384 dimensions found, 768 expected"):
        load_text_encoder(replace(MINILM, dimension=768))
    with pytest.raises(EncoderBroken, match="24 dimensions found, 768 expected"):
        load_image_encoder(replace(TINY, dimension=768), siglip_folder)


def test_another_pooling_than_the_checkpoint_s_is_broken() -> None:
    with pytest.raises(EncoderBroken, match="'cls' expected"):
        load_text_encoder(replace(MINILM, pooling="cls"))


def test_another_mean_than_the_card_s_is_broken(siglip_copy: Path) -> None:
    file = siglip_copy / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["preprocess_cfg"]["mean"] = [0.481, 0.458, 0.408]
    file.write_text(json.dumps(config))
    with pytest.raises(EncoderBroken, match="preprocessing mean"):
        load_image_encoder(TINY, siglip_copy)


def test_another_spread_than_the_card_s_is_broken(siglip_copy: Path) -> None:
    file = siglip_copy / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["preprocess_cfg"]["std"] = [0.26, 0.26, 0.27]
    file.write_text(json.dumps(config))
    with pytest.raises(EncoderBroken, match="preprocessing"):
        load_image_encoder(TINY, siglip_copy)


def test_another_side_than_the_card_s_is_broken(siglip_folder: Path) -> None:
    with pytest.raises(EncoderBroken, match="size 64 expected"):
        load_image_encoder(replace(TINY, side=64), siglip_folder)


# --- the fingerprint -----------------------------------------------------------------------------------------------


def folder_with(path: Path, **files: str) -> Path:
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def fingerprint(card: EncoderCard, folder: Path) -> str:
    return locate(card, folder).fingerprint


def test_the_fingerprint_is_stable_and_does_not_depend_on_the_place(tmp_path: Path) -> None:
    one = fingerprint(TINY, folder_with(tmp_path / "one", weights="w", config="c"))
    other = fingerprint(TINY, folder_with(tmp_path / "else" / "where", config="c", weights="w"))
    assert one == other == fingerprint(TINY, tmp_path / "one")
    assert len(one) == 16


@pytest.mark.parametrize("files", [{"weights": "v"}, {"renamed": "w"}, {"weights": "w", "more": ""}], ids=str)
def test_the_fingerprint_changes_with_the_bytes_and_names_of_the_files(files: dict[str, str], tmp_path: Path) -> None:
    known = fingerprint(TINY, folder_with(tmp_path / "known", weights="w"))
    assert fingerprint(TINY, folder_with(tmp_path / "changed", **files)) != known


@pytest.mark.parametrize(
    "changed",
    [{"query_prefix": "query: "}, {"pooling": "cls"}, {"mean": (0.4, 0.4, 0.4)}, {"dimension": 25}, {"revision": "ab"}],
    ids=str,
)
def test_the_fingerprint_changes_with_each_field_of_the_card(changed: dict[str, str], tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", weights="w")
    assert fingerprint(replace(TINY, **changed), folder) != fingerprint(TINY, folder)  # type: ignore[arg-type]


def test_notes_that_a_download_leaves_in_hidden_folders_do_not_change_the_fingerprint(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "model", weights="w")
    known = fingerprint(TINY, folder)
    folder_with(folder / ".cache" / "huggingface", **{"weights.metadata": "2026-11-22"})
    assert fingerprint(TINY, folder) == known


def test_the_embedded_encoders_have_different_fingerprints() -> None:
    assert locate(MINILM).fingerprint != locate(EFFICIENTNET).fingerprint


def test_every_card_says_what_identifies_it() -> None:
    available = [card for card in encoder_cards().values() if card.unavailable is None]
    assert {card.loader for card in available} == {
        "sentence-transformers", "plain-transformer", "efficientnet-lite0", "open-clip",
        "cross-encoder",
    }  # fmt: skip
    assert all(card.licence and card.dimension > 0 and card.training_overlap for card in encoder_cards().values())
    assert all(len(card.mean) == len(card.std) == 3 for card in encoder_cards().values() if card.side)


def test_fields_that_came_later_leave_the_fingerprints_of_old_indexes_alone() -> None:
    # As in homes made before these fields: a changed fingerprint would refuse their indexes.
    assert locate(MINILM).fingerprint == "ec2d8226754010f9"
    assert locate(EFFICIENTNET).fingerprint == "2d3c11a199ef6f02"


# --- plain checkpoints and pairs -----------------------------------------------------------------------------------

PLAIN = EncoderCard(
    "tiny-bert", "text", "plain-transformer", "somebody/tiny-bert", 16, "CC0-1.0", max_tokens=32, pooling="cls"
)
PAIR = replace(PLAIN, name="tiny-pair", query_model="somebody/tiny-queries")


def write_bert(folder: Path, seed: int) -> Path:
    """A random BERT of 16 dimensions without a word on pooling, with MiniLM's tokenizer."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=30_522,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,  # at the default a first token of one random layer hardly sees the others
    )
    BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(locate(MINILM).path / name, folder / name)
    return folder


def first_token(folder: Path, text: str) -> Vectors:
    """By transformers alone: the state of the first token, scaled to length 1."""
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
        state = model(**inputs).last_hidden_state[:, 0].numpy()
    return unit(state)


def test_a_plain_checkpoint_is_pooled_as_the_card_says(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert", 0)
    encoder = load_text_encoder(PLAIN, folder)
    text = "scaly plaque on the elbow"
    assert encoder.encode_documents([text]) == pytest.approx(first_token(folder, text), abs=1e-5)
    mean = load_text_encoder(replace(PLAIN, pooling="mean"), folder)
    assert mean.encode_documents([text]) != pytest.approx(first_token(folder, text), abs=1e-3)


def test_a_pair_encodes_queries_and_documents_by_its_own_checkpoints(tmp_path: Path) -> None:
    documents = write_bert(tmp_path / "pair" / "documents", 0)
    queries = write_bert(tmp_path / "pair" / "queries", 1)
    encoder = load_text_encoder(PAIR, tmp_path / "pair")
    assert encoder.encode_documents(["plaque"]) == pytest.approx(first_token(documents, "plaque"), abs=1e-5)
    assert encoder.encode_queries(["plaque"]) == pytest.approx(first_token(queries, "plaque"), abs=1e-5)
    assert encoder.count_tokens("plaque") == load_text_encoder(PLAIN, documents).count_tokens("plaque")
    assert encoder.fingerprint == locate(PAIR, tmp_path / "pair").fingerprint


def test_both_checkpoints_of_a_pair_name_it(tmp_path: Path) -> None:
    folder_with(tmp_path / "documents", weights="d")
    folder_with(tmp_path / "queries", weights="q")
    known = fingerprint(PAIR, tmp_path)
    (tmp_path / "queries" / "weights").write_text("other")
    assert fingerprint(PAIR, tmp_path) != known


def test_half_a_pair_is_missing_and_both_are_named(tmp_path: Path) -> None:
    write_bert(tmp_path / "documents", 0)
    with pytest.raises(EncoderMissing, match=r"queries/ \(somebody/tiny-queries\).*hf download somebody/tiny-bert"):
        load_text_encoder(PAIR, tmp_path)


@pytest.mark.parametrize("name", ["jina-clip-v2", "nomic-vision", "nomic-text"])
def test_what_cannot_be_loaded_yet_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    card = encoder_card(name)
    with pytest.raises(EncoderMissing, match=f"{name} cannot be loaded by this version: .* code of its own"):
        locate(card, tmp_path)
