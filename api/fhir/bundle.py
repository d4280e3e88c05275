"""An answer as one FHIR R4 Bundle, checked before it leaves.

A collection, not a document: a document is a composition that somebody attests, and nobody attests this.
"""

from api.fhir.elements import AI_ASSERTED, About, Frame, Resource, frame_of
from api.fhir.evidence import evidence_of
from api.fhir.observations import observations_of
from api.fhir.provenance import devices_of, provenance_of
from api.fhir.report import report_of
from inference.types import Answer

FHIR_JSON = "application/fhir+json"


def bundle_of(answer: Answer, about: About) -> Resource:
    """The report, its observations, the evidence, the software and how it all came about.

    Takes tens of milliseconds, the first time half a second: call it where it holds nobody up.
    """
    frame = frame_of(answer, about)
    results = observations_of(answer, frame)
    resources = {
        **report_of(answer, frame, list(results)), **results, **evidence_of(answer.ledger, frame),
        **devices_of(answer, frame), **provenance_of(answer, frame, ["report", *results]),
    }  # fmt: skip
    return _checked(_collection(resources, frame))


def _collection(resources: dict[str, Resource], frame: Frame) -> Resource:
    own = frame.id_of("bundle")
    return {
        "resourceType": "Bundle",
        "id": own,
        "meta": {"security": [AI_ASSERTED]},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{own}"},
        "type": "collection",
        "timestamp": frame.at,
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources.values()],
    }


def _checked(bundle: Resource) -> Resource:
    """The bundle. Raises pydantic's ValidationError where it is none: a fault of ours, never to be sent."""
    from fhir.resources.R4B.bundle import Bundle  # 30 MB and half a second that most servers never need

    Bundle.model_validate(bundle)
    return bundle
