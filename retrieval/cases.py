"""Similar reference cases: picture neighbours, with the note against the captions.

    strategy B: score = alpha * cos(picture, picture_i) + (1 - alpha) * cos(note, caption_i)
    strategy A: score = alpha * cos(picture, picture_i) + (1 - alpha) * cos(picture, caption_i)   (one shared space)

Several pictures of one consultation count as their mean. Without a note, B is by picture alone and says so.
"""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from retrieval.errors import QueryRefused
from retrieval.hybrid import TextQuery
from retrieval.legs import Leg, lexical_leg, pooled, ranked_hits, vector_leg
from retrieval.types import Mask, Ranking, Rows, Scores, Vector, Vectors
from retrieval.view import CaseCollection

POOL = 200  # candidates taken from each leg
MAJORITY_OF = 10


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """`alpha` is the share of the picture, 0..1; `strategy` is "A" or "B"; `k` is how many hits come back.

    `hard_negatives`: only cases of another label than `against`, or where that is None than most of the first
    MAJORITY_OF cases have: what looks alike and is something else.
    """

    k: int = 50
    alpha: float = 0.9
    strategy: str = "B"
    hard_negatives: bool = False
    against: str | None = None


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
    if options.hard_negatives:
        return _hard_negatives(cases, pictures, note, allowed, options)
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


def _hard_negatives(
    cases: CaseCollection, pictures: Vectors, note: TextQuery | None, allowed: Mask, options: CaseOptions
) -> Ranking:
    plain = replace(options, hard_negatives=False)
    against = options.against
    if against is None:
        against = _majority(cases, find_cases(cases, pictures, note, allowed, replace(plain, k=MAJORITY_OF)))
    found = find_cases(cases, pictures, note, allowed & (cases.row_labels != against), plain)
    return replace(found, warnings=(*found.warnings, f"hard negatives: only cases that are not {against!r}"))


def _majority(cases: CaseCollection, ranking: Ranking) -> str:
    """The most frequent label of the hits, the nearest of equals; "" of no hits."""
    wanted = {hit.id for hit in ranking.hits}
    labels = {
        cases.ids[row]: str(cases.row_labels[row]) for row in np.flatnonzero(cases.alive) if cases.ids[row] in wanted
    }
    counted = Counter(labels[hit.id] for hit in ranking.hits)  # in the order of the hits, which decides between equals
    return counted.most_common(1)[0][0] if counted else ""


def _caption_leg(cases: CaseCollection, text: Vector, mask: Mask) -> Leg:
    leg = vector_leg("caption", cases.captions.vectors, text, POOL, mask & cases.captioned)

    def score(rows: Rows) -> Scores:
        scores = leg.score(rows)
        captioned = cases.captioned[rows]
        # A case without a caption is neither praised nor punished for it: it gets the mean of the others.
        neutral = float(scores[captioned].mean()) if captioned.any() else 0.0
        return np.where(captioned, scores, np.float32(neutral))

    return Leg(leg.name, leg.ranked, score)
