"""What measures need besides records: models and lists of terms. Without them their measures are missing, never 0."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.measures.bert_score import BertScorer, bert_scorer
from evaluation.records import CaseRecord

Similarity = Callable[[CaseRecord], float | None]  # picture and caption of a record; None where there is no picture
PairScores = Callable[[Sequence[tuple[str, str]]], Sequence[float]]  # (caption, reference) -> score


@dataclass(frozen=True, slots=True)
class Tools:
    """`bert` compares token by token (see evaluation.measures.bert_score.bert_scorer).

    `synonyms` of METEOR: a word and the others that mean the same. `terms`: the concepts of captions, each with the names that
    mean it; None: the findings and diseases that this project knows. `similarity` of picture and caption, 0..1. `shelf`: how
    many reference cases of each label could be found, the asking case left out.
    """

    bert: BertScorer | None = None
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    terms: Mapping[str, tuple[str, ...]] | None = None
    similarity: Similarity | None = None
    bleurt: PairScores | None = None
    shelf: Mapping[str, int] | None = None


def tools_here(records: Sequence[CaseRecord]) -> Tools:
    """What comes with this project: the embedded text encoder, loaded only where a caption has a reference."""
    captions = any(record.caption and record.reference_caption for record in records)
    return Tools(bert=bert_scorer()) if captions else Tools()
