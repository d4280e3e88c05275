"""Similar reference cases: picture neighbours, with the note against the captions.

    strategy B: score = alpha * cos(picture, picture_i) + (1 - alpha) * cos(note, caption_i)
    strategy A: score = alpha * cos(picture, picture_i) + (1 - alpha) * cos(picture, caption_i)   (one shared space)

Several pictures of one consultation count as their mean. Without a note, B is by picture alone and says so.
"""

from dataclasses import dataclass

import numpy as np

from retrieval.errors import QueryRefused
from retrieval.hybrid import TextQuery
from retrieval.legs import Leg, lexical_leg, pooled, ranked_hits, vector_leg
from retrieval.types import Mask, Ranking, Rows, Scores, Vector, Vectors
from retrieval.view import CaseCollection

POOL = 200  # candidates taken from each leg


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """`alpha` is the share of the picture, 0..1; `strategy` is "A" or "B"; `k` is how many hits come back."""

    k: int = 50
    alpha: float = 0.9
    strategy: str = "B"


def find_cases(
    cases: CaseCollection,
    pictures: Vectors,
    note: TextQuery | None,
    allowed: Mask,
    options: CaseOptions = CaseOptions(),
) -> Ranking:
    """Hits in total order with legs "picture", "caption" (cosines) and "lexical" (BM25: proposes, does not score).

    `pictures` is [1..4, dimension]. Raises QueryRefused when there is none.
    """
    if len(pictures) == 0:
        raise QueryRefused("no picture to compare; send one, or search by text")
    mask = cases.alive & allowed
    picture = pictures.mean(axis=0)
    text = picture if options.strategy == "A" else (note.vector if note else None)
    legs = [vector_leg("picture", cases.pictures, picture, POOL, mask)]
    if text is not None:
        legs.append(_caption_leg(cases, text, mask))
    if note is not None and options.strategy == "B":
        legs.append(lexical_leg("lexical", cases.captions.lexical, note.terms, POOL, mask))
    pool, scores = pooled(legs)
    fused = scores["picture"]
    if text is not None:
        fused = options.alpha * scores["picture"] + (1 - options.alpha) * scores["caption"]
    hits = ranked_hits(cases.ids, legs, pool, scores, fused)[: options.k]
    silent = () if text is not None else ("no note: cases were found by picture alone",)
    return Ranking(tuple(hits), warnings=silent)


def _caption_leg(cases: CaseCollection, text: Vector, mask: Mask) -> Leg:
    leg = vector_leg("caption", cases.captions.vectors, text, POOL, mask & cases.captioned)

    def score(rows: Rows) -> Scores:
        scores = leg.score(rows)
        captioned = cases.captioned[rows]
        # A case without a caption is neither praised nor punished for it: it gets the mean of the others.
        neutral = float(scores[captioned].mean()) if captioned.any() else 0.0
        return np.where(captioned, scores, np.float32(neutral))

    return Leg(leg.name, leg.ranked, score)
