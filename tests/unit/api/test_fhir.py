"""What a bundle says of an answer, and what it must never say."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from api import examples, fhir_examples
from api.fhir import About, bundle_of
from api.fhir.bundle import _checked
from api.fhir.elements import AI_ASSERTED
from inference.types import (
    Abstention,
    Answer,
    Candidate,
    Citation,
    Diagnosis,
    Evidence,
    EvidenceKind,
    Narrative,
    ReportMode,
    StageRecord,
    Statement,
    Verdict,
)
from knowledge.types import Standing
from tests.fhir_checks import must_be_r4, resolved, resources

ABOUT = About(datetime(2026, 3, 2, 10, 15, 30, 999_000, tzinfo=UTC), "https://skin.example", ("9f" * 32,))
DIAGNOSIS = msgspec.convert(examples.DIAGNOSIS, Diagnosis)
ABSTENTION = msgspec.convert(examples.ABSTENTION, Abstention)
CASE, PASSAGE = DIAGNOSIS.ledger


def made(answer: Answer, **about: Any) -> dict[str, Any]:
    bundle = bundle_of(answer, replace(ABOUT, **about))
    must_be_r4(bundle)
    return bundle


def one(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    [found] = resources(bundle, kind)
    return found


def titled(bundle: dict[str, Any], title: str) -> dict[str, Any]:
    [found] = [one for one in resources(bundle, "Observation") if one["code"]["text"].startswith(title)]
    return found


def test_the_documented_bundle_is_one() -> None:
    must_be_r4(fhir_examples.BUNDLE)


def test_a_report_is_unverified_and_says_so_first() -> None:
    report = one(made(DIAGNOSIS), "DiagnosticReport")
    assert report["status"] == "partial"  # "preliminary" would say that results have been verified
    assert report["conclusion"].startswith("Research use: decision support for clinicians, not a diagnosis.")
    assert report["text"]["div"].index("not a diagnosis") < report["text"]["div"].index("psoriasis")
    assert report["conclusionCode"] == [{"text": "psoriasis"}]
    assert report["issued"] == "2026-03-02T10:15:30Z"


def test_every_claim_is_marked_as_made_by_software_and_evidence_is_not() -> None:
    bundle = made(DIAGNOSIS)
    marked = {one["resourceType"] for one in resources(bundle) if one.get("meta", {}).get("security") == [AI_ASSERTED]}
    assert marked == {"DiagnosticReport", "Observation", "Provenance"}
    assert bundle["meta"]["security"] == [AI_ASSERTED]
    assert not any("meta" in one for kind in ("DocumentReference", "Device") for one in resources(bundle, kind))


def test_nobody_is_the_subject_unless_the_caller_says_so() -> None:
    assert "Patient" not in json.dumps(made(DIAGNOSIS))
    named = made(DIAGNOSIS, patient="Patient/123")
    about = [one for kind in ("DiagnosticReport", "Observation") for one in resources(named, kind)]
    assert all(one["subject"] == {"reference": "Patient/123"} for one in about)
    assert json.dumps(named).count("Patient/123") == len(about)
    assert not resources(named, "Patient")


def test_pictures_are_named_nowhere() -> None:
    assert ABOUT.pictures[0] not in json.dumps(made(DIAGNOSIS))


def test_candidates_have_their_probabilities_and_no_invented_code() -> None:
    observation = titled(made(DIAGNOSIS), "Candidate diagnoses")
    assert observation["valueCodeableConcept"] == {"text": "psoriasis"}
    assert [part["code"] for part in observation["component"]] == [{"text": "psoriasis"}, {"text": "lichen planus"}]
    assert observation["component"][1]["valueQuantity"] == {
        "value": 0.12, "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"
    }  # fmt: skip


def test_a_label_is_written_as_people_read_it() -> None:
    shown = Candidate("squamous cell carcinoma in situ", 0.5, None, (), "Bowen's disease")
    bundle = made(replace(DIAGNOSIS, candidates=(shown,)))
    assert titled(bundle, "Candidate diagnoses")["valueCodeableConcept"] == {"text": "Bowen's disease"}


def test_a_probability_that_nobody_knows_is_absent_and_not_zero() -> None:
    bundle = made(replace(DIAGNOSIS, candidates=(Candidate("psoriasis", None, None, ()),)))
    [part] = titled(bundle, "Candidate diagnoses")["component"]
    assert "valueQuantity" not in part
    assert part["dataAbsentReason"]["coding"][0]["code"] == "unsupported"


def test_a_statement_has_its_verdict_its_quote_and_where_that_opens() -> None:
    bundle = made(DIAGNOSIS)
    quoted = {"text": "quoted from the evidence"}
    [statement] = [one for one in resources(bundle, "Observation") if one.get("method") == quoted]
    [quote] = statement["component"]
    assert statement["valueString"] == quote["valueString"] == DIAGNOSIS.report[0].text
    assert statement["interpretation"][0]["coding"] == [{"system": "urn:dermacite:verdict", "code": "supported"}]
    assert quote["code"]["text"] == "Quote of E2 Psoriasis: assessment and management, page 3, characters 4120 to 4187"
    [source] = statement["derivedFrom"]
    opened = resolved(bundle, source)
    assert opened["masterIdentifier"]["value"] == PASSAGE.id
    assert [one["attachment"]["url"] for one in opened["content"]] == [
        f"https://skin.example/v1/documents/{PASSAGE.version_id}/pages/3/image",
        f"https://skin.example/v1/documents/{PASSAGE.version_id}/file#page=3",
    ]


def test_a_citation_of_what_is_not_there_refers_to_nothing_and_says_why() -> None:
    invented = Citation("E99", "Take two.", 0, 9, problem="cites evidence that is not in the ledger")
    bundle = made(replace(DIAGNOSIS, report=(Statement("Take two.", "psoriasis", (invented,)),), narrative=None))
    statement = titled(bundle, "Statement about")
    assert "derivedFrom" not in statement
    assert statement["component"][0]["interpretation"][0]["text"] == (
        "unsupported: cites evidence that is not in the ledger"
    )


def test_a_text_read_by_recognition_says_how_sure_that_was() -> None:
    cited = replace(DIAGNOSIS.report[0].citations[0], ocr=0.914)
    bundle = made(replace(DIAGNOSIS, report=(replace(DIAGNOSIS.report[0], citations=(cited,)),), narrative=None))
    [quote] = titled(bundle, "Statement about")["component"]
    assert quote["code"]["text"].endswith("read by text recognition (0.91 sure)")


def test_sentences_of_a_model_stand_once_and_say_who_wrote_them() -> None:
    own, shared = Statement("A plaque.", "psoriasis", ()), DIAGNOSIS.report[0]
    told = Narrative("instruct", ReportMode.GROUNDED, "A plaque. Offer it.", (own, shared))
    bundle = made(replace(DIAGNOSIS, narrative=told))
    said = {
        one["valueString"]: one["method"]["text"] for one in resources(bundle, "Observation") if "valueString" in one
    }
    assert said == {shared.text: "written by instruct (grounded)", "A plaque.": "written by instruct (grounded)"}
    assert len([one for one in resources(bundle, "Observation") if "valueString" in one]) == 2


def test_each_voice_is_heard_beside_the_others() -> None:
    bundle = made(DIAGNOSIS)
    assert titled(bundle, "Vote of the reference cases")["component"][0]["valueQuantity"]["value"] == 0.81
    alone = made(replace(DIAGNOSIS, candidates=DIAGNOSIS.opinions.neighbours))
    assert not [one for one in resources(alone, "Observation") if one["code"]["text"].startswith("Vote")]
    model = titled(bundle, "Opinion of the model hikari-sirius (disease)")
    assert model["method"] == {"text": "constrained; probabilities not calibrated"}
    assert [part["valueQuantity"]["value"] for part in model["component"]] == [0.84, 0.1]


def test_an_abstention_is_a_report_without_a_conclusion_code() -> None:
    bundle = made(
        replace(ABSTENTION, considered=(Candidate("psoriasis", 0.2, None, ()),), warnings=("leak guard off",))
    )
    report, observation = one(bundle, "DiagnosticReport"), one(bundle, "Observation")
    assert "conclusionCode" not in report
    assert "No diagnosis: Picture 1 is blurred." in report["conclusion"]
    assert "Warning: leak guard off" in report["conclusion"]
    assert not [name for name in observation if name.startswith("value")]
    assert observation["dataAbsentReason"] == {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"},
            {"system": "urn:dermacite:abstention", "code": "picture_unusable"},
        ],
        "text": "Picture 1 is blurred.",
    }
    assert observation["component"][0]["valueQuantity"]["value"] == 0.2
    assert observation["note"][0]["text"].startswith("Send a sharp, evenly lit photograph")


def test_a_case_that_may_not_be_shown_has_no_picture_to_open() -> None:
    withheld = Evidence("E1", EvidenceKind.CASE, "c-1", "", "withheld", (), 0.9, {}, {}, 0, 0, label="psoriasis")
    for case, kinds in ((CASE, ["image/webp", "application/json"]), (withheld, ["application/json"])):
        document = one(made(replace(DIAGNOSIS, ledger=(case,))), "DocumentReference")
        assert [one["attachment"]["contentType"] for one in document["content"]] == kinds
        assert document["type"] == {"text": "Reference case labelled psoriasis"}


def test_evidence_says_where_it_stands_and_what_it_is_worth() -> None:
    old = replace(PASSAGE, standing=Standing.SUPERSEDED, last_page=4)
    document = one(made(replace(DIAGNOSIS, ledger=(old,))), "DocumentReference")
    assert document["status"] == "superseded"
    assert document["description"] == (
        "E2: Psoriasis: assessment and management, Topical treatment, pages 3 to 4, superseded, licence CC0-1.0"
    )


def test_no_id_of_evidence_leaves_the_path() -> None:
    odd = replace(PASSAGE, version_id="../../keys?x=1#y")
    document = one(made(replace(DIAGNOSIS, ledger=(odd,))), "DocumentReference")
    assert document["content"][0]["attachment"]["url"].startswith(
        "https://skin.example/v1/documents/..%2F..%2Fkeys%3Fx%3D1%23y/pages/3/"
    )


def test_provenance_names_software_models_prompts_and_evidence() -> None:
    record = StageRecord(
        "disease", "hikari-sirius", "sirius-q4", "vllm 0.32", "T1", "0123456789abcdef", "single", 1, (), (), "bound", None,
        1, None, None, ("psoriasis",),
    )  # fmt: skip
    settings = {
        "version": "0.1.0", "preset": "R4", "reranker": {"card": "r", "model": "rr", "fingerprint": "f0"},
        "encoders": {"pictures": {"model": "siglip", "revision": "r1", "fingerprint": "abc"}},
        "index": {"generation": "g-7", "corpus_generation": 12}, "models": {"hikari-sirius": {"revision": "deadbeef"}},
        "classifier": {"name": "hikari-sirius"}, "intervention": None,
    }  # fmt: skip
    bundle = made(replace(DIAGNOSIS, trace=replace(DIAGNOSIS.trace, configuration=settings, stages=(record, record))))
    provenance = one(bundle, "Provenance")
    own, model = (resolved(bundle, agent["who"]) for agent in provenance["agent"])
    assert own["version"] == [{"type": {"text": "software"}, "value": "0.1.0"}]
    told = {one["type"]["text"]: one["valueCode"][0]["text"] for one in own["property"]}
    assert told == {
        "preset": "R4", "encoder of pictures": "siglip r1, fingerprint abc", "reranker": "rr, fingerprint f0",
        "index generation": "g-7", "corpus generation": "12", "classifier": "hikari-sirius",
    }  # fmt: skip
    assert [one["value"] for one in model["version"]] == ["sirius-q4", "deadbeef"]
    assert resolved(bundle, model["parent"]) == own
    prompts = [one["what"] for one in provenance["entity"] if "identifier" in one["what"]]
    assert [one["identifier"]["value"] for one in prompts] == ["0123456789abcdef"]
    roles = {resolved(bundle, one["what"])["masterIdentifier"]["value"]: one["role"]
             for one in provenance["entity"] if "reference" in one["what"]}  # fmt: skip
    assert roles == {CASE.id: "source", PASSAGE.id: "quotation"}
    assert len(provenance["target"]) == 1 + len(resources(bundle, "Observation"))


def test_the_same_answer_is_the_same_bundle_however_long_it_took() -> None:
    slower = replace(DIAGNOSIS, trace=replace(DIAGNOSIS.trace, timings_ms={"total": 1e6}))
    assert made(slower) == made(DIAGNOSIS)


@pytest.mark.parametrize(
    "other",
    [
        {"pictures": ("00" * 32,)},
        {"patient": "Patient/9"},
        {"at": datetime(2027, 1, 1, tzinfo=UTC)},
        {"base": "https://b"},
    ],
    ids=str,
)
def test_another_occasion_shares_no_id(other: dict[str, Any]) -> None:
    """Two blurred pictures of two patients get the same words; their reports must not become one in a records system."""
    first, second = made(ABSTENTION), made(ABSTENTION, **other)
    assert not {one["id"] for one in resources(first)} & {one["id"] for one in resources(second)}


def test_an_answer_that_was_kept_can_be_found_again() -> None:
    kept = replace(DIAGNOSIS, trace=replace(DIAGNOSIS.trace, kept_as="a-1"))
    report = one(made(kept), "DiagnosticReport")
    assert report["identifier"] == [{"system": "urn:dermacite:answer", "value": "a-1"}]


def test_text_of_evidence_is_no_markup_in_the_narrative() -> None:
    said = replace(DIAGNOSIS.report[0], text="<script>x</script> & \x00more", verdict=Verdict.PARTLY)
    report = one(made(replace(DIAGNOSIS, report=(said,))), "DiagnosticReport")
    assert "&lt;script&gt;x&lt;/script&gt; &amp;  more [E2] partly" in report["text"]["div"]


def test_what_is_not_fhir_never_leaves() -> None:
    bundle = made(DIAGNOSIS)
    del bundle["entry"][1]["resource"]["status"]
    with pytest.raises(ValidationError):
        _checked(bundle)
