"""A small file with answers that were made up, and the figures of every measure worked out by hand.

case  truth      result     answer     confidence   reference cases shown
c1    melanoma   correct    melanoma   0.8          melanoma, psoriasis
c2    melanoma   wrong      psoriasis  0.6          psoriasis, melanoma, psoriasis
c3    melanoma   abstained (melanoma)  0.55         acne, psoriasis
c4    psoriasis  correct    psoriasis  0.9          psoriasis
c5    psoriasis  wrong      acne       0.5          acne, psoriasis, psoriasis
c6    psoriasis  unparsed
c7    acne       correct    acne       0.75         psoriasis, psoriasis, acne
c8    acne       failed
"""

from collections.abc import Mapping, Sequence
from math import exp, log2, sqrt
from pathlib import Path

import numpy as np
import pytest

from evaluation.measures.bert_score import BertScorer, Tokens
from evaluation.measures.measured import Measured
from evaluation.measures.per_label import label_measures
from evaluation.measures.registry import MEASURES
from evaluation.measures.tools import Tools
from evaluation.records import CaseRecord, read_records
from evaluation.scored import score

FILE = Path(__file__).parent / "data" / "answers.jsonl"
TERMS = {name: (name,) for name in ("nodule", "plaque", "scale", "papule", "melanoma")}
PICTURES = {"c1": 0.6, "c4": 0.4, "c5": 0.2}
IDEAL = sum(1 / log2(rank + 1) for rank in range(1, 6))  # five cases of the label
BREVITY = exp(1 - 13 / 10)  # captions of 5 + 5 + 0 words, references of 7 + 4 + 2

