"""CDS Hooks requests and answers as the documentation shows them."""

from typing import Any

from api import examples
from inference.abstention import NOTICE

SERVICE: dict[str, Any] = {
    "hook": "patient-view",
    "title": "Dermacite: what a skin picture may show, with evidence",
    "description": "Ranked diagnoses of skin pictures in which every statement cites its evidence.",
    "id": "dermacite",
    "prefetch": {"pictures": "Media?patient={{context.patientId}}&type=image&_sort=-_lastUpdated&_count=4"},
    "usageRequirements": "1 to 4 pictures inline as base64 in the prefetch. The FHIR server is never asked.",
}

REQUEST: dict[str, Any] = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/example", "patientId": "1288992"},
    "prefetch": {
        "pictures": {
            "resourceType": "Media",
            "status": "completed",
            "bodySite": {"text": "elbow"},
            "note": [{"text": "Itchy plaques with silvery scale for three months."}],
            "content": {"contentType": "image/jpeg", "data": "/9j/4AAQSkZJRgABAQEAYABgAAD..."},
        }
    },
}

_SOURCE = {
    "label": "Dermacite, retrieval-grounded decision support (research software)",
    "url": "http://127.0.0.1:8000",
}
_PAGE = f"http://127.0.0.1:8000/v1/documents/{examples.VERSION_ID}/pages/3/image"

CARD: dict[str, Any] = {
    "uuid": "4c5a1c52-7a3f-5d0b-9a0e-6f8f9c3b2a10",
    "summary": "Likeliest: psoriasis, 81% (Research use, not a diagnosis)",
    "detail": f"**{NOTICE}**\n\n1. psoriasis (81.0%)\n2. lichen planus (12.0%)\n\n- Offer a potent topical corticosteroid "
    f"once daily for up to 4 weeks. (supported; [E2\\: Psoriasis\\: assessment and management, page 3](<{_PAGE}>))",
    "source": _SOURCE,
    "links": [{"label": "E2: Psoriasis: assessment and management, page 3", "url": _PAGE, "type": "absolute"}],
    "indicator": "info",
}

DECLINED: dict[str, Any] = {
    **CARD,
    "summary": "No answer: Picture 1 is blurred. (Research use, not a diagnosis)",
    "detail": f"**{NOTICE}**\n\nNo diagnosis: Picture 1 is blurred.\n\nSend a sharp, evenly lit photograph.",
    "links": [],
}
