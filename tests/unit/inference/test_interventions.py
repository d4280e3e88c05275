"""What studies change of that which retrieval gave: the answer shows it, and nothing else is changed."""

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import numpy as np
import pytest

from inference.account import UNCALIBRATED
from inference.admission import ServedModels
from inference.interventions import (
    NO_ORACLE,
    ONE_LABEL,
    Frozen,
    Intervention,
    InTurn,
    Nothing,
    OracleExemplars,
    RandomExemplars,
    Reversed,
    ShuffledLabels,
    Without,
)
from inference.keeping import Keeper
from inference.retrieved import CaseSearch, Neighbours
from inference.types import Answer, Consultation, Diagnosis, DiagnosisOptions, Evidence, EvidenceKind
from tests.fakes import (
    CAPTIONS,
    COLOURS,
    Corpus,
    FakeEngine,
    abstention,
    case_of,
    diagnosis,
    naming,
    patch_of,
    picture_of,
    pictures_in,
    served,
    words_in,
)

PSORIASIS = picture_of(patch_of(COLOURS["psoriasis"], 1), "a new picture")
SCALY = Consultation((PSORIASIS,), "scaly plaque")
KNOWN = picture_of(patch_of(COLOURS["psoriasis"], 1), "psoriasis-1")  # the very picture of a reference case
OWN = {f"c-{label.split()[0]}-{number}": label for label in CAPTIONS for number in range(4)}


def ask(
    corpus: Corpus, intervention: Intervention | None = None, *, models: ServedModels = ServedModels(),
    consultation: Consultation = SCALY, **options: Any,
) -> Answer:  # fmt: skip
    pipeline = corpus.pipeline(models=models)
    pipeline = pipeline if intervention is None else pipeline.under(intervention)
    return anyio.run(partial(pipeline.diagnose, consultation, DiagnosisOptions(**options)))


def timeless(answer: Answer) -> Answer:
    return replace(answer, trace=replace(answer.trace, timings_ms={}))


def cases(answer: Answer) -> list[Evidence]:
    return [item for item in answer.ledger if item.kind is EvidenceKind.CASE]


def passages(answer: Answer) -> list[Evidence]:
    return [item for item in answer.ledger if item.kind is EvidenceKind.PASSAGE]


class Seen(Intervention):
    """Remembers the neighbours that another intervention makes."""

    def __init__(self, other: Intervention) -> None:
        self.other = other
        self.before, self.after = Neighbours(), Neighbours()

    def neighbours(self, found: Neighbours, search: CaseSearch) -> Neighbours:
        self.before, self.after = found, self.other.neighbours(found, search)
        return self.after


def seen(corpus: Corpus, intervention: Intervention, **given: Any) -> Seen:
    one = Seen(intervention)
    ask(corpus, one, **given)
    return one


# --- none, and any -------------------------------------------------------------------------------------------------


def test_an_intervention_that_changes_nothing_gives_the_answer_of_none(shared: Corpus) -> None:
    assert timeless(ask(shared, Nothing())) == timeless(ask(shared))
    assert ask(shared).trace.configuration["intervention"] is None


@pytest.mark.parametrize(
    "intervention",
    [
        Without(frozenset({"c-psoriasis-0"})),
        ShuffledLabels(1),
        Reversed(),
        RandomExemplars(1),
        OracleExemplars("psoriasis"),
        Frozen.of([("c-psoriasis-0", 0.9)]),
        InTurn((RandomExemplars(1), ShuffledLabels(1))),
    ],
)
def test_every_answer_under_an_intervention_says_so(shared: Corpus, intervention: Intervention) -> None:
    answer = ask(shared, intervention)
    assert intervention.name
    assert intervention.name in answer.warnings[0]
    assert answer.trace.configuration["intervention"] == intervention.name