EXPECTED = {
    "accuracy": 3 / 8,
    "accuracy_of_answered": 3 / 5,
    "first_label_accuracy": 4 / 8,
    "top_3_accuracy": 4 / 8,  # c2's truth is the fourth
    "top_5_accuracy": 5 / 8,
    "balanced_accuracy": (1 / 3 + 1 / 3 + 1 / 2) / 3,
    # 1 of 3 found in 1 answer, 1 of 3 in 2, 1 of 2 in 2
    "macro_f1": (2 * 1 / (3 + 1) + 2 * 1 / (3 + 2) + 2 * 1 / (2 + 2)) / 3,
    "cohens_kappa": (3 / 8 - (3 * 1 + 3 * 2 + 2 * 2) / 64) / (1 - (3 * 1 + 3 * 2 + 2 * 2) / 64),
    "mcc": (3 * 8 - (3 * 1 + 3 * 2 + 2 * 2)) / sqrt((64 - (1 + 4 + 4 + 9)) * (64 - (9 + 9 + 4))),
    "coverage": 5 / 8,
    "abstained": 1 / 8,
    "unparsed": 1 / 8,
    "failed": 1 / 8,
    # (0.4, 0.5]: c5; (0.5, 0.6]: c2, c3; (0.7, 0.8]: c1, c7; (0.8, 0.9]: c4
    "ece": (abs(0 - 0.5) + abs(1 - (0.6 + 0.55)) + abs(2 - (0.8 + 0.75)) + abs(1 - 0.9)) / 6,
    "brier": (
        (0.2**2 + 0.2**2)
        + (0.6**2 + 0.2**2 + 0.1**2 + 0.9**2)
        + (0.45**2 + 0.3**2 + 0.15**2)
        + (0.1**2 + 0.1**2)
        + (0.5**2 + 0.3**2 + 0.8**2)
        + (0.25**2 + 0.25**2)
    )
    / 6,
    # surest first: c4, c1, c7 right, c2 wrong, c3 right, c5 wrong, then c6 and c8, which have nothing
    "aurc": (0 + 0 + 0 + 1 / 4 + 1 / 5 + 2 / 6 + 3 / 7 + 4 / 8) / 8,
    "label_recall@1": 2 / 8,
    "label_recall@5": 5 / 8,
    "label_ndcg@5": (1 + 1 / log2(3) + 0 + 1 + (1 / log2(3) + 1 / log2(4)) + 0 + 1 / log2(4) + 0) / IDEAL / 8,
    "neighbour_agreement@5": (1 / 2 + 1 / 3 + 0 + 1 + 2 / 3 + 1 / 3) / 6,
    "bleu_1": BREVITY * 7 / 10,
    "bleu_2": BREVITY * (7 / 10 * 4 / 8) ** (1 / 2),
    "bleu_3": BREVITY * (7 / 10 * 4 / 8 * 3 / 6) ** (1 / 3),
    "bleu_4": BREVITY * (7 / 10 * 4 / 8 * 3 / 6 * 2 / 4) ** (1 / 4),
    "rouge_1": (2 * 5 / (5 + 7) + 2 * 2 / (5 + 4) + 0) / 3,
    "rouge_2": (2 * 4 / (4 + 6) + 0 + 0) / 3,
    "rouge_l": (2 * 5 / (5 + 7) + 2 * 1 / (5 + 4) + 0) / 3,
    # c1: 5 words in 1 run; c4: scale, red and, by its stem, plaques, in 2 runs
    "meteor": (
        (1 * 5 / 7) / (0.9 * 1 + 0.1 * 5 / 7) * (1 - 0.5 * (1 / 5) ** 3)
        + (3 / 5 * 3 / 4) / (0.9 * 3 / 5 + 0.1 * 3 / 4) * (1 - 0.5 * (2 / 3) ** 3)
        + 0
    )
    / 3,
    "bert_score_precision": (5 / 5 + 2 / 5 + 0) / 3,
    "bert_score_recall": (5 / 7 + 2 / 4 + 0) / 3,
    "bert_score_f1": (2 * 5 / (5 + 7) + 2 * 2 / (5 + 4) + 0) / 3,
    "true_label_stated": 1 / 8,
    "wrong_label_stated": 1 / 3,
    "concept_f1": (2 * 2 / (2 + 2) + 2 * 2 / (3 + 2) + 0) / 3,
    "picture_similarity": (0.6 + 0.4 + 0.2) / 3,
    "bleurt": (0.5 + 0.1 + 0.0) / 3,
    "relevance": ((0.6 + 0.4 + 0.2) / 3 + (5 / 7 + 2 / 4) / 3 + (10 / 12 + 4 / 9) / 3 + 0.6 / 3) / 4,
    "factuality": ((1 + 4 / 5 + 0) / 3 + (1 / 2 + 3 / 3) / 2) / 2,
    "citation_precision": (3 + 1) / (4 + 2),
    "citation_recall": (1 + 3) / (2 + 3),
    "verbatim_share": (4 + 1) / (4 + 2),
    "support_rate": (1 / 2 + 3 / 3) / 2,
    "copied_first": 4 / 5,  # all but c7
    "copied_most": 3 / 5,  # c1 (of two labels shown once the nearer), c2, c4
    "copied_wrong": 1 / 2,  # c2 followed psoriasis, c7 did not
    # answers: 1 melanoma, 2 psoriasis, 2 acne; shown: 1 melanoma, 4 psoriasis
    "copied_over_chance": 3 / 5 - (1 * 1 + 2 * 4 + 2 * 0) / 25,
    "latency_p50": 400,
    "latency_p95": 600 + 0.7 * 100,  # place 0.95 · 6 = 5.7 of 0..6
    "prompt_tokens": 150,
    "completion_tokens": 20,
}
COUNTED = {
    **dict.fromkeys(EXPECTED, 8),
    "accuracy_of_answered": 5, "ece": 6, "brier": 6, "neighbour_agreement@5": 6, "wrong_label_stated": 3,
    **dict.fromkeys((name for name in EXPECTED if name.startswith(("bleu", "rouge", "bert", "meteor", "concept"))), 3),
    "picture_similarity": 3, "relevance": 3, "factuality": 3,
    "citation_precision": 2, "citation_recall": 2, "verbatim_share": 2, "support_rate": 2,
    "copied_first": 5, "copied_most": 5, "copied_wrong": 2, "copied_over_chance": 5,
    "latency_p50": 7, "latency_p95": 7, "prompt_tokens": 2, "completion_tokens": 2,
}  # fmt: skip


