"""Measures of captions against the libraries and at their edges; what each needs and says when it is not there."""

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sacrebleu.metrics.bleu import BLEU

from evaluation.extra import INSTALL
from evaluation.measures.averages import factuality, relevance
from evaluation.measures.bert_score import PRECISION, RECALL, F, bert_score, bert_scorer
from evaluation.measures.bleu import bleu
from evaluation.measures.concepts import concept_f1
from evaluation.measures.measured import Measured
from evaluation.measures.mentions import true_label_stated, wrong_label_stated
from evaluation.measures.meteor import meteor
from evaluation.measures.registry import Better
from evaluation.measures.rouge import rouge
from evaluation.measures.tools import Tools
from evaluation.records import CaseRecord, Result
from evaluation.statistics import compare
from retrieval.errors import EncoderBroken, EncoderMissing

WORDS = "red scaly plaque papule on the arm , with ulcer and crust . violaceous".split()


def captioned(caption: str | None, reference: str | None, label: str = "psoriasis", case: str = "1") -> CaseRecord:
    return CaseRecord(case, "arm", 0, label, Result.CORRECT, label, caption=caption, reference_caption=reference)


def drawn(seed: int, number: int = 40) -> list[CaseRecord]:
    source = random.Random(seed)
    texts = [(source.choices(WORDS, k=source.randint(4, 20)), source.choices(WORDS, k=12)) for _ in range(number)]
    return [captioned(" ".join(a).title(), " ".join(b), case=str(n)) for n, (a, b) in enumerate(texts)]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bleu_is_sacrebleu_s_of_the_whole_corpus(order: int) -> None:
    records = drawn(order)
    theirs = BLEU(lowercase=True, smooth_method="none", max_ngram_order=order).corpus_score(
        [str(one.caption) for one in records], [[str(one.reference_caption) for one in records]]
    )
    assert bleu(records, order).value == pytest.approx(theirs.score / 100)


def test_an_order_without_a_match_makes_bleu_0() -> None:
    records = [captioned("plaque red", "red plaque")]
    assert [bleu(records, order).value for order in (1, 2)] == [1, 0]


def test_synonyms_count_for_meteor_where_they_are_given() -> None:
    records = [captioned("a zit", "a pimple")]
    without, given = meteor(records, {}), meteor(records, {"zit": ("pimple", "spot")})
    assert without.value == pytest.approx((1 / 2 * 1 / 2) / (0.9 / 2 + 0.1 / 2) * (1 - 0.5 * 1**3))
    assert given.value == pytest.approx(1 - 0.5 * (1 / 2) ** 3)
    assert without.details["variant"] == "NLTK, exact and stems"
    assert given.details["variant"] == "NLTK, exact words and stems, 1 words with synonyms"


@pytest.mark.parametrize(
    ("caption", "stated"),
    [
        ("Plaque psoriasis of the elbow.", "asserted"),
        ("No sign of psoriasis.", "negated"),
        ("This may be psoriasis.", "hedged"),
        ("A plaque that resembles psoriasis.", "beside the point"),
        ("This is melanoma.", "another disease"),
        ("A scaly plaque.", "no disease"),
        (" ", "no caption"),
    ],
)
def test_naming_the_disease_is_not_stating_it(caption: str, stated: str) -> None:
    # the second record keeps the arm one that writes captions
    records = [captioned(caption, None), captioned("Psoriasis.", None, case="2")]
    found = true_label_stated(records)
    assert found.details["stated"] == ({"asserted": 2} if stated == "asserted" else {"asserted": 1, stated: 1})
    assert found.value == (1 if stated == "asserted" else 0.5)


def test_a_wrong_disease_counts_only_where_the_right_one_is_not_stated() -> None:
    texts = ["This is melanoma.", "Psoriasis, not melanoma.", "A plaque."]
    assert wrong_label_stated([captioned(one, None, case=one) for one in texts]).value == 1 / 3


def test_a_label_is_also_stated_under_its_other_names() -> None:
    assert true_label_stated([captioned("A bcc on the nose.", None, "basal cell carcinoma")]).value == 1


def test_concepts_are_the_same_in_any_spelling_and_number() -> None:
    found = concept_f1([captioned("Scaly tumours", "a scaly tumor")], None)
    assert found.value == 1
    assert found.details["variant"].endswith("concepts: findings and diseases of this project")


