"""Order the best hits anew by a model that reads query and text together: slower and better than either leg.

Off unless asked for. All hits that come back were read, so that their scores are of one kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from retrieval.protocols import Reranker
from retrieval.types import Hit, LegScore

DEPTH = 20  # hits that are read


@dataclass(frozen=True, slots=True)
class Reranking:
    """Which model reads, where the texts of ids come from, and how many of the best hits are read."""

    model: Reranker
    texts: Callable[[Sequence[str]], Mapping[str, str]]
    depth: int = DEPTH


def reranked(reranking: Reranking, query: str, hits: Sequence[Hit]) -> list[Hit]:
    """`hits` in total order of the model's score, which becomes their score and their leg "rerank".

    One whose text is gone was deleted since the view was taken, and is left out.
    """
    texts = reranking.texts([hit.id for hit in hits])
    hits = [hit for hit in hits if hit.id in texts]
    scores = reranking.model.score(query, [texts[hit.id] for hit in hits]).tolist()
    ranked = sorted(zip(hits, scores, strict=True), key=lambda one: (-one[1], one[0].id))
    return [
        replace(hit, score=score, legs={**hit.legs, "rerank": LegScore(score, rank)})
        for rank, (hit, score) in enumerate(ranked, start=1)
    ]
