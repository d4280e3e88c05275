"""BERTScore: each token of the reference with its likest token of the caption, by the cosine of their vectors in context.

    R = mean over reference tokens of max over caption tokens of cos,   P the other way round,   F = 2·P·R / (P + R)

Zhang et al. 2020, arXiv:1904.09675, without weights by rarity and without rescaling; start and end tokens are left out; the
last layer of the model. Figures of two models must not be compared. An empty caption has 0. Without a model: missing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from evaluation.measures.captions import NO_REFERENCE, pair, why_not
from evaluation.measures.measured import Measured, absent, mean
from evaluation.records import CaseRecord
from retrieval.encoders import encoder_card, load_token_vectors, locate
from retrieval.types import Vectors

EMBEDDED = "minilm"  # the card of the text encoder that comes with this project
PRECISION, RECALL, F = range(3)
NO_MODEL = "no model was given to compare tokens with"

TokenVectors = Callable[[Sequence[str]], Sequence[Vectors]]  # texts -> per text [tokens, dimension], L2-normalised
Scores = tuple[float, float, float]


class BertScorer:
    """Remembers what it compared: precision, recall and F of a pair are one computation. Raises what the model raises."""

    def __init__(self, token_vectors: TokenVectors, model: str) -> None:
        self.model = model
        self._vectors = token_vectors
        self._known: dict[tuple[str, str], Scores] = {}

    def of(self, pairs: Sequence[tuple[str, str]]) -> list[Scores]:
        """(precision, recall, F), each -1..1, of every (caption, reference)."""
        new = [one for one in dict.fromkeys(pairs) if one not in self._known]
        texts = list(dict.fromkeys(text for one in new for text in one if text.strip()))
        vectors = dict(zip(texts, self._vectors(texts), strict=True)) if texts else {}
        for one in new:
            caption, reference = (vectors.get(text) for text in one)
            self._known[one] = _scores(caption, reference)
        return [self._known[one] for one in pairs]


def bert_scorer(folder: Path | None = None) -> BertScorer:
    """With the model in `folder` (as transformers saves it), or the embedded one. Raises EncoderMissing or EncoderBroken."""
    path = locate(encoder_card(EMBEDDED)).path if folder is None else folder
    return BertScorer(load_token_vectors(path), EMBEDDED if folder is None else folder.name)


def bert_score(records: Sequence[CaseRecord], scorer: BertScorer | None, part: int) -> Measured:
    """Mean of PRECISION, RECALL or F."""
    why = why_not(records) or (NO_MODEL if scorer is None else None)
    if why is not None or scorer is None:
        return absent(why or NO_MODEL)
    pairs = [pair(record) for record in records]
    scores = iter(scorer.of([one for one in pairs if one is not None]))
    values = [None if one is None else next(scores)[part] for one in pairs]
    return mean(records, values, NO_REFERENCE, {"variant": f"{scorer.model}, last layer, not rescaled"})


def _scores(caption: Vectors | None, reference: Vectors | None) -> Scores:
    if caption is None or reference is None or not len(caption) or not len(reference):
        return 0.0, 0.0, 0.0
    cosines = np.asarray(caption, dtype=np.float64) @ np.asarray(reference, dtype=np.float64).T
    precision, recall = float(cosines.max(axis=1).mean()), float(cosines.max(axis=0).mean())
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0
