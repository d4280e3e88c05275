"""Picture and text encoders in one space (SigLIP, CLIP), from a folder in open_clip's own format."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import Normalize, Resize

from retrieval.encoders.weights import Weights
from retrieval.errors import EncoderBroken, EncoderMissing
from retrieval.types import EncoderCard, Vectors

BATCH = 16
CONFIG_FILE = "open_clip_config.json"


class OpenClipEncoder:
    """Serves as ImageEncoder and as TextEncoder."""

    def __init__(self, card: EncoderCard, weights: Weights, device: str = "cpu") -> None:
        self.card = card
        self._device = device
        self.fingerprint = weights.fingerprint
        _check_folder(card, weights.path)
        name = f"local-dir:{weights.path}"
        # Not create_model: that one answers with random weights when the file is missing.
        self._model, self._prepare = open_clip.create_model_from_pretrained(name, device=device)
        self._model.eval()
        self._tokenizer = open_clip.get_tokenizer(name)
        # Its own tokenizer: truncation and padding are state of it, and a thread that counts would disturb one that encodes.
        self._counter: Any = copy.deepcopy(getattr(self._tokenizer, "tokenizer", None))
        self._check_preprocessing()
        self._check_texts()

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """See ImageEncoder."""
        parts = [self._images(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return self._joined(parts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """See TextEncoder."""
        parts = [self._texts(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        return self._joined(parts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """See TextEncoder."""
        return self.encode_documents([self.card.query_prefix + text for text in texts])

    def count_tokens(self, text: str) -> int:
        """See TextEncoder. Counted before open_clip cuts and pads to its context length."""
        if isinstance(self._tokenizer, open_clip.SimpleTokenizer):
            return len(self._tokenizer.encode(text)) + 2  # start and end of text
        return len(self._counter.encode(self._tokenizer.clean_fn(text), truncation=False, verbose=False))

    def _images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        pixels = torch.stack([self._prepare(Image.fromarray(image)) for image in images]).to(self._device)
        with torch.inference_mode():
            return np.asarray(self._model.encode_image(pixels, normalize=True).float().cpu().numpy(), dtype=np.float32)

    def _texts(self, texts: Sequence[str]) -> Vectors:
        with torch.inference_mode():
            vectors = self._model.encode_text(self._tokenizer(list(texts)).to(self._device), normalize=True)
            return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)

    def _joined(self, parts: list[Vectors]) -> Vectors:
        if not parts:
            return np.zeros((0, self.card.dimension), dtype=np.float32)
        vectors = np.concatenate(parts)
        if vectors.shape[1] != self.card.dimension:
            raise EncoderBroken(
                f"encoder {self.card.name}: {vectors.shape[1]} dimensions found, {self.card.dimension} expected"
            )
        return vectors

    def _check_texts(self) -> None:
        # Also finds a wrong dimension before anything is indexed. Without its vocabulary a tokenizer still loads.
        one, other = self.encode_documents(["psoriasis", "melanoma"])
        if np.array_equal(one, other):
            raise EncoderBroken(
                f"encoder {self.card.name} cannot tell two words apart; its tokenizer files are missing"
            )

    def _check_preprocessing(self) -> None:
        # A wrong mean, spread or crop changes every vector and raises nothing.
        steps = list(getattr(self._prepare, "transforms", []))
        found = [
            (tuple(map(float, step.mean)), tuple(map(float, step.std))) for step in steps if isinstance(step, Normalize)
        ]
        sizes = [step.size for step in steps if isinstance(step, Resize)]
        side = self.card.side
        if found != [(self.card.mean, self.card.std)] or sizes not in ([(side, side)], [[side, side]], [side]):
            raise EncoderBroken(
                f"encoder {self.card.name}: preprocessing mean and std {found} size {sizes} found, "
                f"{(self.card.mean, self.card.std)} size {side} expected. Use the model folder with its own {CONFIG_FILE}."
            )


def _check_folder(card: EncoderCard, folder: Path) -> None:
    if not (folder / CONFIG_FILE).is_file():
        raise EncoderMissing(
            f"the folder of encoder {card.name} holds no {CONFIG_FILE}; it must be in open_clip's format: "
            f"hf download {card.model}"
        )
