"""What filters say when they leave little, and what they leave."""

from dataclasses import replace
from datetime import date

import pytest

from knowledge.types import Source
from retrieval import search
from retrieval.facets import Column
from retrieval.filters import Filters, narrowed
from retrieval.hybrid import HybridOptions
from retrieval.vectors import ChromaVectors
from retrieval.view import IndexReader
from tests.fakes import Corpus, case_of, patch_of, sha256


def warnings(corpus: Corpus, **filters: object) -> tuple[str, ...]:
    return narrowed(corpus.reader().view(), Filters(**filters)).warnings  # type: ignore[arg-type]


def found(corpus: Corpus, **filters: object) -> list[str]:
    view = narrowed(corpus.reader().view(), Filters(**filters)).view  # type: ignore[arg-type]
    ranking = search.passages(view, corpus.encoders, "offer for psoriasis", HybridOptions(k=20, cosine_floor=-1))
    return sorted(hit.id for hit in ranking.hits)


def test_names_are_compared_without_case_hyphens_and_white_space() -> None:
    column = Column().extended(["Lichen planus", None, "lichen-planus", "acne"]).extended(["LICHEN  PLANUS"])
    assert column.among(["lichen planus"]).tolist() == [True, False, True, False, True]
    assert column.among(["", "none of them"]).tolist() == [False] * 5


def test_nothing_found_is_an_empty_ranking_with_a_sentence(built: Corpus) -> None:
    assert found(built, source=("psoriasis-guide",), licence=("CC-BY-4.0",)) == []
    assert warnings(built, source=("psoriasis-guide",), licence=("CC-BY-4.0",))[-2:] == (
        "no reference case has licence “CC-BY-4.0”; none has any",
        "no reference case passes the filters: licence=CC-BY-4.0",
    )


def test_a_value_that_nothing_has_is_named_with_the_nearest_that_there_are(built: Corpus) -> None:
    assert warnings(built, label=("psoriasiss", "psoriasis")) == (
        "no reference case has label “psoriasiss”; nearest: psoriasis",
    )
    assert warnings(built, label=("zzz",))[0] == (
        "no reference case has label “zzz”; there are: acne vulgaris, melanocytic nevi, psoriasis"
    )


def test_what_was_deleted_is_not_suggested(built: Corpus) -> None:
    built.registry.delete_document(sha256("acne-guide"))
    assert warnings(built, source=("acne guidee",))[0].endswith("there are: psoriasis-guide")
    built.add_case(
        replace(case_of("new", "rosacea"), original=built.registry.case("c-acne-0").original), patch_of((9, 9, 9))
    )
    assert "rosacea" in warnings(built, label=("rosaceaa",))[0]


def test_a_document_is_in_force_from_its_date_on(built: Corpus) -> None:
    for title, effective in (("old", "2019-12-31"), ("new", "2020-01-01"), ("vague", "in 2018")):
        built.add_document(title, [f"Offer {title} for psoriasis."], Source(title, effective=effective))
    assert found(built, effective_to=date(2019, 12, 31)) == ["p-old-1"]
    assert found(built, effective_to=date(2020, 1, 1)) == ["p-new-1", "p-old-1"]
    assert found(built, effective_from=date(2020, 1, 1)) == ["p-new-1"]
    assert warnings(built, effective_to=date(2020, 1, 1)) == (
        "left out for want of an effective date: 3 of 5 documents",
    )


def test_a_document_is_named_by_its_id(built: Corpus) -> None:
    acne = next(one for one in built.registry.documents() if one.source.title == "acne-guide")
    assert found(built, document=(acne.id,)) == ["p-acne-guide-1", "p-acne-guide-2"]


def test_a_filter_restricts_only_what_has_the_property(built: Corpus) -> None:
    view = built.reader().view()
    by_label = narrowed(view, Filters(label=("psoriasis",))).view
    assert by_label.passages is view.passages
    assert (by_label.cases.labels, int(by_label.cases.alive.sum())) == (("psoriasis",), 4)
    assert narrowed(view, Filters(source=("acne-guide",))).view.cases is view.cases


def test_words_weigh_what_they_weigh_in_the_whole_collection(built: Corpus) -> None:
    view = built.reader().view()
    alone = narrowed(view, Filters(source=("acne-guide",))).view
    assert alone.passages.lexical.idf("acn") == view.passages.lexical.idf("acn")


def test_what_a_filter_leaves_is_not_asked_of_chroma(built: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("Chroma was asked")

    view = IndexReader(built.index, built.registry, built.embeddings, exact_below=0).view()
    monkeypatch.setattr(ChromaVectors, "_propose", refuse)
    few = narrowed(view, Filters(source=("acne-guide",))).view
    assert search.passages(few, built.encoders, "acne", HybridOptions()).hits
    with pytest.raises(AssertionError, match="Chroma was asked"):
        search.passages(view, built.encoders, "acne", HybridOptions())
