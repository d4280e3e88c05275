"""Whatever an answer says, its bundle is FHIR R4 and its card keeps the bounds of CDS Hooks."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.cds_cards import card_of, marked
from api.fhir import About, bundle_of
from inference.types import Answer, Diagnosis
from tests.answers import answers, texts
from tests.fhir_checks import must_be_r4, resources

WHEN = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
ABOUT = About(WHEN, "http://127.0.0.1:8000", ("9f" * 32,), "Patient/123")
slow = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@slow
@given(answers, st.sampled_from([None, "Patient/123", "https://ehr.example/fhir/Patient/7"]))
def test_every_answer_is_fhir(answer: Answer, patient: str | None) -> None:
    bundle = bundle_of(answer, About(WHEN, "https://skin.example", patient=patient))
    must_be_r4(bundle)
    [report] = resources(bundle, "DiagnosticReport")
    assert len(report["result"]) == len(resources(bundle, "Observation"))
    assert len(resources(bundle, "DocumentReference")) == len(answer.ledger)
    assert ("conclusionCode" in report) == (isinstance(answer, Diagnosis) and bool(answer.candidates))


@slow
@given(answers)
def test_ids_follow_from_content_alone(answer: Answer) -> None:
    bundle = bundle_of(answer, ABOUT)
    elsewhere = About(WHEN.astimezone(timezone(timedelta(hours=5))), ABOUT.base, ABOUT.pictures, ABOUT.patient)
    assert bundle_of(answer, elsewhere) == bundle
    other = bundle_of(answer, About(WHEN, ABOUT.base, ("00" * 32,), ABOUT.patient))
    assert not {one["id"] for one in resources(other)} & {one["id"] for one in resources(bundle)}


@slow
@given(answers)
def test_every_answer_is_a_card(answer: Answer) -> None:
    card = card_of(answer, ABOUT)
    assert 0 < len(card.summary) < 140
    assert card.summary.endswith("(Research use, not a diagnosis)")
    assert "\n" not in card.summary
    assert all(link.url.startswith(f"{ABOUT.base}/v1/") and link.label for link in card.links)


@given(texts)
def test_text_in_markdown_stays_text(words: str) -> None:
    """Each sign that could begin markup has an odd number of backslashes before it: it is escaped, and so is each of those."""
    told = marked(words)
    assert "\n" not in told
    escaped = False
    for sign in told:
        assert escaped or sign not in "`*_[]<>!|~&#:@$"
        escaped = sign == "\\" and not escaped
    assert not escaped
