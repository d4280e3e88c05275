"""What an answer depends on. Retrieval is real; served models are doubles that listen to what they are to be shown to use."""

from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest

from inference import counterfactual
from inference.admission import ServedModels
from inference.counterfactual import (
    MOVED,
    NO_WAY_AROUND,
    UNSTEADY,
    CounterfactualOptions,
    Counterfactuals,
    counterfactuals,
    effect_of,
)
from inference.engines import ChatRequest
from inference.engines.errors import EngineUnreachable
from inference.errors import ConsultationRefused
from inference.interventions import Without
from inference.pipeline import Pipeline
from inference.types import (
    Answer,
    Consultation,
    Diagnosis,
    DiagnosisOptions,
    EngineFailure,
    Evidence,
    EvidenceKind,
)
from tests.fakes import COLOURS, Corpus, FakeEngine, diagnosis, naming, patch_of, picture_of, served, words_in

PSORIASIS = picture_of(patch_of(COLOURS["psoriasis"], 1), "a new picture")
SCALY = Consultation((PSORIASIS,), "scaly plaque on the scalp")


def ask(corpus: Corpus, engine: FakeEngine | None = None, **asked: Any) -> Counterfactuals:
    options = asked.pop("options", DiagnosisOptions())
    models = ServedModels(disease=served("hikari-sirius", engine)) if engine else ServedModels()
    pipeline, consultation = corpus.pipeline(models=models), asked.pop("consultation", SCALY)
    return anyio.run(partial(counterfactuals, pipeline, consultation, options, CounterfactualOptions(**asked)))


def kinds(found: Counterfactuals, keys: tuple[str, ...]) -> set[str]:
    ledger = {item.key: item for item in found.answer.ledger}
    return {ledger[key].kind for key in keys}


def cited_in(answer: Answer) -> set[str]:
    return {one.evidence for statement in diagnosis(answer).report for one in statement.citations}


# --- the vote ------------------------------------------------------------------------------------------------------


def test_every_item_of_the_ledger_is_taken_away_once(shared: Corpus) -> None:
    found = ask(shared)
    assert [one.key for one in found.items] == [item.key for item in found.answer.ledger]
    assert [one.without.intervention for one in found.items] == [f"without {one.id}" for one in found.items]
    unseen = set(found.answer.trace.voters) - {item.id for item in found.answer.ledger}
    assert (found.unshown is not None) == bool(unseen)
    # the answer, again, each, shuffled, all that is cited, all that voted unshown
    assert found.runs == 1 + 1 + len(found.items) + 1 + 1 + bool(unseen)
    assert found.untested == ()


def test_the_answer_is_the_one_that_is_given_without_counterfactuals(shared: Corpus) -> None:
    plain = anyio.run(shared.pipeline().diagnose, SCALY)
    answer = ask(shared).answer
    assert replace(answer, trace=replace(answer.trace, timings_ms={})) == replace(
        plain, trace=replace(plain.trace, timings_ms={})
    )


def test_each_list_is_what_the_runs_show(shared: Corpus) -> None:
    found = ask(shared)
    cited = cited_in(found.answer)
    changed = {one.key for one in found.items if one.without.changed}
    assert {one.key for one in found.items if one.cited} == cited
    assert set(found.depends_on) == changed
    assert set(found.cited_not_used) == cited - changed
    assert set(found.used_not_cited) == changed - cited


def test_a_vote_does_not_depend_on_guidelines_however_much_they_are_cited(shared: Corpus) -> None:
    found = ask(shared)
    assert "passage" in kinds(found, found.cited_not_used)
    assert kinds(found, found.depends_on) <= {"case"}
    lost = {one.key: one.without.statements_lost for one in found.items}
    of_passages = [one for one in found.items if one.kind is EvidenceKind.PASSAGE and one.cited]
    assert all(lost[one.key] > 0 for one in of_passages)
    assert all(one.without.shift == 0 for one in of_passages)


def test_voters_that_nobody_is_shown_are_taken_away_at_once(shared: Corpus) -> None:
    found = ask(shared, options=DiagnosisOptions(k=1))
    unseen = set(found.answer.trace.voters) - {item.id for item in found.answer.ledger}
    assert len(unseen) > len([item for item in found.answer.ledger if item.kind is EvidenceKind.CASE])
    assert found.unshown is not None
    pipeline = shared.pipeline().under(Without(frozenset(unseen)))
    after = anyio.run(partial(pipeline.diagnose, SCALY, DiagnosisOptions(k=1)))
    assert found.unshown == effect_of(Without(frozenset(unseen)), found.answer, after)
    assert found.together is not None
    assert found.together != found.unshown


