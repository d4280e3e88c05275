"""Text encoders that sentence-transformers can run, from a local folder."""

import copy
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from sentence_transformers.util import batch_to_device
from threadpoolctl import threadpool_limits
from transformers.utils.logging import disable_progress_bar

from retrieval.encoders.weights import Weights
from retrieval.errors import EncoderBroken
from retrieval.types import EncoderCard, Vectors

BATCH = 8  # texts of one length cost least: on a processor 32 is no faster a token, and pads a fifth more
# Two batches side by side, each with half of the threads, wait for each other less than all threads within one batch do:
# a fifth more texts a second, and more where a parser wants a core meanwhile.
STREAMS = 2
PIECE = 2 * BATCH  # texts a stream takes at once
SAME = 0.9999  # cosine above which two vectors are one and the same

# They log a line and draw a bar per load; a command line's output is the answer.
disable_progress_bar()  # type: ignore[no-untyped-call]
logging.getLogger("sentence_transformers").setLevel(logging.WARNING)


class SentenceTransformerEncoder:
    """Always normalises: a plain BERT folder would otherwise give unnormalised vectors without a word."""

    def __init__(self, card: EncoderCard, weights: Weights, device: str = "cpu") -> None:
        self.card = card
        self.fingerprint = weights.fingerprint
        self._model = _model(card, weights.path, device).eval()
        # Its own tokenizer: truncation and padding are state of it, and a thread that counts would disturb one that encodes.
        self._counter = copy.deepcopy(self._model.tokenizer)
        self._check()
        self._check_weights()
        self._check_tokenizer()

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """See TextEncoder."""
        return self._encode([self.card.document_prefix + text for text in texts])

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """See TextEncoder."""
        return self._encode([self.card.query_prefix + text for text in texts])

    def count_tokens(self, text: str) -> int:
        """See TextEncoder."""
        return len(self._counter.encode(text, truncation=False, verbose=False))

    def _encode(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.card.dimension), dtype=np.float32)
        if len(texts) <= PIECE:
            return self._encode_piece(texts)
        order = np.argsort([len(text) for text in texts], kind="stable")
        # The same pieces however many threads there are: their company shows in the last bits of vectors.
        pieces = [order[start : start + PIECE] for start in range(0, len(order), PIECE)]
        inputs = ([texts[at] for at in piece] for piece in pieces)
        one_stream = torch.get_num_threads() < STREAMS or self._model.device.type != "cpu"
        encoded = map(self._encode_piece, inputs) if one_stream else _streams().map(self._encode_piece, inputs)
        vectors = np.empty((len(texts), self.card.dimension), dtype=np.float32)
        for piece, found in zip(pieces, encoded, strict=True):
            vectors[piece] = found
        return vectors

    def _encode_piece(self, texts: list[str]) -> Vectors:
        # Not the model's own `encode`: before each call that walks through all modules, a third of the time of a question.
        batches = (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))
        with torch.inference_mode():
            inputs = (batch_to_device(self._model.preprocess(batch), self._model.device) for batch in batches)
            pooled = [self._model(one)["sentence_embedding"] for one in inputs]
            vectors: Vectors = torch.nn.functional.normalize(torch.cat(pooled), dim=1).cpu().numpy()
        return vectors

    def _check(self) -> None:
        dimension = self._model.get_embedding_dimension()
        if dimension != self.card.dimension:
            raise EncoderBroken(
                f"encoder {self.card.name}: {dimension} dimensions found, {self.card.dimension} expected"
            )
        poolings = [module.pooling_mode for module in self._model if isinstance(module, Pooling)]
        if self.card.pooling is not None and poolings != [self.card.pooling]:
            raise EncoderBroken(f"encoder {self.card.name}: pooling {poolings} found, {self.card.pooling!r} expected")

    def _check_weights(self) -> None:
        # What a checkpoint lacks is filled with random numbers, with a line in the log only. The pooler is not used.
        transformer: Any = self._model[0]
        stored = stored_tensors(Path(transformer.auto_model.name_or_path))
        # A checkpoint saved with a head on top has the same names behind a prefix.
        known = stored | {name.partition(".")[2] for name in stored}
        expected = {name for name, _ in transformer.auto_model.named_parameters() if not name.startswith("pooler.")}
        if expected - known:
            raise EncoderBroken(f"encoder {self.card.name}: the checkpoint lacks {len(expected - known)} tensors")

    def _check_tokenizer(self) -> None:
        # Without its vocabulary file a tokenizer still loads, and reads every word as the unknown one.
        one, other = self._encode(["psoriasis", "melanoma"])
        if float(one @ other) > SAME:
            raise EncoderBroken(
                f"encoder {self.card.name} cannot tell two words apart; its tokenizer files are missing"
            )


class PairedEncoder:
    """Two checkpoints trained together, one for queries and one for documents (MedCPT), as one TextEncoder."""

    def __init__(self, documents: SentenceTransformerEncoder, queries: SentenceTransformerEncoder) -> None:
        self.card = documents.card
        self.fingerprint = documents.fingerprint
        self._documents = documents
        self._queries = queries

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """See TextEncoder."""
        return self._documents.encode_documents(texts)

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """See TextEncoder."""
        return self._queries.encode_queries(texts)

    def count_tokens(self, text: str) -> int:
        """See TextEncoder; of documents, which are what is cut to fit."""
        return self._documents.count_tokens(text)


@cache
def _streams() -> ThreadPoolExecutor:
    """Shared by all encoders of the process. A thread's number of OpenMP threads is its own."""
    each = torch.get_num_threads() // STREAMS
    return ThreadPoolExecutor(STREAMS, "encoding", partial(threadpool_limits, each, "openmp"))


def _model(card: EncoderCard, folder: Path, device: str) -> SentenceTransformer:
    """A plain checkpoint has no word on pooling, and its folder alone would be read as mean pooling: the card decides."""
    if card.loader != "plain-transformer":
        return SentenceTransformer(str(folder), device=device, local_files_only=True)
    transformer = Transformer(str(folder), max_seq_length=card.max_tokens, model_kwargs={"local_files_only": True})
    pooling = Pooling(transformer.get_embedding_dimension(), card.pooling or "mean")
    return SentenceTransformer(modules=[transformer, pooling], device=device)


def stored_tensors(folder: Path) -> set[str]:
    """Names of the tensors in a checkpoint's files, read from their headers."""
    names: set[str] = set()
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            names.update(opened.keys())
    if not names:
        for file in folder.glob("pytorch_model*.bin"):
            names.update(torch.load(file, map_location="cpu", mmap=True, weights_only=True))
    return names
