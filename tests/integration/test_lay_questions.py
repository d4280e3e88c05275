"""What a patient says of the sample's cases finds captions of the same label, better than any leg alone does."""

import csv
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluation.beir import TestCollection
from evaluation.passage_retrieval import build, compare, measure
from retrieval.lexical import tokenize
from retrieval.search import Encoders
from retrieval.view import Collection
from tests.fakes import ROOT

ALL = tomllib.loads((Path(__file__).parent / "lay_captions.toml").read_text("utf-8"))
LAY = {
    case: text for place, (case, text) in enumerate(ALL.items()) if place % 2 == 0
}  # half of them: seconds, not minutes


@pytest.fixture(scope="module")
def captions() -> dict[str, tuple[str, str]]:
    """Label and caption by the number of the picture."""
    with (ROOT / "corpora" / "sample" / "cases" / "manifest.csv").open(encoding="utf-8") as opened:
        return {Path(row["picture"]).stem: (row["label"], row["caption"]) for row in csv.DictReader(opened)}


@pytest.fixture(scope="module")
def index(captions: dict[str, tuple[str, str]], encoders: Encoders) -> Collection:
    texts = {case: caption for case, (_, caption) in captions.items()}
    return build(texts, encoders.captions, lambda _number: None)


@pytest.fixture
def scores_of(
    captions: dict[str, tuple[str, str]], index: Collection, encoders: Encoders
) -> Callable[[dict[str, str]], dict[str, float]]:
    """nDCG@10 of every system. The label's captions are relevant, the own one twice."""

    def compared(queries: dict[str, str]) -> dict[str, float]:
        relevant = {
            case: {other: 1 + (other == case) for other, (label, _) in captions.items() if label == captions[case][0]}
            for case in queries
        }
        collection = TestCollection({}, queries, relevant)
        results = measure(collection, index, encoders.captions, lambda _number: None)
        return {name: of["ndcg@10"] for name, of in compare(results).systems.items()}

    return compared


def without_the_words_of(caption: str, text: str) -> str:
    known = set(tokenize(caption))
    return " ".join(word for word in text.split() if not known & set(tokenize(word)))


def test_the_default_is_not_below_any_other_system(scores_of: Callable[[dict[str, str]], dict[str, float]]) -> None:
    scores = scores_of(LAY)
    assert max(scores, key=lambda name: scores[name]) == "default", scores


def test_nor_where_no_word_is_that_of_the_caption(
    captions: dict[str, tuple[str, str]], scores_of: Callable[[dict[str, str]], dict[str, float]]
) -> None:
    scores = scores_of({case: without_the_words_of(captions[case][1], text) for case, text in LAY.items()})
    assert max(scores, key=lambda name: scores[name]) == "default", scores