def test_a_reference_without_a_concept_says_nothing() -> None:
    found = concept_f1([captioned("red plaque", "seen at home"), captioned("plaque", "plaque", case="2")], None)
    assert (found.value, found.n) == (1, 1)


# --- what is missing -----------------------------------------------------------------------------------------------


def test_without_a_model_the_average_leaves_its_measures_out_and_says_so() -> None:
    records = [captioned("red plaque", "red plaque")]
    found = relevance(records, Tools())
    assert (found.value, found.details["parts"]) == (1, {"rouge_1": 1})
    assert found.details["missing"] == {
        "picture_similarity": "no model was given that reads pictures and captions",
        "bert_score_recall": "no model was given to compare tokens with",
        "bleurt": "no BLEURT model was given",
    }


def test_an_average_of_nothing_is_missing() -> None:
    found = factuality([captioned("red plaque", None)], Tools())
    assert found.missing == "concept_f1: no case has a reference caption; support_rate: nothing was stated"


def test_averages_of_different_parts_are_not_compared() -> None:
    records = [captioned("red plaque", "red plaque")]
    one, other = relevance(records, Tools()), relevance(records, Tools(similarity=lambda _: 0.5))
    assert compare(one, other, Better.HIGHER).missing == "the arms' values are averages of different parts"


@pytest.mark.parametrize(
    ("library", "missing"),
    [
        ("sacrebleu", lambda records: bleu(records, 1)),
        ("rouge_score", lambda records: rouge(records, "rouge1")),
        ("nltk", lambda records: meteor(records, {})),
    ],
)
def test_a_library_that_is_not_installed_is_named(
    library: str, missing: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    found = missing([captioned("a", "a")])  # type: ignore[operator]
    assert isinstance(found, Measured)
    assert found.missing == f"{library} is not installed: {INSTALL}"


def test_an_unwritten_caption_is_an_empty_one() -> None:
    records = [captioned("red plaque", "red plaque"), captioned(None, "red plaque", case="2")]
    assert rouge(records, "rouge1").value == 0.5
    assert (
        rouge([replace(one, caption=None) for one in records], "rouge1").missing == "no caption was written in this arm"
    )


# --- with the embedded model ---------------------------------------------------------------------------------------


def test_the_embedded_model_finds_the_same_words_the_same_and_a_related_word_nearer_than_another() -> None:
    scorer = bert_scorer()
    same, related, other, none = scorer.of(
        [
            ("Red plaque.", "Red plaque."),
            ("red skin lesion", "red plaque"),
            ("bank account", "red plaque"),
            (" ", "red"),
        ]
    )
    assert same == pytest.approx((1, 1, 1), abs=1e-5)
    assert related[F] > other[F] > 0
    assert none == (0, 0, 0)


def test_a_folder_without_a_model_and_a_broken_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(EncoderMissing, match="name the model's own folder"):
        bert_scorer(tmp_path)
    (tmp_path / "config.json").write_text("{", "utf-8")
    with pytest.raises(EncoderBroken, match="get its files again"):
        bert_scorer(tmp_path)


def test_precision_and_recall_change_places_with_caption_and_reference() -> None:
    scorer = bert_scorer()
    there, back = scorer.of(
        [("red plaque", "a red plaque with thick scale"), ("a red plaque with thick scale", "red plaque")]
    )
    assert (there[PRECISION], there[RECALL]) == pytest.approx((back[RECALL], back[PRECISION]))
    assert there[PRECISION] > there[RECALL]


def test_texts_encoded_together_are_those_encoded_alone() -> None:
    texts = ["red", "a long and violaceous plaque with crust", "papule"]
    pairs = [(one, "red plaque") for one in texts]
    alone = [bert_scorer().of([one])[0] for one in pairs]
    together = bert_scorer().of(pairs)
    assert [value for one in together for value in one] == pytest.approx(
        [value for one in alone for value in one], abs=1e-5
    )
    assert bert_score([captioned(*one, case=one[0]) for one in pairs], bert_scorer(), RECALL).value == pytest.approx(
        sum(one[RECALL] for one in alone) / 3, abs=1e-5
    )
