"""The vectors of a text's tokens in context, for measures that compare texts word by word."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from retrieval.types import Vectors

BATCH = 8  # texts, as of the text encoders

disable_progress_bar()  # type: ignore[no-untyped-call] # a command line's output is the answer

Tokens = tuple[Vectors, NDArray[np.bool_]]


def token_vectors(folder: Path) -> Callable[[Sequence[str]], list[Tokens]]:
    """Texts -> per text the last layer, [tokens, dimension] float32 with rows L2-normalised, and which [tokens] are words.

    The others are those that the model puts at the start and the end. A text longer than the model reads is
    cut. Nothing is downloaded. Raises what transformers raises for a damaged folder.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    longest = model.config.max_position_embeddings

    def encode(texts: Sequence[str]) -> list[Tokens]:
        found: list[Tokens] = []
        for start in range(0, len(texts), BATCH):
            found += _of_batch(list(texts[start : start + BATCH]))
        return found

    def _of_batch(texts: list[str]) -> list[Tokens]:
        read = tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=longest,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        words = (read.pop("special_tokens_mask") == 0).numpy()
        there = (read["attention_mask"] == 1).numpy()
        with torch.inference_mode():
            vectors = torch.nn.functional.normalize(model(**read).last_hidden_state, dim=-1)
        found = np.asarray(vectors.numpy(), dtype=np.float32)
        return [(one[mask], word[mask]) for one, word, mask in zip(found, words, there, strict=True)]

    return encode