def test_a_vote_depends_on_the_labels(shared: Corpus) -> None:
    found = ask(shared, shuffles=3)
    assert [one.intervention for one in found.shuffled] == [f"labels replaced, seed {seed}" for seed in range(3)]
    assert found.depends_on_labels is True
    assert all(one.after.probability is not None and one.shift is not None for one in found.shuffled)
    assert min(one.shift for one in found.shuffled if one.shift is not None) < -0.3


def test_without_shuffles_nothing_is_said_of_labels(shared: Corpus) -> None:
    found = ask(shared, shuffles=0)
    assert (found.shuffled, found.depends_on_labels) == ((), None)


def test_the_first_label_is_compared_and_its_probability_before_and_after(shared: Corpus) -> None:
    found = ask(shared)
    first = diagnosis(found.answer).candidates[0]
    assert (found.before.label, found.before.probability) == (first.label, first.probability)
    item = found.items[0]
    again = diagnosis(anyio.run(shared.pipeline().under(Without(frozenset({item.id}))).diagnose, SCALY))
    after = next(one.probability for one in again.candidates if one.label == first.label)
    assert item.without.after.probability == after
    assert item.without.shift == pytest.approx((after or 0) - (first.probability or 0))


def test_nothing_changes_when_nothing_is_changed(shared: Corpus) -> None:
    again = ask(shared).again
    assert (again.changed, again.shift, again.statements_lost, again.intervention) == (False, 0, 0, "nothing changed")


def test_what_is_cited_comes_first_where_runs_are_few(shared: Corpus) -> None:
    everything = ask(shared)
    cited = cited_in(everything.answer)
    found = ask(shared, items=len(cited))
    assert {one.key for one in found.items} == cited
    assert set(found.untested) == {item.key for item in found.answer.ledger} - cited
    assert [one.key for one in found.items] == sorted(cited, key=lambda key: int(key[1:]))


def test_one_that_declines_is_asked_again_too(shared: Corpus) -> None:
    nobody = picture_of(patch_of((0, 255, 0)))
    found = ask(shared, consultation=Consultation((nobody,)))
    assert (found.before.outcome, found.before.reason) == ("abstention", "out_of_domain")
    assert found.items
    assert found.together is None
    assert not any(one.without.abstained for one in found.items)  # it did so before


def test_one_that_looked_at_nothing_has_nothing_to_take_away(shared: Corpus) -> None:
    found = ask(shared, consultation=Consultation((replace(PSORIASIS, sharpness=0.0),)))
    assert (found.items, found.shuffled, found.together, found.runs) == ((), (), None, 2)


def test_an_answer_without_its_only_case_is_none(corpus: Corpus) -> None:
    from tests.fakes import case_of  # one corpus of one case

    corpus.add_case(case_of("1", "psoriasis", "A plaque with scale."), patch_of(COLOURS["psoriasis"], 1))
    found = ask(corpus)
    [item] = found.items
    assert item.without.abstained
    assert item.without.after == counterfactual.Standpoint("abstention", "no_reference_cases", None, None)
    assert item.without.shift is None
    assert found.depends_on == ("E1",)
    assert found.unshown is None  # all that voted is in the ledger


# --- effects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("moved", "changed"), [(MOVED / 2, False), (MOVED, True), (-MOVED, True)])
def test_a_probability_that_moves_far_enough_is_another_answer(shared: Corpus, moved: float, changed: bool) -> None:
    before = diagnosis(anyio.run(shared.pipeline().diagnose, SCALY))
    at_half = replace(before, candidates=(replace(before.candidates[0], probability=0.5),))
    after = replace(before, candidates=(replace(before.candidates[0], probability=0.5 + moved * 1.0001),))
    effect = effect_of(Without(frozenset({"c-1"})), at_half, after)
    assert effect.changed is changed
    assert effect.shift == pytest.approx(moved * 1.0001)


