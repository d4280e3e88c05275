"""The vectors of a text's tokens in context, for measures that compare texts word by word."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from retrieval.types import Vectors

BATCH = 8  # texts, as of the text encoders

disable_progress_bar()  # type: ignore[no-untyped-call] # a command line's output is the answer


def token_vectors(folder: Path) -> Callable[[Sequence[str]], list[Vectors]]:
    """Texts -> per text [tokens, dimension] float32, rows L2-normalised: the last layer, without start and end tokens.

    A text longer than the model reads is cut. Nothing is downloaded. Raises what transformers raises for a damaged folder.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)  # type: ignore[no-untyped-call]
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    longest = model.config.max_position_embeddings

    def encode(texts: Sequence[str]) -> list[Vectors]:
        found: list[Vectors] = []
        for start in range(0, len(texts), BATCH):
            found += _of_batch(list(texts[start : start + BATCH]))
        return found

    def _of_batch(texts: list[str]) -> list[Vectors]:
        read = tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=longest,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        # Padding is marked as special too, so one mask leaves out all that is no word.
        words = read.pop("special_tokens_mask") == 0
        with torch.inference_mode():
            vectors = torch.nn.functional.normalize(model(**read).last_hidden_state, dim=-1)
        return [np.asarray(one[mask].numpy(), dtype=np.float32) for one, mask in zip(vectors, words, strict=True)]

    return encode