def one_hot(texts: Sequence[str]) -> list[Tokens]:
    """A model for which two words are alike if they are the same word."""
    words = sorted({word for text in texts for word in text.split()})
    places = [[words.index(word) for word in text.split()] for text in texts]
    return [(np.eye(len(words), dtype=np.float32)[one], np.ones(len(one), dtype=np.bool_)) for one in places]


def likeness(record: CaseRecord) -> float | None:
    return PICTURES.get(record.case)


def judged(pairs: Sequence[tuple[str, str]]) -> list[float]:
    return [0.5 if "nodule" in caption else 0.1 if caption else 0.0 for caption, _ in pairs]


TOOLS = Tools(bert=BertScorer(one_hot, "words"), terms=TERMS, similarity=likeness, bleurt=judged)


@pytest.fixture(scope="module")
def table() -> Mapping[str, Measured]:
    return score(read_records(FILE), "shown", TOOLS)


def test_every_measure_has_a_figure_here() -> None:
    assert [one.name for one in MEASURES] == list(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_figure_is_the_one_worked_out_by_hand(table: Mapping[str, Measured], name: str) -> None:
    assert table[name].missing is None
    assert table[name].value == pytest.approx(EXPECTED[name])
    assert table[name].n == COUNTED[name]


def test_each_result_is_counted_apart(table: Mapping[str, Measured]) -> None:
    assert table["accuracy"].details["results"] == {
        "correct": 3, "wrong": 2, "unparsed": 1, "abstained": 1, "failed": 1
    }  # fmt: skip


def test_the_confusion_shows_what_was_answered_and_where_nothing_was(table: Mapping[str, Measured]) -> None:
    assert table["balanced_accuracy"].details["confusion"] == {
        "acne": {"": 1, "acne": 1},
        "melanoma": {"": 1, "melanoma": 1, "psoriasis": 1},
        "psoriasis": {"": 1, "acne": 1, "psoriasis": 1},
    }


def test_each_label_has_its_sensitivity_and_predictive_value() -> None:
    own = [record for record in read_records(FILE) if record.arm == "shown"]
    found = {label: (one.sensitivity.value, one.ppv.value) for label, one in label_measures(own).items()}
    assert found == {"acne": (1 / 2, 1 / 2), "melanoma": (1 / 3, 1 / 1), "psoriasis": (1 / 3, 1 / 2)}


def test_the_curve_says_what_a_threshold_would_give(table: Mapping[str, Measured]) -> None:
    curve = table["aurc"].details["curve"]
    assert curve[3] == {"threshold": 0.6, "coverage": 4 / 8, "accuracy": 3 / 4}
    assert [point["coverage"] for point in curve] == [1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8]


def test_the_captions_are_told_apart_by_what_they_say_of_the_truth(table: Mapping[str, Measured]) -> None:
    counts = {"asserted": 1, "negated": 1, "no disease": 1, "no caption": 5}
    assert table["true_label_stated"].details["stated"] == counts


def test_steps_are_timed_by_themselves(table: Mapping[str, Measured]) -> None:
    assert table["latency_p50"].details["steps"] == {"cases": 50, "total": 400}


def test_an_arm_without_records_has_no_figure_and_says_why() -> None:
    for name, measured in score(read_records(FILE), "nobody", TOOLS).items():
        assert (measured.value, measured.n) == (None, 0), name
        assert measured.missing, name


def test_what_was_not_written_down_is_missing_and_not_0() -> None:
    found = score(read_records(FILE), "other")
    there = {name: measured.value for name, measured in found.items() if measured.missing is None}
    assert there == {
        "accuracy": 0, "accuracy_of_answered": 0, "first_label_accuracy": 0, "balanced_accuracy": 0, "macro_f1": 0,
        "cohens_kappa": 0, "mcc": 0, "coverage": 1, "abstained": 0, "unparsed": 0, "failed": 0,
    }  # fmt: skip


def test_the_rows_of_every_measure_combine_into_its_value(table: Mapping[str, Measured]) -> None:
    for name, measured in table.items():
        assert measured.combine(measured.rows) == pytest.approx(measured.value), name
        assert len(measured.rows) == len(measured.units) == 8, name
