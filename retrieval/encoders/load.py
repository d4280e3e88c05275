"""From a card to a working encoder. One table says which loader serves which card."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.encoders.weights import Weights, locate
from retrieval.errors import EncoderBroken, EncoderMissing, RetrievalError
from retrieval.protocols import ImageEncoder, Reranker, TextEncoder
from retrieval.types import EncoderCard, Vectors


def load_text_encoder(card: EncoderCard, folder: Path | None = None, device: str = "cpu") -> TextEncoder:
    """A text encoder on a device as torch names it. Raises EncoderMissing or EncoderBroken."""
    weights = locate(card, folder)
    match card.loader:
        case "sentence-transformers" | "plain-transformer":
            from retrieval.encoders.sentence_transformer import PairedEncoder, SentenceTransformerEncoder

            with _loading(card):
                documents = SentenceTransformerEncoder(card, weights, device)
                if weights.query_path is None:
                    return documents
                queries = SentenceTransformerEncoder(card, Weights(weights.query_path, weights.fingerprint), device)
                return PairedEncoder(documents, queries)
        case "open-clip":
            from retrieval.encoders.open_clip_pair import OpenClipEncoder

            with _loading(card):
                return OpenClipEncoder(card, weights, device)
        case _:
            raise EncoderBroken(f"encoder {card.name} does not encode texts; choose another for this purpose")


def load_image_encoder(card: EncoderCard, folder: Path | None = None, device: str = "cpu") -> ImageEncoder:
    """A picture encoder on a device as torch names it. Raises EncoderMissing or EncoderBroken."""
    weights = locate(card, folder)
    match card.loader:
        case "efficientnet-lite0":
            from retrieval.encoders.efficientnet_lite0 import EfficientNetLite0Encoder

            with _loading(card):
                return EfficientNetLite0Encoder(card, weights, device)
        case "open-clip":
            from retrieval.encoders.open_clip_pair import OpenClipEncoder

            with _loading(card):
                return OpenClipEncoder(card, weights, device)
        case _:
            raise EncoderBroken(f"encoder {card.name} does not encode pictures; choose another for this purpose")


def load_reranker(card: EncoderCard, folder: Path | None = None) -> Reranker:
    """A reranker. Raises EncoderMissing or EncoderBroken."""
    weights = locate(card, folder)
    if card.loader != "cross-encoder":
        raise EncoderBroken(f"encoder {card.name} does not rerank; choose another for this purpose")
    from retrieval.encoders.cross_encoder import CrossEncoderReranker

    with _loading(card):
        return CrossEncoderReranker(card, weights)


def load_token_vectors(folder: Path) -> Callable[[Sequence[str]], Sequence[tuple[Vectors, NDArray[np.bool_]]]]:
    """The model in `folder`, as transformers saves it: see token_vectors. Raises EncoderMissing or EncoderBroken."""
    if not (folder / "config.json").is_file():
        raise EncoderMissing(
            "the folder of the model that compares tokens holds no config.json: name the model's own folder"
        )
    from retrieval.encoders.token_vectors import token_vectors

    try:
        return token_vectors(folder)
    except Exception as error:
        raise EncoderBroken(
            f"the model that compares tokens cannot be loaded ({type(error).__name__}); get its files again"
        ) from error


def use_threads(count: int) -> None:
    """Let torch compute with so many threads in this process, before anything is encoded in it."""
    import torch

    torch.set_num_threads(count)


@contextmanager
def quick_loading() -> Iterator[None]:
    """Import and load without the garbage collector, which takes a sixth of the time and finds nothing to free.

    What was loaded stays for the life of the process, so the collector never has to look at it again either.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def _loading(card: EncoderCard) -> Iterator[None]:
    """The libraries raise whatever they meet in a damaged file (KeyError, OSError, errors of their own)."""
    try:
        yield
    except RetrievalError:
        raise
    except Exception as error:
        raise EncoderBroken(
            f"the files of encoder {card.name} cannot be loaded ({type(error).__name__}); get them again"
        ) from error
