"""Proof that every leg is alive: it must recognise known items, and tell items apart, or it cannot change a ranking.

A dead leg is silent otherwise: a BM25 leg that always scores 0 still returns a ranking.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.registry import Registry
from knowledge.types import searched_text
from retrieval.lexical import tokenize
from retrieval.protocols import TextEncoder
from retrieval.search import Encoders
from retrieval.types import Mask, Scores, Vectors
from retrieval.vectors import LayeredVectors
from retrieval.view import Collection, View

PROBES = 2  # items asked for, far apart in the collection
TOLERANCE = 1e-3  # cosine between a fresh and a stored vector of the same input; batches differ by 1e-6
RECOGNISED = 0.5  # share of the best BM25 score that a text must reach when it is its own query


@dataclass(frozen=True, slots=True)
class LegCheck:
    """One leg. `alive` is None when it has nothing to search yet."""

    leg: str
    alive: bool | None
    detail: str


def check_legs(
    view: View, encoders: Encoders, registry: Registry, load_picture: Callable[[str], NDArray[np.uint8]]
) -> tuple[LegCheck, ...]:
    """All five legs. `load_picture` gives the stored RGB pixels of a picture by its sha256."""
    cases = registry.cases(_probe_ids(view.cases.captions, view.cases.alive))
    captions = registry.cases(_probe_ids(view.cases.captions, view.cases.captioned))
    passages = registry.passages(_probe_ids(view.passages, view.passages.alive))
    pixels = {case_id: load_picture(case.picture) for case_id, case in cases.items()}
    fresh = dict(zip(pixels, encoders.pictures.encode_images(list(pixels.values())), strict=True))
    return (
        _vector_leg("picture", view.cases.captions, view.cases.pictures, view.cases.alive, fresh),
        *_text_legs(
            "caption", view.cases.captions, {one.id: one.caption for one in captions.values()}, encoders.captions
        ),
        *_text_legs(
            "passage",
            view.passages,
            {one.id: searched_text(one.text, one.header) for one in passages.values()},
            encoders.passages,
        ),
    )


def _probe_ids(collection: Collection, allowed: Mask) -> list[str]:
    rows = np.flatnonzero(allowed)
    spread = rows[np.linspace(0, len(rows) - 1, num=min(PROBES, len(rows)), dtype=np.int64)] if len(rows) else rows
    return [collection.ids[row] for row in spread]


def _text_legs(name: str, collection: Collection, texts: Mapping[str, str], encoder: TextEncoder) -> Iterator[LegCheck]:
    vectors: Vectors = encoder.encode_documents(list(texts.values()))
    fresh = dict(zip(texts, vectors, strict=True))
    yield _vector_leg(f"{name} meaning", collection, collection.vectors, collection.alive, fresh)
    yield _lexical_leg(f"{name} words", collection, texts)


def _vector_leg(
    name: str, collection: Collection, vectors: LayeredVectors, allowed: Mask, fresh: Mapping[str, NDArray[np.float32]]
) -> LegCheck:
    if not fresh:
        return LegCheck(name, None, "nothing to search yet")
    for item, vector in fresh.items():
        row = _row(collection, item)
        own = float(vectors.score(vector, np.array([row]))[0])
        if own < 1 - TOLERANCE:
            return LegCheck(name, False, f"a known item has similarity {own:.3f} with itself; run: dermacite reindex")
        _, scores = vectors.search(vector, 1, allowed)
        if len(scores) == 0 or float(scores[0]) < own - TOLERANCE:
            return LegCheck(name, False, "a known item is not found by its own vector; run: dermacite reindex")
    if vectors.degraded is not None:
        return LegCheck(name, True, f"recognised {len(fresh)} known items, but {vectors.degraded}")
    similarity = [vectors.score(vector, np.flatnonzero(allowed)) for vector in fresh.values()]
    return _told_apart(name, similarity)


def _lexical_leg(name: str, collection: Collection, texts: Mapping[str, str]) -> LegCheck:
    worded = {item: tokenize(text) for item, text in texts.items() if tokenize(text)}
    if not worded:
        return LegCheck(name, None, "nothing to search yet")
    scores = {item: collection.lexical.scores(terms) for item, terms in worded.items()}
    for item, all_scores in scores.items():
        own = float(all_scores[_row(collection, item)])
        if own <= 0 or own < RECOGNISED * float(all_scores.max()):
            return LegCheck(name, False, "a known text is not found by its own words; run: dermacite reindex")
    return _told_apart(name, list(scores.values()))


def _told_apart(name: str, rankings: Sequence[Scores]) -> LegCheck:
    if len(rankings[0]) > 1 and all(float(np.ptp(scores)) == 0.0 for scores in rankings):
        return LegCheck(name, False, "every item has the same score: this leg cannot change a ranking")
    return LegCheck(name, True, f"recognised {len(rankings)} known items")


def _row(collection: Collection, item: str) -> int:
    # The last row wins: an item that was deleted and came back is dead in the base and alive in the delta.
    return len(collection.ids) - 1 - collection.ids[::-1].index(item)