def test_the_pipeline_itself_stays_as_it_was(shared: Corpus) -> None:
    pipeline = shared.pipeline()
    changed = pipeline.under(OracleExemplars("melanocytic nevi"))

    async def both() -> tuple[Answer, Answer]:
        consultation = Consultation((PSORIASIS,))
        return await changed.diagnose(consultation), await pipeline.diagnose(consultation)

    under, plain = anyio.run(both)
    assert diagnosis(under).candidates[0].label == "melanocytic nevi"
    assert diagnosis(plain).candidates[0].label == "psoriasis"


def test_an_abstention_says_it_too(shared: Corpus) -> None:
    everything = Without(frozenset(OWN))
    answer = abstention(ask(shared, everything))
    assert answer.reason == "no_reference_cases"
    assert everything.name in answer.warnings[0]
    assert everything.name.endswith("and 7 more")


def test_answers_of_studies_are_not_kept(built: Corpus) -> None:
    pipeline = built.pipeline()
    pipeline._keeper = Keeper(built.registry)

    async def both() -> tuple[Answer, Answer]:
        consultation = Consultation((PSORIASIS,))
        return await pipeline.diagnose(consultation), await pipeline.under(Reversed()).diagnose(consultation)

    plain, under = anyio.run(both)
    assert plain.trace.kept_as is not None
    assert under.trace.kept_as is None


def test_switched_off_cases_and_passages_stay_off(shared: Corpus) -> None:
    frozen = Frozen.of([("c-psoriasis-0", 0.9)], [("p-psoriasis-guide-1", 0.5)])
    assert cases(ask(shared, frozen, cases=False)) == []
    assert passages(ask(shared, frozen, passages=False)) == []


# --- without -------------------------------------------------------------------------------------------------------


def test_a_case_that_is_taken_away_neither_votes_nor_is_shown_and_the_next_moves_up(shared: Corpus) -> None:
    plain = ask(shared, k=2)
    first, second = cases(plain)[:2]
    answer = ask(shared, Without(frozenset({first.id})), k=2)
    assert first.id not in {item.id for item in answer.ledger}
    assert first.id not in answer.trace.voters
    assert (cases(answer)[0].id, cases(answer)[0].score) == (second.id, second.score)
    assert plain.trace.voters[0] == first.id
    assert answer.trace.voters[:-1] == plain.trace.voters[1:]
    assert len(answer.trace.voters) == len(plain.trace.voters)


def test_the_vote_is_taken_anew(shared: Corpus) -> None:
    gone = frozenset(one for one, label in OWN.items() if label == "psoriasis")
    left = ask(shared, Without(gone))
    voted = diagnosis(left).candidates if isinstance(left, Diagnosis) else abstention(left).considered
    assert voted[0].label != "psoriasis"
    assert all(item.label != "psoriasis" for item in cases(left))


def test_a_passage_that_is_taken_away_is_neither_shown_nor_cited(shared: Corpus) -> None:
    plain = diagnosis(ask(shared))
    cited = {one.evidence for statement in plain.report for one in statement.citations}
    gone = next(item for item in passages(plain) if item.key in cited)
    answer = diagnosis(ask(shared, Without(frozenset({gone.id}))))
    assert gone.id not in {item.id for item in answer.ledger}
    assert not any(statement.text in gone.text for statement in answer.report if statement.about == "psoriasis")
    assert [item.id for item in cases(answer)] == [item.id for item in cases(plain)]


def test_what_was_not_found_changes_nothing_when_it_is_taken_away(shared: Corpus) -> None:
    plain, answer = timeless(ask(shared)), timeless(ask(shared, Without(frozenset({"c-nowhere"}))))
    assert answer.ledger == plain.ledger
    assert answer.opinions == plain.opinions
    assert answer.warnings[1:] == plain.warnings


# --- labels --------------------------------------------------------------------------------------------------------


