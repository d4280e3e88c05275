"""Whoever proposes a case, every leg scores it, exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retrieval.cases
from retrieval.cases import CaseOptions, find_cases
from retrieval.hybrid import TextQuery
from retrieval.leakage import GuardTable
from retrieval.lexical import LayeredLexical, LexicalIndex, tokenize
from retrieval.types import Vectors
from retrieval.vectors import ExactVectors, LayeredVectors
from retrieval.view import CaseCollection, Collection
from tests.fakes import unit

ROWS, WIDTH = 12, 6
WORDS = ("plaque", "scale", "macule", "papule")


def collection(source: np.random.Generator, base: int) -> tuple[CaseCollection, Vectors, Vectors]:
    """Random vectors and captions, of which the first `base` rows are in the index and the others came since."""
    pictures, captions = (unit(source.normal(size=(ROWS, WIDTH))) for _ in range(2))
    texts = [" ".join(source.choice(WORDS, 3)) for _ in range(ROWS)]
    layered = [LayeredVectors(ExactVectors(one[:base]), one[base:]) for one in (pictures, captions)]
    lexical = LayeredLexical(LexicalIndex.build(texts[:base]), texts[base:])
    alive = np.ones(ROWS, dtype=np.bool_)
    inner = Collection(tuple(f"c{row:02}" for row in range(ROWS)), alive, layered[1], lexical)
    labels = np.array(["x"] * ROWS, dtype=np.str_)
    return CaseCollection(inner, layered[0], alive, GuardTable.of([]), ("x",), labels), pictures, captions


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(0, ROWS), st.integers(1, 3), st.floats(0, 1))
def test_every_hit_has_the_exact_score_of_every_leg_whichever_leg_proposed_it(
    seed: int, base: int, pool: int, alpha: float
) -> None:
    source = np.random.default_rng(seed)
    cases, pictures, captions = collection(source, base)
    query, note = unit(source.normal(size=(2, WIDTH)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(retrieval.cases, "POOL", pool)
        text = TextQuery(note, tokenize("scaly plaque"))
        found = find_cases(cases, query[None], text, cases.alive, CaseOptions(k=ROWS, alpha=alpha))
    proposed = set(np.argsort(-pictures @ query)[:pool]) | set(np.argsort(-captions @ note)[:pool])
    assert {f"c{row:02}" for row in proposed} <= {hit.id for hit in found.hits}
    for hit in found.hits:
        row = int(hit.id[1:])
        by_picture, by_caption = float(pictures[row] @ query), float(captions[row] @ note)
        assert hit.legs["picture"].score == pytest.approx(by_picture, abs=1e-5)
        assert hit.legs["caption"].score == pytest.approx(by_caption, abs=1e-5)
        assert hit.score == pytest.approx(alpha * by_picture + (1 - alpha) * by_caption, abs=1e-5)
        assert any(leg.rank is not None for leg in hit.legs.values())
