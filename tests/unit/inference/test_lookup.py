"""What a caller may switch of a search without a consultation."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from inference.errors import ConsultationRefused
from inference.gathering import Gatherer, GatheringSettings
from inference.lookup import AGAIN, Lookup, SearchOptions, SearchResult
from inference.types import DiagnosisOptions
from knowledge.registry import Registry, document_id_of
from knowledge.registry.documents import IN_FORCE
from knowledge.types import Passage, Standing
from retrieval.cases import CaseOptions
from retrieval.hybrid import Fusion, HybridOptions
from retrieval.subqueries import SubQuery
from retrieval.types import EncoderCard, Scores
from retrieval.view import IndexReader
from tests.fakes import COLOURS, Corpus, FakeTextEncoder, patch_of, picture_of

PICTURE = picture_of(patch_of(COLOURS["psoriasis"], 1), "a picture")
WORDS = "review of psoriasis and acne"


class Longest:
    """Reranker: likes long texts."""

    card: EncoderCard
    fingerprint = "longest"

    def __init__(self) -> None:
        self.read: list[str] = []

    def score(self, query: str, texts: Sequence[str]) -> Scores:
        assert query
        self.read += texts
        return np.array([len(text) / 1000 for text in texts], dtype=np.float32)


def lookup(corpus: Corpus, reranker: Longest | None = None) -> Lookup:
    return Lookup(corpus.reader(), corpus.encoders, corpus.registry, CaseOptions(), HybridOptions(), reranker)


def legs(result: SearchResult) -> set[str]:
    return {leg for item in (*result.passages, *result.cases) for leg in item.scores}


class Interrupted(Registry):
    """Between search and reading, a second edition takes the place of the first, as often as `editions` has one."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.editions: list[Callable[[], object]] = []

    def passages(self, ids: Sequence[str], standings: Collection[Standing] = IN_FORCE) -> dict[str, Passage]:
        if self.editions:
            self.editions.pop(0)()
        return super().passages(ids, standings)


def test_of_a_version_superseded_between_search_and_reading_its_successor_is_found(built: Corpus) -> None:
    text = "Offer imiquimod for actinic keratosis."
    document = document_id_of(built.add_document("first", [text]))
    registry = Interrupted.in_folder(built.home)
    registry.editions = [lambda: built.add_document("second", [text], document_id=document)]
    reader = IndexReader(built.index, registry, built.embeddings)
    one = Lookup(reader, built.encoders, registry, CaseOptions(), HybridOptions())
    assert one.search(text).passages[0].id == "p-second-1"
    names = [f"edition {number}" for number in range(10)]
    registry.editions = [partial(built.add_document, name, [text], document_id=document) for name in names]
    assert "p-second-1" not in {item.id for item in one.search(text).passages}
    assert len(registry.editions) == 10 - AGAIN, "it must not search for ever"
    registry.close()


def test_a_text_is_encoded_once_by_each_encoder_and_found_alike(shared: Corpus) -> None:
    one, other = FakeTextEncoder(), FakeTextEncoder()
    same, two = (replace(shared.encoders, captions=captions, passages=one) for captions in (one, other))
    results = []
    for encoders, read in ((same, [WORDS]), (two, [WORDS, WORDS])):
        for encoder in (one, other):
            encoder.encoded.clear()
        asked = Lookup(shared.reader(), encoders, shared.registry, CaseOptions(), HybridOptions())
        results.append(replace(asked.search(WORDS), timings_ms={}))
        assert [*one.encoded, *other.encoded] == read
    assert results[0] == results[1]
    assert results[0].passages
    assert results[0].cases


def test_each_fusion_is_named_in_the_explanation(shared: Corpus) -> None:
    for fusion in Fusion:
        found = lookup(shared).search(WORDS, options=SearchOptions(fusion=fusion))
        assert {one.fusion for one in found.explanations.values()} == {fusion.value}
    assert lookup(shared).search(WORDS).explanations["passages"].fusion == Fusion.ADAPTIVE.value


def test_a_reranker_orders_passages_and_captions_by_what_it_read(shared: Corpus) -> None:
    reranker = Longest()
    found = lookup(shared, reranker).search(WORDS, options=SearchOptions(rerank=True))
    for items in (found.passages, found.cases):
        read = sorted((len(item.text) / 1000 for item in items), reverse=True)
        assert [item.score for item in items] == pytest.approx(read)
    assert "rerank" in legs(found)
    assert {item.text for item in (*found.passages, *found.cases)} <= set(reranker.read)
    assert "rerank" not in legs(lookup(shared, reranker).search(WORDS))


def test_a_passage_deleted_meanwhile_is_not_read(built: Corpus) -> None:
    asked = lookup(built, Longest())
    asked.search(WORDS)  # takes the view
    view = built.reader().view()
    built.registry.delete_document(built.registry.documents()[0].id)
    reading = GatheringSettings(passages=HybridOptions(cosine_floor=-1.0))
    gatherer = Gatherer(built.reader(), built.encoders, built.registry, reading, Longest())
    found = gatherer.passages(view, [SubQuery("note", WORDS)], DiagnosisOptions(rerank=True)).found
    left = {document.id for document in built.registry.documents()}
    known = built.registry.passages([item.hit.id for item in found])
    assert known
    assert len(known) == len(found)
    assert {passage.document_id for passage in known.values()} <= left


def test_hard_negatives_look_alike_and_are_something_else(shared: Corpus) -> None:
    plain = lookup(shared).search("", PICTURE)
    assert plain.cases[0].label == "psoriasis"
    found = lookup(shared).search("", PICTURE, SearchOptions(hard_negatives=True))
    assert found.cases
    assert "psoriasis" not in {case.label for case in found.cases}
    assert any("not 'psoriasis'" in one for one in found.warnings)
    against = SearchOptions(hard_negatives=True, against="acne vulgaris")
    assert "acne vulgaris" not in {case.label for case in lookup(shared).search("", PICTURE, against).cases}


def test_the_share_of_the_picture_is_asked_for(shared: Corpus) -> None:
    words = "Uniform brown macule with a regular border on the back."
    by_picture = lookup(shared).search(words, PICTURE, SearchOptions(alpha=1.0))
    by_words = lookup(shared).search(words, PICTURE, SearchOptions(alpha=0.0))
    assert (by_picture.cases[0].label, by_words.cases[0].label) == ("psoriasis", "melanocytic nevi")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": " "}, "nothing to search for"),
        ({"k": 0}, "1 to 50"),
        ({"k": 51}, "1 to 50"),
        ({"rerank": True}, "no reranker"),
        ({"alpha": 0.5}, "alpha: of searches by picture"),
        ({"strategy": "B", "hard_negatives": True}, "strategy, hard_negatives: of searches by picture"),
        ({"strategy": "A", "picture": PICTURE}, "do not share a space"),
        ({"against": "acne", "picture": PICTURE}, "ask for hard_negatives"),
    ],
)
def test_what_cannot_be_had_is_refused(shared: Corpus, given: dict[str, Any], said: str) -> None:
    options = {name: value for name, value in given.items() if name not in {"text", "picture"}}
    with pytest.raises(ConsultationRefused, match=said):
        lookup(shared).search(given.get("text", WORDS), given.get("picture"), SearchOptions(**options))