def test_permuted_labels_are_as_frequent_as_before_and_all_else_stays(shared: Corpus) -> None:
    one = seen(shared, ShuffledLabels(3))
    before, after = one.before, one.after
    assert Counter(case.label for case in after.cases.values()) == Counter(case.label for case in before.cases.values())
    assert any(after.cases[case].label != OWN[case] for case in after.cases)
    assert after.ranking.hits == before.ranking.hits
    same = {case: replace(after.cases[case], label=OWN[case], group=before.cases[case].group) for case in after.cases}
    assert same == dict(before.cases)  # pictures, captions and all
    assert after.relabelled == {case: OWN[case] for case in OWN if after.cases[case].label != OWN[case]}


def test_replaced_labels_are_never_the_own_and_always_of_the_label_set(shared: Corpus) -> None:
    after = seen(shared, ShuffledLabels(3, "replaced")).after
    assert all(case.label != OWN[case.id] for case in after.cases.values())
    assert {case.label for case in after.cases.values()} <= set(CAPTIONS)


def test_only_the_first_are_shuffled_where_that_is_asked(shared: Corpus) -> None:
    one = seen(shared, ShuffledLabels(3, "replaced", first=2))
    first = {hit.id for hit in one.before.hits[:2]}
    assert set(one.after.relabelled) == first


def test_a_seed_is_a_shuffle_and_each_consultation_has_its_own(shared: Corpus) -> None:
    def labels(seed: int, name: str) -> list[str]:
        picture = picture_of(PSORIASIS.rgb, name)
        after = seen(shared, ShuffledLabels(seed), consultation=Consultation((picture,))).after
        return [after.cases[hit.id].label for hit in after.hits]

    assert labels(1, "a") == labels(1, "a")
    assert len({tuple(labels(seed, "a")) for seed in range(6)}) > 1
    assert len({tuple(labels(1, name)) for name in "abcdef"}) > 1


def test_vote_and_ledger_see_the_shuffled_label_with_its_group(shared: Corpus) -> None:
    plain, answer = ask(shared), ask(shared, ShuffledLabels(0, "replaced"))
    groups = {item.label: item.group for item in cases(ask(shared, k=12))}
    assert [item.id for item in cases(answer)][:5] == [item.id for item in cases(plain)][:5]
    assert all(item.label != OWN[item.id] for item in cases(answer))
    assert all(item.group == groups[item.label] for item in cases(answer))
    assert answer.opinions.neighbours != plain.opinions.neighbours


def test_a_model_is_shown_the_shuffled_label_beside_the_same_picture(shared: Corpus) -> None:
    def request(intervention: Intervention | None, **options: Any) -> Any:
        engine = FakeEngine(naming("psoriasis"), {"psoriasis": 0.9})
        ask(shared, intervention, models=ServedModels(disease=served("hikari-sirius", engine)), **options)
        return engine.completed[0]

    plain, shuffled = request(None), request(ShuffledLabels(0, "replaced"))
    assert "Reference 1: psoriasis\n" in words_in(plain)
    assert "Reference 1: psoriasis\n" not in words_in(shuffled)
    pairs = zip(pictures_in(plain), pictures_in(shuffled), strict=True)
    assert all((one.rgb == other.rgb).all() for one, other in pairs)
    assert CAPTIONS["psoriasis"] in words_in(shuffled)


def test_masked_captions_do_not_give_the_own_label_away(corpus: Corpus) -> None:
    for label in CAPTIONS:
        corpus.add_case(case_of(label, label, f"A picture of {label}."), patch_of(COLOURS[label]))
        corpus.blobs.put(label.encode())
    engine = FakeEngine(naming("psoriasis"), {"psoriasis": 0.9})
    models = ServedModels(disease=served("hikari-sirius", engine))
    ask(corpus, ShuffledLabels(0, "replaced"), models=models, captions="masked", references=1)
    words = words_in(engine.completed[0])
    assert "Description: A picture of [diagnosis]." in words


