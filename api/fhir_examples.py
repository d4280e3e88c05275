"""A FHIR R4 Bundle as the documentation shows it, shortened: one candidate, one statement, one piece of evidence."""

from typing import Any

from api import examples
from inference.abstention import NOTICE

_AT = "2026-03-02T10:15:00Z"
_REPORT = "urn:uuid:0f5c2b0e-6d1f-5f0a-8a57-1f9f0c7f6b01"
_CANDIDATES = "urn:uuid:0f5c2b0e-6d1f-5f0a-8a57-1f9f0c7f6b02"
_STATEMENT = "urn:uuid:0f5c2b0e-6d1f-5f0a-8a57-1f9f0c7f6b03"
_EVIDENCE = "urn:uuid:0f5c2b0e-6d1f-5f0a-8a57-1f9f0c7f6b04"
_DEVICE = "urn:uuid:0f5c2b0e-6d1f-5f0a-8a57-1f9f0c7f6b05"
_PROVENANCE = "urn:uuid:0f5c2b0e-6d1f-5f0a-8a57-1f9f0c7f6b06"
_BUNDLE = "urn:uuid:0f5c2b0e-6d1f-5f0a-8a57-1f9f0c7f6b07"

_ASSERTED = {
    "security": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
            "code": "AIAST",
            "display": "Artificial Intelligence asserted",
        }
    ]
}
_SENTENCE = "Offer a potent topical corticosteroid once daily for up to 4 weeks."
_SUPPORTED = [{"coding": [{"system": "urn:dermacite:verdict", "code": "supported"}], "text": "supported"}]
_PAGE = f"http://127.0.0.1:8000/v1/documents/{examples.VERSION_ID}/pages/3/image"


def _entry(url: str, kind: str, **members: Any) -> dict[str, Any]:
    return {"fullUrl": url, "resource": {"resourceType": kind, "id": url.removeprefix("urn:uuid:"), **members}}


def _observation(url: str, title: str, **members: Any) -> dict[str, Any]:
    return _entry(
        url, "Observation", meta=_ASSERTED, status="preliminary", code={"text": title}, issued=_AT,
        device={"reference": _DEVICE}, **members,
    )  # fmt: skip


BUNDLE: dict[str, Any] = {
    "resourceType": "Bundle",
    "id": _BUNDLE.removeprefix("urn:uuid:"),
    "meta": _ASSERTED,
    "identifier": {"system": "urn:ietf:rfc:3986", "value": _BUNDLE},
    "type": "collection",
    "timestamp": _AT,
    "entry": [
        _entry(
            _REPORT, "DiagnosticReport", meta=_ASSERTED, status="partial",
            code={"text": "Decision support from skin pictures, asserted by software and verified by nobody"},
            subject={"reference": "Patient/123"}, issued=_AT,
            result=[{"reference": _CANDIDATES}, {"reference": _STATEMENT}],
            conclusion=f"{NOTICE}\nLikeliest first: psoriasis (81.0%).", conclusionCode=[{"text": "psoriasis"}],
        ),
        _observation(
            _CANDIDATES, "Candidate diagnoses and their probabilities", subject={"reference": "Patient/123"},
            valueCodeableConcept={"text": "psoriasis"},
            component=[
                {
                    "code": {"text": "psoriasis"},
                    "valueQuantity": {"value": 0.81, "unit": "1", "system": "http://unitsofmeasure.org", "code": "1"},
                }
            ],
        ),
        _observation(
            _STATEMENT, "Statement about: psoriasis", subject={"reference": "Patient/123"}, valueString=_SENTENCE,
            interpretation=_SUPPORTED, method={"text": "quoted from the evidence"},
            derivedFrom=[{"reference": _EVIDENCE}],
            component=[
                {
                    "code": {"text": "Quote of E2 Psoriasis: assessment and management, page 3, characters 4120 to 4187"},
                    "valueString": _SENTENCE,
                    "interpretation": _SUPPORTED,
                }
            ],
        ),
        _entry(
            _EVIDENCE, "DocumentReference", status="current", type={"text": "Passage of a clinical guideline"},
            masterIdentifier={"system": "urn:dermacite:passage", "value": examples.PASSAGE_EVIDENCE["id"]},
            content=[{"attachment": {"contentType": "image/png", "url": _PAGE}}],
        ),
        _entry(
            _DEVICE, "Device", status="active", deviceName=[{"name": "Dermacite", "type": "user-friendly-name"}],
            version=[{"type": {"text": "software"}, "value": "0.1.0"}],
        ),
        _entry(
            _PROVENANCE, "Provenance", meta=_ASSERTED, recorded=_AT,
            target=[{"reference": _REPORT}, {"reference": _CANDIDATES}, {"reference": _STATEMENT}],
            agent=[{"who": {"reference": _DEVICE}}],
            entity=[{"role": "quotation", "what": {"reference": _EVIDENCE}}],
        ),
    ],
}  # fmt: skip