def test_another_first_label_is_another_answer_however_little_moved(shared: Corpus) -> None:
    before = diagnosis(anyio.run(shared.pipeline().diagnose, SCALY))
    first, second = (replace(one, probability=0.5) for one in before.candidates[:2])
    before, after = replace(before, candidates=(first, second)), replace(before, candidates=(second, first))
    effect = effect_of(Without(frozenset({"c-1"})), before, after)
    assert (effect.changed, effect.shift, effect.after.label) == (True, 0, second.label)


# --- served models -------------------------------------------------------------------------------------------------


def test_a_model_that_copies_its_references_depends_on_their_labels(shared: Corpus) -> None:
    def copied(request: ChatRequest) -> str:
        return next(
            line.partition(": ")[2] for line in words_in(request).splitlines() if line.startswith("Reference 1")
        )

    engine = FakeEngine(
        lambda request: naming(copied(request))(request), lambda request: {copied(request): 0.9}
    )  # fmt: skip
    found = ask(shared, engine, options=DiagnosisOptions(passages=False))
    assert diagnosis(found.answer).candidates[0].label == "psoriasis"
    assert found.depends_on_labels is True
    assert found.shuffled[0].after.label != "psoriasis"


def test_a_model_that_looks_at_the_picture_alone_does_not(shared: Corpus) -> None:
    found = ask(shared, FakeEngine(naming("psoriasis"), {"psoriasis": 0.9}), options=DiagnosisOptions(passages=False))
    assert found.depends_on == ()
    used = {one.key for one in found.items if one.used_in}
    assert used
    assert {one.key for one in found.items if one.cited} == set(found.cited_not_used)


def test_chance_is_told_from_effect(shared: Corpus) -> None:
    answers = iter(["psoriasis", *["melanocytic nevi"] * 50])
    said: dict[int, str] = {}

    def fickle(request: ChatRequest) -> dict[str, float]:
        return {said.setdefault(id(request.messages), next(answers)): 0.9}

    engine = FakeEngine(naming("psoriasis"), fickle)
    found = ask(shared, engine, items=1, options=DiagnosisOptions(passages=False, constrain=True))
    assert found.again.changed
    assert UNSTEADY in found.warnings


def test_a_model_that_fails_is_an_error_and_ends_the_other_runs(shared: Corpus) -> None:
    failing = FakeEngine("", fails={"complete": EngineUnreachable("nobody answers")})
    with pytest.raises(EngineUnreachable):
        ask(shared, failing)
    assert failing.at_work == 0


# --- bounds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{"items": 0}, {"items": 61}, {"shuffles": -1}, {"shuffles": 11}])
def test_limits_are_refused_before_any_work(shared: Corpus, asked: dict[str, Any]) -> None:
    with pytest.raises(ConsultationRefused, match=r"items|shuffles"):
        ask(shared, **asked)


def test_a_way_around_a_failure_is_refused(shared: Corpus) -> None:
    with pytest.raises(ConsultationRefused, match="one way") as refused:
        ask(shared, options=DiagnosisOptions(on_engine_failure=EngineFailure.EXEMPLAR))
    assert str(refused.value) == NO_WAY_AROUND


def test_progress_counts_every_run_up_to_all_of_them(shared: Corpus) -> None:
    told: list[tuple[int, int]] = []
    pipeline = shared.pipeline()
    found = anyio.run(
        partial(counterfactuals, pipeline, SCALY, progress=lambda done, of: told.append((done, of)))
    )  # fmt: skip
    assert told == [(number, found.runs) for number in range(1, found.runs + 1)]


def test_no_more_run_at_once_than_allowed(shared: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    real = Pipeline.diagnose

    async def counted(self: Pipeline, *given: Any) -> Answer:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await real(self, *given)
        finally:
            running -= 1

    monkeypatch.setattr(Pipeline, "diagnose", counted)
    assert len(ask(shared).items) > counterfactual.AT_ONCE
    assert most == counterfactual.AT_ONCE


def test_the_ledger_is_made_of_what_is_there(shared: Corpus) -> None:
    """A guard of the tests above: they mean nothing on an answer without cited cases and passages."""
    answer = ask(shared, items=1).answer
    assert isinstance(answer, Diagnosis)
    by_key: dict[str, Evidence] = {item.key: item for item in answer.ledger}
    assert {by_key[key].kind for key in cited_in(answer)} == {EvidenceKind.CASE, EvidenceKind.PASSAGE}
