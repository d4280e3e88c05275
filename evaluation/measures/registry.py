"""Every measure by name, in the order in which a report shows them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from operator import attrgetter
from typing import Any

from evaluation.measures import (
    accuracy,
    agreement,
    averages,
    bert_score,
    bleu,
    calibration,
    citations,
    concepts,
    copying,
    cost,
    coverage,
    mentions,
    meteor,
    neighbours,
    per_label,
    rouge,
)
from evaluation.measures.labels_seen import ANSWERED
from evaluation.measures.measured import Measured
from evaluation.measures.tools import Tools
from evaluation.records import CaseRecord, Result


class Better(StrEnum):
    """Which way a measure improves."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"  # says something, but neither way is better by itself


Records = Sequence[CaseRecord]
Of = Callable[[Records, Tools], Measured]


@dataclass(frozen=True, slots=True)
class Measure:
    """`of` computes it from the records of one arm. `unit`: "share" (0..1), "score", "ms" or "tokens". `says`: one sentence."""

    name: str
    family: str
    of: Of
    says: str
    better: Better = Better.HIGHER
    unit: str = "share"


def _plain(of: Callable[..., Measured], **given: Any) -> Of:
    """A measure of records alone."""
    return partial(_without_tools, partial(of, **given))


def _with(tool: str, of: Callable[..., Measured], **given: Any) -> Of:
    """A measure of records with one of the tools."""
    return partial(_with_tool, attrgetter(tool), partial(of, **given))


def _without_tools(of: Callable[[Records], Measured], records: Records, _tools: Tools) -> Measured:
    return of(records)


def _with_tool(
    tool: Callable[[Tools], Any], of: Callable[[Records, Any], Measured], records: Records, tools: Tools
) -> Measured:
    return of(records, tool(tools))


def _family(family: str, *rows: tuple[str, Of, str, Better, str]) -> tuple[Measure, ...]:
    return tuple(Measure(name, family, of, says, better, unit) for name, of, says, better, unit in rows)


_UP, _DOWN, _OPEN = Better.HIGHER, Better.LOWER, Better.NEITHER

ANSWERS = _family(
    "answers",
    ("accuracy", _plain(accuracy.accuracy), "right answers of all cases; no answer is not right", _UP, "share"),
    ("accuracy_of_answered", _plain(accuracy.accuracy_of_answered), "right answers of those given", _UP, "share"),
    (
        "first_label_accuracy",
        _plain(accuracy.first_label_accuracy),
        "first label right, also where declined",
        _UP,
        "share",
    ),
    ("top_3_accuracy", _plain(accuracy.top_k, k=3), "answered, truth among the first 3", _UP, "share"),
    ("top_5_accuracy", _plain(accuracy.top_k, k=5), "answered, truth among the first 5", _UP, "share"),
    ("balanced_accuracy", _plain(per_label.balanced_accuracy), "mean sensitivity of the labels", _UP, "share"),
    ("macro_f1", _plain(per_label.macro_f1), "mean F1 of the labels", _UP, "share"),
    ("cohens_kappa", _plain(agreement.cohens_kappa), "agreement with the truth beyond chance", _UP, "score"),
    ("mcc", _plain(agreement.matthews), "Matthews' correlation with the truth", _UP, "score"),
)
OUTCOMES = _family(
    "outcomes",
    ("coverage", _plain(accuracy.share_of, results=ANSWERED), "cases answered", _OPEN, "share"),
    (
        "abstained",
        _plain(accuracy.share_of, results={Result.ABSTAINED}),
        "cases on which the service declined",
        _OPEN,
        "share",
    ),
    ("unparsed", _plain(accuracy.share_of, results={Result.UNPARSED}), "answers that name no label", _DOWN, "share"),
    ("failed", _plain(accuracy.share_of, results={Result.FAILED}), "cases that nobody answered", _DOWN, "share"),
)
CERTAINTY = _family(
    "certainty",
    (
        "ece",
        _plain(calibration.calibration_error),
        "distance of confidence and accuracy, 10 equal bins",
        _DOWN,
        "share",
    ),
    ("brier", _plain(calibration.brier), "squared error of the probabilities, 0 to 2", _DOWN, "score"),
    ("aurc", _plain(coverage.aurc), "mean error while ever more cases are answered, surest first", _DOWN, "share"),
)
NEIGHBOURS = _family(
    "reference cases",
    ("label_recall@1", _plain(neighbours.label_recall, k=1), "nearest case has the label", _UP, "share"),
    ("label_recall@5", _plain(neighbours.label_recall, k=5), "one of 5 has the label", _UP, "share"),
    ("label_ndcg@5", _with("shelf", neighbours.label_ndcg, k=5), "those first, of 5", _UP, "share"),
    ("neighbour_agreement@5", _plain(neighbours.neighbour_agreement, k=5), "of 5 with it", _UP, "share"),
)