def test_with_one_label_there_is_none_to_put_in_its_place_and_the_answer_says_so(corpus: Corpus) -> None:
    corpus.add_case(case_of("1", "psoriasis", CAPTIONS["psoriasis"]), patch_of(COLOURS["psoriasis"], 1))
    answer = ask(corpus, ShuffledLabels(0, "replaced"))
    assert ONE_LABEL in answer.warnings
    assert cases(answer)[0].label == "psoriasis"
    assert UNCALIBRATED in answer.warnings


# --- order ---------------------------------------------------------------------------------------------------------


def test_reversed_references_are_the_same_with_the_nearest_last(shared: Corpus) -> None:
    def shown(intervention: Intervention | None) -> Answer:
        engine = FakeEngine(naming("psoriasis"), {"psoriasis": 0.9})
        return ask(shared, intervention, models=ServedModels(disease=served("hikari-sirius", engine)))

    plain, turned = shown(None), shown(Reversed())
    [before], [after] = plain.trace.stages, turned.trace.stages
    assert len(before.references) > 1
    assert after.references == before.references[::-1]
    assert [item.id for item in turned.ledger] == [item.id for item in plain.ledger]


# --- other exemplars -----------------------------------------------------------------------------------------------


@pytest.fixture
def kin(corpus: Corpus) -> Corpus:
    """A query that is one of the cases, with kin of every sort beside it."""
    colour = COLOURS["psoriasis"]
    corpus.add_case(
        case_of("psoriasis-1", "psoriasis", lesion="L", subject="S", source="https://x.org/1"), patch_of(colour, 1)
    )
    corpus.add_case(case_of("lesion", "psoriasis", lesion="L"), patch_of(colour, 2))
    corpus.add_case(case_of("subject", "acne vulgaris", subject="S"), patch_of(colour, 3))
    corpus.add_case(case_of("origin", "psoriasis", source="https://x.org/1"), patch_of(colour, 5))
    corpus.add_case(case_of("held", "psoriasis", split="test"), patch_of(colour, 6))
    for number in range(4):
        corpus.add_case(case_of(f"free-{number}", "psoriasis"), patch_of(colour, number))
        corpus.add_case(case_of(f"other-{number}", "acne vulgaris"), patch_of(COLOURS["acne vulgaris"], number))
    return corpus


KIN = {f"c-{name}" for name in ("psoriasis-1", "lesion", "subject", "origin", "held")}


@pytest.mark.parametrize("intervention", [*(RandomExemplars(seed) for seed in range(8)), OracleExemplars("psoriasis")])
def test_no_kin_of_the_query_is_ever_drawn(kin: Corpus, intervention: Intervention) -> None:
    after = seen(kin, intervention, consultation=Consultation((KNOWN,))).after
    assert after.hits
    assert not KIN & {hit.id for hit in after.hits}


def test_without_the_guard_kin_is_drawn_as_it_is_found(kin: Corpus) -> None:
    after = seen(kin, OracleExemplars("psoriasis"), consultation=Consultation((KNOWN,)), leak_guard=False).after
    assert "c-psoriasis-1" in {hit.id for hit in after.hits}


def test_random_cases_are_as_many_in_random_order_with_their_own_scores(shared: Corpus) -> None:
    one = seen(shared, RandomExemplars(1))
    own = {hit.id: hit for hit in one.before.hits}
    assert {hit.id: hit for hit in one.after.hits} == own  # of twelve, all twelve
    orders = {tuple(hit.id for hit in seen(shared, RandomExemplars(seed)).after.hits) for seed in range(5)}
    assert len(orders) == 5
    assert one.after.similarity == one.before.similarity


def test_the_draw_is_the_same_after_a_rebuild(built: Corpus) -> None:
    def drawn() -> list[str]:
        return [hit.id for hit in seen(built, RandomExemplars(5)).after.hits]

    before = drawn()
    built.index.publish(built.build())
    assert drawn() == before


