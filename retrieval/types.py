"""The nouns of retrieval. Scores of different legs are never comparable unless a docstring says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]  # [dimension], L2-normalised
Vectors = NDArray[np.float32]  # [n, dimension], rows L2-normalised
Scores = NDArray[np.float32]  # [n]
Rows = NDArray[np.int64]  # row numbers of an index
Mask = NDArray[np.bool_]  # [n], True = may be returned


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """Everything that identifies an encoder. Two cards that differ never share an index.

    `pooling` is what the checkpoint was trained with; `mean` and `std` are per RGB channel in 0..1; `side` is the
    picture side in pixels; `max_tokens` counts the special tokens too. `training_overlap` names public picture sets that
    the encoder is known to have seen, so that a score on them is read with care.
    """

    name: str
    kind: str  # "text", "image", "image+text" for a shared space, or "reranker" (dimension 1: its score)
    loader: str
    model: str
    dimension: int
    licence: str
    revision: str | None = None
    package: str | None = None
    pooling: str | None = None
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int | None = None
    side: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    training_overlap: str = "unknown"
    # What was added later is left out of the fingerprint while it is empty, so that indexes of before stay valid.
    query_model: str | None = None  # encodes queries, where that is another checkpoint than the documents'
    query_revision: str | None = None
    space: str | None = None  # encoders of one name here have one space, so that pictures and texts can be compared
    unavailable: str | None = None  # why this version cannot load it


@dataclass(frozen=True, slots=True)
class LegScore:
    """What one leg said of one item: its own score, and its 1-based rank (None: not among that leg's candidates)."""

    score: float
    rank: int | None


@dataclass(frozen=True, slots=True)
class Hit:
    """An id with its fused score and each leg's score and rank.

    `row` is its row in the view that was searched; it changes with every rebuild and is no part of what was found.
    """

    id: str
    score: float
    legs: Mapping[str, LegScore]
    row: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Expansion:
    """One phrase found in a query: as the lexicon writes it, its kind of word, and the terms it adds to the query."""

    phrase: str
    kind: str
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that would have been among the first hits. `reason` is "below_floor" or "near_duplicate".

    `cosine` is that with the query, or with `of`, the better hit that it nearly repeats.
    """

    id: str
    reason: str
    cosine: float
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a text search came to its ranking.

    `shares` are the legs' shares of the score, adding up to 1 (empty for RRF, which has none); `coverage`, 0..1, is the
    share of the query's words that the best lexical candidates say, by weight; `proposed` counts each leg's candidates;
    `dropped` holds what was left out on the way to the last hit.
    """

    fusion: str
    shares: Mapping[str, float]
    coverage: float
    proposed: Mapping[str, int]
    expansions: tuple[Expansion, ...]
    cosine_floor: float
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hits in total order: score descending, then id. `warnings` name what was degraded."""

    hits: tuple[Hit, ...]
    warnings: tuple[str, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)  # leak-guard reason -> how many items it removed
    explanation: Explanation | None = None  # of searches by text
    excluded_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the same, which
