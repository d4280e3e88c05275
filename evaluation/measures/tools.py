"""What measures need besides records: models and lists of terms. Without them their measures are missing, never 0."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.records import CaseRecord
from retrieval.types import Vectors

TokenVectors = Callable[[Sequence[str]], Sequence[Vectors]]  # texts -> per text [tokens, dimension], L2-normalised
Similarity = Callable[
    [CaseRecord], float | None
]  # picture and caption of a record -> 0..1, None where there is no picture
PairScores = Callable[[Sequence[tuple[str, str]]], Sequence[float]]  # (caption, reference) -> score


@dataclass(frozen=True, slots=True)
class Tools:
    """`token_vectors` of a local model for BERTScore (see retrieval.encoders.load_token_vectors), named by `token_model`.

    `synonyms` of METEOR: a word and the others that mean the same. `terms`: the concepts of captions, each with the names that
    mean it; None: findings and diseases that this project knows. `shelf`: how many reference cases there are of each label.
    """

    token_vectors: TokenVectors | None = None
    token_model: str | None = None
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    terms: Mapping[str, tuple[str, ...]] | None = None
    similarity: Similarity | None = None
    bleurt: PairScores | None = None
    shelf: Mapping[str, int] | None = None