def test_a_draw_takes_from_all_that_may_be_shown(corpus: Corpus) -> None:
    for number in range(80):
        corpus.add_case(case_of(f"many-{number}", "psoriasis"), patch_of(COLOURS["psoriasis"], number % 20))
    nearest = {hit.id for hit in seen(corpus, Nothing()).after.hits}
    drawn = {hit.id for hit in seen(corpus, RandomExemplars(0)).after.hits}
    assert len(drawn) == len(nearest) == 50
    assert drawn != nearest


def test_an_oracle_shows_only_the_label_nearest_first(shared: Corpus) -> None:
    one = seen(shared, OracleExemplars("Melanocytic-Nevi"))
    assert {OWN[hit.id] for hit in one.after.hits} == {"melanocytic nevi"}
    of_label = [hit for hit in one.before.hits if OWN[hit.id] == "melanocytic nevi"]
    assert [(hit.id, hit.score) for hit in one.after.hits] == [(hit.id, hit.score) for hit in of_label]


def test_an_oracle_without_cases_says_so(shared: Corpus) -> None:
    answer = abstention(ask(shared, OracleExemplars("wart")))
    assert NO_ORACLE in answer.warnings
    assert cases(answer) == []


# --- stored evidence -----------------------------------------------------------------------------------------------


def test_stored_evidence_answers_in_its_order_and_with_its_scores(shared: Corpus) -> None:
    frozen = Frozen.of([("c-acne-2", 0.7), ("c-psoriasis-0", 0.9)], [("p-acne-guide-2", 0.3)])
    answer = ask(shared, frozen)
    assert [(item.id, item.score) for item in answer.ledger] == [
        ("c-acne-2", 0.7), ("c-psoriasis-0", 0.9), ("p-acne-guide-2", 0.3),
    ]  # fmt: skip
    assert answer.trace.voters == ("c-acne-2", "c-psoriasis-0")


def test_the_ledger_of_an_answer_can_be_given_back(shared: Corpus) -> None:
    plain = ask(shared, k=12)  # all twelve that vote
    again = ask(shared, Frozen.ledger(plain.ledger), k=12)
    assert again.ledger == plain.ledger
    assert again.opinions.neighbours == plain.opinions.neighbours


def test_stored_evidence_that_is_gone_or_kin_is_left_out_and_counted(built: Corpus) -> None:
    frozen = Frozen.of([("c-psoriasis-1", 0.99), ("c-gone", 0.9), ("c-psoriasis-0", 0.8)], [("p-gone", 0.5)])
    answer = ask(built, frozen, consultation=Consultation((KNOWN,)))
    assert [item.id for item in answer.ledger] == ["c-psoriasis-0"]
    assert "2 stored cases are left out: they are gone or may not be shown here" in answer.warnings
    assert "1 stored passages are left out: they are gone or may not be shown here" in answer.warnings


def test_no_stored_cases_are_no_cases(shared: Corpus) -> None:
    assert abstention(ask(shared, Frozen())).reason == "no_reference_cases"


# --- several -------------------------------------------------------------------------------------------------------


def test_each_sees_what_those_before_left(shared: Corpus) -> None:
    both = InTurn((OracleExemplars("psoriasis"), ShuffledLabels(0, "replaced"), Without(frozenset({"c-psoriasis-0"}))))
    after = seen(shared, both).after
    assert {hit.id for hit in after.hits} == {f"c-psoriasis-{number}" for number in (1, 2, 3)}
    assert all(after.cases[hit.id].label != "psoriasis" for hit in after.hits)
    assert both.name.count("; then ") == 2


def test_scores_are_those_of_the_whole_search(shared: Corpus) -> None:
    """What stands beside it changes no case's score."""
    one = seen(shared, OracleExemplars("acne vulgaris"))
    own = {hit.id: hit.score for hit in one.before.hits}
    assert np.allclose(
        [hit.score for hit in one.after.hits], [own[hit.id] for hit in one.after.hits], rtol=0, atol=1e-6
    )
