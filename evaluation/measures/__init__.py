"""One measure, one short file: formula, source, and what it gives for nothing."""

from evaluation.measures.bootstrap import Difference, paired_bootstrap
from evaluation.measures.ndcg import ndcg
from evaluation.measures.recall import recall
from evaluation.measures.reciprocal_rank import reciprocal_rank

__all__ = ["Difference", "ndcg", "paired_bootstrap", "recall", "reciprocal_rank"]
