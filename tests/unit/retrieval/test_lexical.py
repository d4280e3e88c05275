"""What a word is, and BM25 against the formula written out once more."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from retrieval.lexical import K1, B, DeltaTerms, LayeredLexical, LexicalIndex, tokenize

TEXTS = (
    "Offer a potent corticosteroid once daily for plaque psoriasis of the trunk.",
    "Psoriasis of the scalp: calcipotriol 0.005% twice daily; psoriasis often itches.",
    "No biopsy is needed for a typical seborrheic keratosis.",
    "Excise melanoma with a margin of 1 cm; melanoma in situ needs 0.5 cm.",
    "5-FU 5% cream for actinic keratosis, twice daily for 4 weeks.",
    "Biologics against IL-17 and TNF-α are for severe psoriasis.",
    "",
    "Basal cell carcinoma grows slowly on the face.",
)
QUERIES = ("psoriasis", "psoriasis daily", "keratosis cream 5%", "no biopsy", "melanoma margin cm", "IL-17")


def lucene_bm25(texts: Sequence[str], query: str) -> list[float]:
    """The formula of retrieval.lexical, with no code of it but its words."""
    documents = [Counter(tokenize(text)) for text in texts]
    mean = sum(document.total() for document in documents) / len(documents)
    scores = [0.0] * len(documents)
    for term in set(tokenize(query)):
        frequency = sum(term in document for document in documents)
        idf = math.log(1 + (len(documents) - frequency + 0.5) / (frequency + 0.5))
        for row, document in enumerate(documents):
            tf = document[term]
            scores[row] += idf * tf / (tf + K1 * (1 - B + B * document.total() / mean)) if tf else 0
    return scores


def best(scores: Sequence[float], k: int) -> list[int]:
    return sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:k]


# --- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("5-FU", ["5-fu", "5", "fu"]),
        ("0.05%", ["0.05%", "0.05"]),
        ("0.05 %", ["0.05%", "0.05"]),
        ("0.05\u00a0%", ["0.05%", "0.05"]),
        ("0,1%", ["0,1%", "0,1"]),
        ("IL-17", ["il-17", "il", "17"]),
        ("TNF-α", ["tnf-α", "tnf", "α"]),
        ("1:1000", ["1:1000"]),
        ("type 2", ["type", "2"]),
        ("2-3 weeks", ["2-3", "week"]),
        ("pT1b", ["pt1b"]),
        ("≥ 2 mm", ["2", "mm"]),
        ("≥2mm", ["2mm"]),
        ("10 mg/kg", ["10", "mg/kg", "mg", "kg"]),
        ("no itch", ["no", "itch"]),
        ("not itching", ["not", "itch"]),
        ("without scale", ["without", "scale"]),
        ("the lesion is a plaque", ["lesion", "plaqu"]),
        ("plaques and PLAQUE", ["plaqu", "plaqu"]),
        ("Bowen’s disease", ["bowen", "s", "diseas"]),
        ("ﬁssure", ["fissur"]),
        ("snake_case", ["snake", "case"]),
        ("— … ()", []),
        ("", []),
    ],
)
def test_what_is_a_word(text: str, terms: list[str]) -> None:
    assert tokenize(text) == terms


def test_a_percentage_matches_however_it_is_spaced() -> None:
    index = LexicalIndex.build(["clobetasol 0.05 % ointment", "clobetasol 0.5% ointment"])
    strong, weak = index.scores(["0.05%"])
    assert strong > 0 == weak


def test_a_negated_finding_is_told_from_the_finding() -> None:
    index = LexicalIndex.build(["no scale", "scale", "itch"])
    negated, plain, _ = index.scores(tokenize("no scale"))
    assert negated > plain > 0


# --- scores --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", QUERIES)
def test_scores_are_the_formula(query: str) -> None:
    found = LexicalIndex.build(TEXTS).scores(tokenize(query))
    assert found == pytest.approx(lucene_bm25(TEXTS, query), abs=1e-5)


@pytest.mark.parametrize("query", QUERIES)
def test_the_best_text_is_also_rank_bm25_s(query: str) -> None:
    # Its idf differs (no "1 +", negative ones floored), so that only the order is compared.
    other = BM25Okapi([tokenize(text) for text in TEXTS], k1=K1, b=B).get_scores(tokenize(query))
    ours = LexicalIndex.build(TEXTS).scores(tokenize(query))
    assert int(ours.argmax()) == int(np.argmax(other))


def test_words_that_do_not_occur_score_zero_everywhere() -> None:
    assert LexicalIndex.build(TEXTS).scores(tokenize("wart verruca")).tolist() == [0] * len(TEXTS)


def test_a_query_without_words_scores_zero_everywhere() -> None:
    assert LexicalIndex.build(TEXTS).scores([]).tolist() == [0] * len(TEXTS)


def test_a_repeated_word_of_the_query_counts_once() -> None:
    index = LexicalIndex.build(TEXTS)
    once = index.scores(tokenize("psoriasis daily"))
    assert np.array_equal(index.scores(tokenize("psoriasis psoriasis daily psoriasis")), once)


def test_a_text_without_words_scores_zero() -> None:
    index = LexicalIndex.build(["", "psoriasis", "— …"])
    assert index.scores(["psoriasi"])[[0, 2]].tolist() == [0, 0]


@pytest.mark.parametrize("texts", [[], [""], ["the", "— …"]], ids=str)
def test_an_index_without_words_scores_zero(texts: list[str]) -> None:
    index = LexicalIndex.build(texts)
    assert len(index) == len(texts)
    assert index.scores(tokenize("psoriasis")).tolist() == [0] * len(texts)


def test_document_frequency_counts_rows_not_occurrences() -> None:
    index = LexicalIndex.build(["melanoma melanoma", "melanoma", "nevus"])
    assert [index.document_frequency(term) for term in tokenize("melanoma nevus wart")] == [2, 1, 0]


@pytest.mark.parametrize("texts", [TEXTS, [], ["", "the"]], ids=["texts", "none", "no words"])
def test_a_saved_index_scores_as_before(texts: Sequence[str], tmp_path: Path) -> None:
    index = LexicalIndex.build(texts)
    index.save(tmp_path / "bm25")
    loaded = LexicalIndex.load(tmp_path / "bm25")
    assert len(loaded) == len(texts)
    assert np.array_equal(loaded.scores(tokenize("psoriasis daily")), index.scores(tokenize("psoriasis daily")))


# --- base and delta ------------------------------------------------------------------------------------------------


def layered(cut: int) -> LayeredLexical:
    return LayeredLexical(LexicalIndex.build(TEXTS[:cut]), TEXTS[cut:])


@pytest.mark.parametrize("query", QUERIES)
def test_base_and_delta_score_as_if_all_had_been_built_together(query: str) -> None:
    assert layered(5).scores(tokenize(query)) == pytest.approx(lucene_bm25(TEXTS, query), abs=1e-5)


def test_rows_that_went_count_for_nothing() -> None:
    alive = np.array([True, False, True, True, False])
    found = LayeredLexical(LexicalIndex.build(TEXTS[:5]), TEXTS[5:], alive).scores(tokenize("psoriasis daily"))
    rest = [row for row in range(len(TEXTS)) if row not in {1, 4}]
    assert found[rest] == pytest.approx(lucene_bm25([TEXTS[row] for row in rest], "psoriasis daily"), abs=1e-5)


def test_a_text_in_the_base_and_its_like_in_the_delta_score_the_same_to_the_last_bit() -> None:
    parts = LayeredLexical(LexicalIndex.build(TEXTS), TEXTS)
    for query in QUERIES:
        found = parts.scores(tokenize(query))
        assert np.array_equal(found[: len(TEXTS)], found[len(TEXTS) :])


def test_idf_by_hand_after_a_deletion() -> None:
    alive = np.array([True, False, True, True, True])
    parts = LayeredLexical(LexicalIndex.build(TEXTS[:5]), TEXTS[5:], alive)
    # 7 rows are alive; psoriasis stands in the first and in the sixth.
    assert parts.idf(tokenize("psoriasis")[0]) == pytest.approx(math.log(1 + (7 - 2 + 0.5) / (2 + 0.5)))


def test_how_often_a_word_occurs_is_read_back_from_its_scores() -> None:
    texts = ["wart " * 300, "wart", "nevus wart wart", "nevus"]
    rows, counts = LexicalIndex.build(texts).postings("wart")
    assert (rows.tolist(), counts.tolist()) == ([0, 1, 2], [300, 1, 2])


@pytest.mark.parametrize("query", QUERIES)
def test_without_a_base_the_delta_is_the_whole(query: str) -> None:
    assert layered(0).scores(tokenize(query)) == pytest.approx(lucene_bm25(TEXTS, query), abs=1e-5)


@pytest.mark.parametrize("query", QUERIES)
def test_without_a_delta_the_base_is_the_whole(query: str) -> None:
    assert layered(len(TEXTS)).scores(tokenize(query)) == pytest.approx(lucene_bm25(TEXTS, query), abs=1e-5)


def test_idf_counts_base_and_delta() -> None:
    found = layered(5).idf(tokenize("psoriasis")[0])
    assert found == pytest.approx(math.log(1 + (8 - 3 + 0.5) / (3 + 0.5)))


def test_an_empty_corpus_has_no_scores() -> None:
    empty = LayeredLexical(LexicalIndex.build([]), [])
    assert (len(empty), empty.scores(["psoriasi"]).shape) == (0, (0,))


def test_a_delta_remembers_the_texts_it_shares_with_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(text: str) -> list[str]:
        read.append(text)
        return tokenize(text)

    monkeypatch.setattr("retrieval.lexical.tokenize", counted)
    terms = DeltaTerms()
    assert [terms(text) for text in TEXTS] == [tokenize(text) for text in TEXTS]
    terms.next_delta()
    assert [terms(text) for text in TEXTS[1:]] == [tokenize(text) for text in TEXTS[1:]]
    assert read == list(TEXTS), "what was read before is not read again"
    terms.next_delta()
    assert terms(TEXTS[0]) == tokenize(TEXTS[0])
    assert read == [*TEXTS, TEXTS[0]], "what left the delta is forgotten"
