"""The Reranker contract, on a tiny random checkpoint made here with transformers."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertTokenizer

from retrieval.encoders import encoder_card, load_reranker, load_text_encoder
from retrieval.errors import EncoderBroken, EncoderMissing
from retrieval.protocols import Reranker

BGE = encoder_card("bge-reranker-v2-m3")
TINY = replace(BGE, name="tiny-reranker", model="somebody/tiny-reranker", max_tokens=32)
VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] psoriasis melanoma plaques with silvery scale of the back nevus".split()
TEXTS = ["plaques with silvery scale", "melanoma of the back", "nevus"]


def write_checkpoint(folder: Path, labels: int = 1) -> Path:
    """A BERT of one small layer with a head of `labels` outputs."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, initializer_range=1.0,
    )  # fmt: skip
    config.num_labels = labels
    models: Any = AutoModelForSequenceClassification
    models.from_config(config).save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("reranker") / "tiny")


@pytest.fixture(scope="module")
def reranker(folder: Path) -> Reranker:
    return load_reranker(TINY, folder)


def test_a_score_per_text_between_0_and_1(reranker: Reranker) -> None:
    scores = reranker.score("psoriasis", TEXTS)
    assert scores.shape == (3,)
    assert scores.dtype == np.float32
    assert ((scores > 0) & (scores < 1)).all()
    assert reranker.score("psoriasis", []).shape == (0,)


def test_scores_do_not_depend_on_the_company_or_the_order(reranker: Reranker) -> None:
    scores = reranker.score("psoriasis", TEXTS)
    assert reranker.score("psoriasis", TEXTS[::-1])[::-1] == pytest.approx(scores, abs=1e-5)
    assert reranker.score("psoriasis", TEXTS[1:2]) == pytest.approx(scores[1:2], abs=1e-5)


def test_the_query_is_read_too(reranker: Reranker) -> None:
    assert not np.allclose(reranker.score("psoriasis", TEXTS), reranker.score("melanoma", TEXTS))


def test_a_long_text_is_cut_and_scored(reranker: Reranker) -> None:
    assert reranker.score("psoriasis", ["scale " * 500]).shape == (1,)


def test_the_score_is_the_sigmoid_of_the_model_s_logit(reranker: Reranker, folder: Path) -> None:
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(folder)("psoriasis", TEXTS[0], return_tensors="pt")
    model.eval()
    with torch.inference_mode():
        expected = torch.sigmoid(model(**tokens).logits)[0].item()
    assert reranker.score("psoriasis", TEXTS[:1])[0] == pytest.approx(expected, abs=1e-5)


def test_weights_and_card_name_the_reranker(reranker: Reranker, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert load_reranker(TINY, copy).fingerprint == reranker.fingerprint
    assert load_reranker(replace(TINY, max_tokens=16), copy).fingerprint != reranker.fingerprint


def test_a_missing_model_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for missing in (None, tmp_path / "nowhere"):
        with pytest.raises(EncoderMissing, match="hf download BAAI/bge-reranker-v2-m3"):
            load_reranker(BGE, missing)


def test_a_checkpoint_without_its_head_is_broken(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "headless")
    tensors = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier")}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderBroken, match="tiny-reranker: the checkpoint lacks 2 tensors"):
        load_reranker(TINY, copy)


def test_a_classifier_of_several_labels_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(EncoderBroken, match="3 outputs found, 1 expected"):
        load_reranker(TINY, write_checkpoint(tmp_path / "three", labels=3))


def test_a_text_encoder_is_no_reranker_and_the_reverse(folder: Path) -> None:
    with pytest.raises(EncoderBroken, match="does not rerank"):
        load_reranker(encoder_card("minilm"))
    with pytest.raises(EncoderBroken, match="does not encode texts"):
        load_text_encoder(TINY, folder)
