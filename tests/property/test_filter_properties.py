"""Searching what a filter leaves is searching everything and leaving out afterwards, however little that is."""

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.types import Source
from retrieval import search
from retrieval.cases import CaseOptions
from retrieval.filters import Filters, narrowed
from retrieval.hybrid import Fusion, HybridOptions
from retrieval.types import Hit
from retrieval.view import View
from tests.fakes import Corpus, case_of, patch_of, sha256

WORDS = "plaque scale papule pustule macule nodule margin biopsy ointment elbow cheek scalp".split()
PLACES = ("GB", "US", None)
LABELS = ("psoriasis", "acne vulgaris", "lichen planus")
TONES = ("1", "6", None)
DOCUMENTS, CASES = 8, 18

QUERIES = st.sampled_from(["scaly plaque of the scalp", "pustule", "verruca", "margin of a biopsy"])
DATES = st.none() | st.dates(date(2020, 6, 1), date(2023, 6, 1))


def several(names: tuple[str | None, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Any of the names, and one that nothing has."""
    return st.lists(st.sampled_from([*filter(None, names), "nowhere"]), max_size=2).map(tuple)


FILTERS = st.builds(
    Filters, jurisdiction=several(PLACES), source=several(("guide 1", "guide-6", "Publisher 0")),
    effective_from=DATES, effective_to=DATES, label=several(LABELS), skin_tone=several(TONES),
    dataset=several(("set", "atlas")), language=several(("en", "pt", "PT-br")), licence=several(("CC0-1.0", "cc by 4.0")),
)  # fmt: skip


def source(number: int) -> Source:
    effective = f"{2020 + number % 4}-01-01" if number % 5 else None
    return Source(
        f"Guide {number}", f"publisher {number % 2}", licence=("CC0-1.0", "CC-BY-4.0")[number % 2],
        jurisdiction=PLACES[number % 3], effective=effective, language=("en", "pt-BR", None)[number % 3],
    )  # fmt: skip


def add(corpus: Corpus, number: int) -> None:
    pages = [" ".join(WORDS[(number * 5 + page + step) % len(WORDS)] for step in range(4)) for page in range(3)]
    corpus.add_document(f"guide-{number}", pages, source(number))


def add_case(corpus: Corpus, number: int) -> None:
    caption = "" if number % 6 == 5 else f"{WORDS[number % len(WORDS)]} and {WORDS[(number * 7) % len(WORDS)]}"
    case = case_of(
        f"{number:02}", LABELS[number % 3], caption, dataset=("set", "other")[number % 2], skin_tone=TONES[number % 3],
        source="Atlas" if number % 4 == 0 else None, licence="CC0-1.0" if number % 3 else None,
    )  # fmt: skip
    corpus.add_case(case, patch_of((number * 13 % 255, 90, number * 29 % 255), number))


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    """Half in a generation and half in the delta; of both something is gone, and something came back."""
    corpus = Corpus(tmp_path_factory.mktemp("filters") / "home")
    for number in range(DOCUMENTS // 2):
        add(corpus, number)
    for number in range(CASES // 2):
        add_case(corpus, number)
    corpus.index.publish(corpus.build())
    reader = corpus.reader()
    reader.view()  # the columns of the generation are kept from here on
    for number in range(DOCUMENTS // 2, DOCUMENTS):
        add(corpus, number)
    for number in range(CASES // 2, CASES):
        add_case(corpus, number)
    for gone in (1, 2, 5):
        corpus.registry.delete_document(sha256(f"guide-{gone}"))
    add(corpus, 2)
    add_case(corpus, 99)
    newer = replace(corpus.registry.case("c-00"), id="c-newer", label="acne vulgaris")
    corpus.registry.put_cases([newer])
    view = reader.view()
    assert view.delta_size
    assert view.masked
    corpora(corpus)
    return view


@cache
def facts_of(item: str) -> dict[str, Any]:
    """What the registry says of a case or of the document of a passage."""
    corpus = corpora()
    found = corpus.registry.cases([item]).get(item)
    if found is not None:
        return {"label": {found.label}, "skin_tone": {found.skin_tone}, "dataset": {found.dataset, found.source},
                "licence": {found.licence}}  # fmt: skip
    of = corpus.registry.passages([item])[item].source
    tag = of.language or ""
    return {"jurisdiction": {of.jurisdiction}, "language": {tag, tag[:2]}, "source": {of.title, of.publisher},
            "licence": {of.licence}, "effective": of.effective}  # fmt: skip


_CORPUS: list[Corpus] = []


def corpora(corpus: Corpus | None = None) -> Corpus:
    if corpus is not None:
        _CORPUS[:] = [corpus]
        facts_of.cache_clear()
    return _CORPUS[0]


def passes(item: str, filters: Filters) -> bool:
    """By the registry's words, one item at a time."""
    facts = facts_of(item)
    effective = facts.get("effective")
    for name in filters.active:
        if name.startswith("effective"):
            if "effective" not in facts:
                continue
            bound = str(getattr(filters, name))
            if effective is None or (effective < bound if name == "effective_from" else effective > bound):
                return False
        elif name in facts:
            wanted = {value.casefold().replace("-", " ") for value in getattr(filters, name)}
            if wanted.isdisjoint(value.casefold().replace("-", " ") for value in facts[name] if value):
                return False
    return True


def scored(hits: tuple[Hit, ...]) -> list[tuple[str, dict[str, float]]]:
    """Scores of the legs to the last bit; fused scores are relative to the pool, which is another one."""
    return [(hit.id, {name: leg.score for name, leg in hit.legs.items()}) for hit in hits]


@settings(max_examples=60)
@given(FILTERS, QUERIES, st.sampled_from([Fusion.SEMANTIC, Fusion.LEXICAL]), st.integers(1, 30))
def test_passages_of_either_leg(view: View, filters: Filters, words: str, fusion: Fusion, k: int) -> None:
    options = HybridOptions(k=99, cosine_floor=-1, near_duplicate=2, fusion=fusion)
    encoders = corpora().encoders
    everything = search.passages(view, encoders, words, options).hits
    expected = tuple(hit for hit in everything if passes(hit.id, filters))[:k]
    found = search.passages(narrowed(view, filters).view, encoders, words, replace(options, k=k)).hits
    assert scored(found) == scored(expected)


@settings(max_examples=50)
@given(FILTERS, QUERIES, st.sampled_from([Fusion.SEMANTIC, Fusion.LEXICAL]))
def test_captions_of_either_leg(view: View, filters: Filters, words: str, fusion: Fusion) -> None:
    options = HybridOptions(k=99, cosine_floor=-1, near_duplicate=2, fusion=fusion)
    encoders = corpora().encoders
    everything = search.captions(view, encoders, words, options).hits
    found = search.captions(narrowed(view, filters).view, encoders, words, options).hits
    assert scored(found) == scored(tuple(hit for hit in everything if passes(hit.id, filters)))


@settings(max_examples=50)
@given(FILTERS, st.integers(0, 40), st.integers(1, 20))
def test_cases_by_picture(view: View, filters: Filters, number: int, k: int) -> None:
    encoders = corpora().encoders
    picture = search.encode_pictures(encoders, [patch_of((number * 6, 90, 200 - number), number)])
    everything = search.neighbours(view, encoders, picture, "", None, CaseOptions(k=99)).hits
    expected = tuple(hit for hit in everything if passes(hit.id, filters))[:k]
    found = search.neighbours(narrowed(view, filters).view, encoders, picture, "", None, CaseOptions(k=k)).hits
    assert scored(found) == scored(expected)
    assert [hit.score for hit in found] == [hit.score for hit in expected]


@settings(max_examples=50)
@given(FILTERS)
def test_what_is_alive_is_what_passes_and_labels_are_those_of_it(view: View, filters: Filters) -> None:
    found = narrowed(view, filters)
    for before, after in ((view.passages, found.view.passages), (view.cases.captions, found.view.cases.captions)):
        ids = np.array(before.ids)
        assert set(ids[after.alive]) == {one for one in ids[before.alive] if passes(str(one), filters)}
    alive = [one for one, there in zip(found.view.cases.ids, found.view.cases.alive, strict=True) if there]
    assert set(found.view.cases.labels) == {case.label for case in corpora().registry.cases(alive).values()}
    assert (found.view is view) == (not filters.active)