def _bleu(order: int) -> tuple[str, Of, str, Better, str]:
    says = f"runs of up to {order} words in common, all captions together"
    return f"bleu_{order}", _plain(bleu.bleu, order=order), says, _UP, "score"


def _bert(name: str, part: int) -> tuple[str, Of, str, Better, str]:
    says = "likeness of the words in context"
    return name, _with("bert", bert_score.bert_score, part=part), says, _UP, "score"


CAPTIONS = _family(
    "captions",
    *(_bleu(order) for order in range(1, bleu.ORDERS + 1)),
    ("rouge_1", _plain(rouge.rouge, kind="rouge1"), "words in common", _UP, "score"),
    ("rouge_2", _plain(rouge.rouge, kind="rouge2"), "pairs of words in common", _UP, "score"),
    ("rouge_l", _plain(rouge.rouge, kind="rougeL"), "longest common sequence of words", _UP, "score"),
    ("meteor", _with("synonyms", meteor.meteor), "words and stems, in order", _UP, "score"),
    _bert("bert_score_precision", bert_score.PRECISION),
    _bert("bert_score_recall", bert_score.RECALL),
    _bert("bert_score_f1", bert_score.F),
    ("true_label_stated", _plain(mentions.true_label_stated), "captions that assert the true label", _UP, "share"),
    ("wrong_label_stated", _plain(mentions.wrong_label_stated), "captions that assert another only", _DOWN, "share"),
    ("concept_f1", _with("terms", concepts.concept_f1), "same findings named", _UP, "score"),
    (
        "picture_similarity",
        _with("similarity", averages.picture_similarity),
        "likeness of picture and caption",
        _UP,
        "score",
    ),
    ("bleurt", _with("bleurt", averages.bleurt), "a trained model's judgement", _UP, "score"),
    ("relevance", averages.relevance, "mean of picture likeness, BERTScore recall, ROUGE-1, BLEURT", _UP, "score"),
    ("factuality", averages.factuality, "mean of concept F1 and support rate", _UP, "score"),
)
CITATIONS = _family(
    "citations",
    ("citation_precision", _plain(citations.citation_precision), "citations that hold", _UP, "share"),
    ("citation_recall", _plain(citations.citation_recall), "statements with support", _UP, "share"),
    ("verbatim_share", _plain(citations.verbatim_share), "quotes that are there byte for byte", _UP, "share"),
    ("support_rate", _plain(citations.support_rate), "mean share of a case's statements with support", _UP, "share"),
)
COPYING = _family(
    "copying",
    ("copied_first", _plain(copying.copied_first), "answer is the nearest exemplar's label", _OPEN, "share"),
    ("copied_most", _plain(copying.copied_most), "answer is the label most exemplars show", _OPEN, "share"),
    ("copied_wrong", _plain(copying.copied_wrong), "the same, where that label is not the truth", _DOWN, "share"),
    ("copied_over_chance", _plain(copying.copied_over_chance), "copied most, less what chance gives", _OPEN, "score"),
)
COST = _family(
    "cost",
    ("latency_p50", _plain(cost.latency, share=0.5), "half of the cases take no longer", _DOWN, "ms"),
    ("latency_p95", _plain(cost.latency, share=0.95), "19 of 20 cases take no longer", _DOWN, "ms"),
    ("prompt_tokens", _plain(cost.prompt_tokens), "tokens read per case", _DOWN, "tokens"),
    ("completion_tokens", _plain(cost.completion_tokens), "tokens written per case", _DOWN, "tokens"),
)

MEASURES: tuple[Measure, ...] = (
    *ANSWERS, *OUTCOMES, *CERTAINTY, *NEIGHBOURS, *CAPTIONS, *CITATIONS, *COPYING, *COST
)  # fmt: skip
_BY_NAME = {one.name: one for one in MEASURES}


def measure(name: str) -> Measure:
    """The measure called `name`. Raises KeyError."""
    return _BY_NAME[name]
