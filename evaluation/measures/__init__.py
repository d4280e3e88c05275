"""One measure, one short file: formula, source, and what it gives for nothing."""

from evaluation.measures.ndcg import ndcg
from evaluation.measures.recall import recall
from evaluation.measures.reciprocal_rank import reciprocal_rank

__all__ = ["ndcg", "recall", "reciprocal_rank"]
