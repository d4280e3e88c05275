"""Whole results, held to files. A change here is a change of what users see: renew with `--renew-golden` and read it.

.venv/bin/pytest tests/golden --renew-golden
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from api.fhir import About, bundle_of
from inference.types import Consultation, Diagnosis
from retrieval import search
from retrieval.cases import CaseOptions
from retrieval.hybrid import HybridOptions
from retrieval.leakage import Probe
from retrieval.types import Ranking
from tests.conftest import MatchesGolden
from tests.fakes import COLOURS, Corpus, fill, patch_of, picture_of

NOTE = "Silvery scale on the scalp, more than 10% of the body; no pustules"
PICTURE = picture_of(patch_of(COLOURS["psoriasis"], 2), "golden")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Everything in the delta: no child process and no approximate index takes part."""
    corpus = Corpus(Path(tmp_path_factory.mktemp("golden")) / "home")
    fill(corpus)
    yield corpus
    corpus.close()


def rounded(score: float) -> float:
    # Sums differ in the last bits between processors.
    return round(score, 4) + 0.0


def described(ranking: Ranking) -> dict[str, Any]:
    hits = [
        {
            "id": hit.id,
            "score": rounded(hit.score),
            "legs": {name: [rounded(leg.score), leg.rank] for name, leg in hit.legs.items()},
        }
        for hit in ranking.hits
    ]
    return {"hits": hits, "warnings": list(ranking.warnings), "excluded": dict(ranking.excluded)}


def test_rankings_of_passages_and_cases(filled: Corpus, matches_golden: MatchesGolden) -> None:
    view = filled.reader().view()
    pictures = search.encode_pictures(filled.encoders, [PICTURE.rgb])
    probe = Probe(subjects=frozenset({"psoriasis-2"}))
    matches_golden(
        "rankings",
        {
            "passages": described(search.passages(view, filled.encoders, NOTE, HybridOptions(k=3))),
            "cases": described(search.neighbours(view, filled.encoders, pictures, NOTE, probe, CaseOptions(k=6))),
        },
    )


def test_report_of_a_consultation(filled: Corpus, matches_golden: MatchesGolden) -> None:
    answering = filled.pipeline()
    answer = anyio.run(partial(answering.diagnose, Consultation((PICTURE,), NOTE)))
    assert isinstance(answer, Diagnosis)
    matches_golden(
        "report",
        {
            "candidates": [[one.label, rounded(one.probability or 0), list(one.evidence)] for one in answer.candidates],
            "ledger": {item.key: [item.id, list(item.found_by)] for item in answer.ledger},
            "report": [
                {
                    "about": statement.about,
                    "text": statement.text,
                    "citations": [
                        [one.evidence, one.start, one.end, one.page, one.verdict.value] for one in statement.citations
                    ],
                }
                for statement in answer.report
            ],
            "warnings": list(answer.warnings),
        },
    )


def unnamed(bundle: Any) -> Any:
    """With ids by their order and numbers that are the same everywhere: ids follow from all digits of all scores."""
    text = json.dumps(bundle)
    for number, found in enumerate(
        dict.fromkeys(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)), start=1
    ):
        text = text.replace(found, f"id {number}")
    return json.loads(text, parse_float=lambda digits: rounded(float(digits)))


def test_the_answer_to_a_consultation_as_fhir(filled: Corpus, matches_golden: MatchesGolden) -> None:
    card = {"model": "words", "revision": None, "fingerprint": "words-1"}
    told = {"version": "0.1.0", "configuration": "embedded", "preset": "embedded", "encoders": {"captions": card}}
    answer = anyio.run(partial(filled.pipeline(told).diagnose, Consultation((PICTURE,), NOTE, body_site="scalp")))
    about = About(datetime(2026, 3, 2, 10, 15, tzinfo=UTC), "https://skin.example", (PICTURE.sha256,), "Patient/123")
    matches_golden("fhir", unnamed(bundle_of(answer, about)))
