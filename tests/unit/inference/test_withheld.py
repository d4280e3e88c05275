"""Evidence whose licence forbids showing it: id, label and similarity leave the service, and it still votes."""

from dataclasses import asdict
from functools import partial
from typing import Any

import anyio
import pytest

from inference.admission import ServedModels
from inference.lookup import Lookup, SearchOptions
from inference.types import Answer, Consultation, DiagnosisOptions, EvidenceKind, ReportMode
from retrieval.cases import CaseOptions
from retrieval.hybrid import HybridOptions
from tests.fakes import (
    COLOURS,
    Corpus,
    FakeEngine,
    case_of,
    diagnosis,
    naming,
    patch_of,
    picture_of,
    pictures_in,
    served,
    words_in,
)

QUERY = picture_of(patch_of(COLOURS["psoriasis"], 1), "a new picture")
SECRET = "A scaly zyxomatous plaque with thick scale on the elbow."
FREE = "Something that anybody may read of."


@pytest.fixture
def mixed(corpus: Corpus) -> Corpus:
    """Two cases that may not be shown, nearest to the query, and one that may."""
    for number, licence in enumerate(("LicenseRef-no-display", "All rights reserved", "CC0-1.0")):
        caption = FREE if licence == "CC0-1.0" else SECRET
        case = case_of(f"own-{number}", "psoriasis", caption, licence=licence, source=f"secret.org/{number}.jpg")
        rgb = patch_of(COLOURS["psoriasis"], 1 if licence != "CC0-1.0" else 2)
        corpus.add_case(case, rgb)
    return corpus


def ask(corpus: Corpus, models: ServedModels = ServedModels(), **options: Any) -> Answer:
    pipeline = corpus.pipeline(models=models)
    return anyio.run(partial(pipeline.diagnose, Consultation((QUERY,), ""), DiagnosisOptions(**options)))


def test_a_withheld_case_votes_and_shows_id_label_and_similarity_alone(mixed: Corpus) -> None:
    answer = ask(mixed)
    cases = {item.id: item for item in answer.ledger if item.kind is EvidenceKind.CASE}
    hidden = cases["c-own-0"]
    assert (hidden.label, hidden.text, hidden.picture, hidden.start, hidden.end) == ("psoriasis", "", None, 0, 0)
    assert hidden.score > 0
    assert hidden.licence == "LicenseRef-no-display"
    assert cases["c-own-2"].text == FREE
    assert {"c-own-0", "c-own-1"} <= set(answer.trace.voters)


def test_nothing_of_it_stands_anywhere_in_an_answer(mixed: Corpus) -> None:
    told = str(asdict(ask(mixed)))
    stored = mixed.registry.cases(["c-own-0", "c-own-1"])
    assert "zyxomatous" not in told
    assert "secret.org/0" not in told
    assert not any(case.picture in told or case.original in told for case in stored.values())


def test_its_findings_are_not_what_guidelines_are_asked_for(mixed: Corpus) -> None:
    mixed.add_document("guide", ["Psoriasis is treated with creams."])
    answer = ask(mixed)
    assert not any("findings" in part for part in answer.trace.explanations)


def test_a_search_shows_no_more(mixed: Corpus) -> None:
    lookup = Lookup(mixed.reader(), mixed.encoders, mixed.registry, CaseOptions(), HybridOptions())
    found = lookup.search("zyxomatous plaque", None, SearchOptions())
    assert {item.id for item in found.cases} == {"c-own-0", "c-own-2"}  # the same words come once
    assert {item.text for item in found.cases} == {"", FREE}
    assert "zyxomatous" not in str(asdict(found))


def test_it_is_no_reference_of_a_served_model_and_the_next_case_takes_its_place(mixed: Corpus) -> None:
    model = served("hikari-sirius", engine := FakeEngine(naming("psoriasis"), {"psoriasis": 0.9}))
    answer = ask(mixed, ServedModels(disease=model), references=1)
    [request] = engine.completed
    assert FREE in words_in(request)
    assert "zyxomatous" not in words_in(request)
    assert len(pictures_in(request)) == 2  # one reference and the query
    [stage] = answer.trace.stages
    assert [item.id for item in answer.ledger if item.key in stage.references] == ["c-own-2"]
    assert any("2 reference cases were not shown to a model" in warning for warning in answer.warnings)


def test_a_model_that_writes_from_evidence_never_sees_it(mixed: Corpus) -> None:
    model = served("qwen3-vl-8b-instruct", engine := FakeEngine('{"statements": []}'))
    answer = ask(mixed, ServedModels(report=model), report=ReportMode.GROUNDED)
    words = "\n".join(words_in(request) for request in engine.completed + engine.streamed)
    assert FREE in words
    assert "zyxomatous" not in words
    hidden = [item.key for item in diagnosis(answer).ledger if not item.text]
    assert len(hidden) == 2
    assert "] case: secret.org/2.jpg" in words
    assert not any(f"[{key}] case" in words for key in hidden)
