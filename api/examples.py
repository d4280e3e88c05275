"""Requests and answers as the documentation shows them. A test holds each to its type."""

from typing import Any

from inference.abstention import NOTICE

DOCUMENT_ID = "d-3b1f0a9c44e27d5186f0"
OTHER_VERSION_ID = "3b" * 32
VERSION_ID = "3b1f0a9c44e27d5186f0c2d94f6f0d7f9a5d1f1f6d2f4b7a8c9e0d1c2b3a4f5e"
CASE_ID = "c-5d0f2f1b7e0a49c2a1c4b7de"
PICTURE = "9f2c1d7e6b5a4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d"

CONSULTATION: dict[str, Any] = {
    "note": "Itchy, well demarcated plaques with silvery scale on both elbows for three months.",
    "age": 41,
    "sex": "female",
    "body_site": "elbow",
    "options": {"k": 5, "filters": {"jurisdiction": ["GB"]}},
}

CASE_EVIDENCE: dict[str, Any] = {
    "key": "E1",
    "kind": "case",
    "id": CASE_ID,
    "text": "Erythematous plaques with silvery scale on the extensor surface.",
    "title": "sample",
    "found_by": ["similar case"],
    "score": 0.87,
    "scores": {"picture": 0.91, "caption": 0.78},
    "ranks": {"picture": 1, "caption": 2},
    "start": 0,
    "end": 64,
    "licence": "CC0-1.0",
    "label": "psoriasis",
    "group": "inflammatory",
    "picture": PICTURE,
}

PASSAGE_EVIDENCE: dict[str, Any] = {
    "key": "E2",
    "kind": "passage",
    "id": "p-0c4b7de5d0f2f1b7e0a49c2a",
    "text": "Offer a potent topical corticosteroid once daily for up to 4 weeks.",
    "title": "Psoriasis: assessment and management",
    "found_by": ["note", "candidate psoriasis"],
    "score": 0.0295,
    "scores": {"meaning": 0.62, "words": 7.4},
    "ranks": {"meaning": 1, "words": 2},
    "start": 4120,
    "end": 4187,
    "licence": "CC0-1.0",
    "document_id": DOCUMENT_ID,
    "version_id": VERSION_ID,
    "section": ["Topical treatment"],
    "first_page": 3,
    "last_page": 3,
    "standing": "in_force",
    "role": "body",
    "header": None,
    "ocr": None,
}

_TRACE: dict[str, Any] = {
    "configuration": {"version": "0.1.0", "configuration": "embedded", "options": {"k": 5}},
    "timings_ms": {"encode_pictures": 31.2, "neighbours": 12.5, "passages": 20.1, "report": 3.4, "verify": 1.9},
    "excluded": {"same picture": 1},
}

DIAGNOSIS: dict[str, Any] = {
    "candidates": [
        {"label": "psoriasis", "probability": 0.81, "group": "inflammatory", "evidence": ["E1"]},
        {"label": "lichen planus", "probability": 0.12, "group": "inflammatory", "evidence": []},
    ],
    "report": [
        {
            "text": "Offer a potent topical corticosteroid once daily for up to 4 weeks.",
            "about": "psoriasis",
            "citations": [
                {
                    "evidence": "E2",
                    "quote": "Offer a potent topical corticosteroid once daily for up to 4 weeks.",
                    "start": 4120,
                    "end": 4187,
                    "page": 3,
                    "verdict": "supported",
                }
            ],
            "verdict": "supported",
        }
    ],
    "ledger": [CASE_EVIDENCE, PASSAGE_EVIDENCE],
    "citations": {"verified": 1, "total": 1},
    "trace": _TRACE,
    "warnings": [],
    "notice": NOTICE,
    "opinions": {
        "neighbours": [{"label": "psoriasis", "probability": 0.81, "group": "inflammatory", "evidence": ["E1"]}],
        "disease": {
            "profile": "hikari-sirius",
            "stated": "psoriasis",
            "method": "constrained",
            "shares": [{"label": "psoriasis", "probability": 0.84}, {"label": "lichen planus", "probability": 0.1}],
            "label_mass": 0.97,
            "calibrated": False,
        },
        "group": None,
    },
    "narrative": {
        "model": "hikari-vega",
        "mode": "guided",
        "text": "A well demarcated plaque with silvery scale.",
        "statements": [
            {
                "text": "A well demarcated plaque with silvery scale.",
                "about": "psoriasis",
                "citations": [],
                "verdict": "unsupported",
            }
        ],
        "guided_by": "psoriasis",
        "names": [],
        "conflict": None,
    },
    "outcome": "diagnosis",
}

ABSTENTION: dict[str, Any] = {
    "reason": "picture_unusable",
    "explanation": "Picture 1 is blurred.",
    "helps": "Send a sharp, evenly lit photograph in which the lesion fills about a third of the frame.",
    "considered": [],
    "ledger": [],
    "trace": {**_TRACE, "timings_ms": {}, "excluded": {}},
    "warnings": [],
    "notice": NOTICE,
    "outcome": "abstention",
}

EVENTS = """\
event: evidence
data: {"evidence": [{"key": "E1", "kind": "case", "label": "psoriasis", "...": "..."}]}

event: disease
data: {"candidates": [{"label": "psoriasis", "probability": 0.81, "...": "..."}], "opinion": null}

event: report
data: {"text": "A well demarcated "}

event: citations
data: {"report": ["..."], "citations": {"verified": 5, "total": 5}}

event: outcome
data: {"outcome": "diagnosis", "...": "..."}
"""

SEARCH: dict[str, Any] = {
    "text": "potency of topical corticosteroids on the face",
    "k": 3,
    "filters": {"jurisdiction": ["GB"], "effective_to": "2025-01-31", "label": ["psoriasis", "atopic dermatitis"]},
}

PICTURE_SEARCH: dict[str, Any] = {"text": "scaly plaque", "k": 3, "filters": {"skin_tone": ["5", "6"]}}

SEARCH_RESULT: dict[str, Any] = {
    "passages": [{**PASSAGE_EVIDENCE, "key": "E2", "found_by": ["search"], "score": 0.83}],
    "cases": [{**CASE_EVIDENCE, "found_by": ["search"]}],
    "cases_by": "text",
    "warnings": [],
    "timings_ms": {"passages": 11.8, "cases": 9.6},
    "explanations": {
        "passages": {
            "fusion": "adaptive",
            "shares": {"semantic": 0.6, "lexical": 0.4},
            "coverage": 0.46,
            "proposed": {"semantic": 14, "lexical": 9},
            "expansions": [{"phrase": "flaky", "kind": "lesion", "terms": ["scaly", "scale", "desquamation"]}],
            "cosine_floor": 0.2,
            "dropped": [{"id": "p-example", "reason": "below_floor", "cosine": 0.11, "of": None}],
        }
    },
}

SOURCE: dict[str, Any] = {
    "title": "Psoriasis: assessment and management",
    "publisher": "A guideline body",
    "url": "https://guidelines.example/psoriasis",
    "licence": "CC0-1.0",
    "jurisdiction": "GB",
    "edition": "2",
    "effective": "2024-01-31",
    "review": "2027-01-31",
    "language": "en",
    "expires": "2029-01-31",
    "grade": "1A",
    "tags": ["skin"],
}

OUTCOME: dict[str, Any] = {
    "file": "psoriasis.pdf", "state": "added", "reason": None, "message": None, "page": None, "id": DOCUMENT_ID,
    "pages": 3, "passages": 14, "cases": 0, "rejected": 0, "warnings": [], "version": VERSION_ID,
    "version_state": "live", "supersedes": None, "without_text": [],
}  # fmt: skip

REFUSED_OUTCOME: dict[str, Any] = {
    "file": "scan.pdf", "state": "refused", "reason": "image_only",
    "message": "No page has text: 3 of 3 pages hold only a picture, from page 1 on."
    " Run text recognition (OCR) over it and send the result.",
    "page": 1, "id": None, "pages": 0, "passages": 0, "cases": 0, "rejected": 0, "warnings": [],
}  # fmt: skip

VERSION: dict[str, Any] = {
    "id": VERSION_ID, "document_id": DOCUMENT_ID, "number": 2, "state": "live", "source": SOURCE,
    "text_sha256": PICTURE[::-1], "page_count": 3, "passage_count": 14, "bytes": 81_140, "warnings": [],
    "created_at": "2025-05-04T09:30:00+00:00", "added_by": "dr.weber", "approved_by": "dr.lind",
    "approved_at": "2025-05-06T08:00:00+00:00", "superseded_by": None,
}  # fmt: skip

DOCUMENT: dict[str, Any] = {"id": DOCUMENT_ID, "source": SOURCE, "version": VERSION, "versions": 2}

DOCUMENT_DETAIL: dict[str, Any] = {
    "id": DOCUMENT_ID,
    "source": SOURCE,
    "version": VERSION,
    "pages": [{"number": 1, "start": 0, "end": 1904, "state": "text", "reason": None}],
    "versions": [
        {**VERSION, "id": OTHER_VERSION_ID, "number": 1, "state": "superseded", "superseded_by": VERSION_ID},
        VERSION,
    ],
}

RECEIPT: dict[str, Any] = {
    "document_id": DOCUMENT_ID,
    "versions": [VERSION_ID],
    "passages": 14,
    "absent_from": ["registry", "vectors", "index", "lexical", "caches", "files", "disk"],
    "not_looked_at": [],
    "copies_gone_within_s": None,
}

PASSAGE: dict[str, Any] = {
    "id": PASSAGE_EVIDENCE["id"], "document_id": DOCUMENT_ID, "version_id": VERSION_ID, "start": PASSAGE_EVIDENCE["start"],
    "end": PASSAGE_EVIDENCE["end"], "text": PASSAGE_EVIDENCE["text"], "first_page": 3, "last_page": 3,
    "section": ["Topical treatment"], "source": SOURCE, "role": "body", "header": None, "ocr": None, "standing": "in_force",
}  # fmt: skip

_BEFORE = {
    "id": "p-before", "first_page": 2, "last_page": 2, "section": ["Topical treatment"],
    "text": "Offer betamethasone 0.05 % once daily for 4 weeks.",
}  # fmt: skip

DIFFERENCE: dict[str, Any] = {
    "before": OTHER_VERSION_ID,
    "after": VERSION_ID,
    "unchanged": 12,
    "changed": [
        {
            "before": _BEFORE,
            "after": {**_BEFORE, "id": "p-after", "text": "Offer betamethasone 0.1 % once daily for 2 weeks."},
            "similarity": 0.8,
            "numbers_gone": ["0.05%", "4weeks"],
            "numbers_new": ["0.1%", "2weeks"],
        }
    ],
    "added": [],
    "removed": [],
    "answers": [
        {
            "answer_id": "a-5b1c1a3e7d9f4c2b8e60", "at": "2025-03-02T10:15:00+00:00", "outcome": "diagnosis", "key": "E6",
            "item_id": "p-before", "cited": True,
        }
    ],
}  # fmt: skip

PLACE: dict[str, Any] = {"page": 3, "left": 0.1176, "top": 0.1312, "right": 0.7904, "bottom": 0.1457}

PAGE: dict[str, Any] = {
    "document_id": DOCUMENT_ID, "version_id": VERSION_ID, "number": 3, "of": 3, "state": "text", "reason": None,
    "start": 3980, "end": 5122, "text": "Topical treatment\n\nOffer a potent topical corticosteroid once daily ...",
    "confidence": None, "lines": [
        {"start": 3980, "end": 3997, "page": 3, "left": 0.1176, "top": 0.0892, "right": 0.3812, "bottom": 0.1098}
    ],
}  # fmt: skip

CASE: dict[str, Any] = {
    "id": CASE_ID, "dataset": "sample", "label": "psoriasis", "caption": CASE_EVIDENCE["text"], "picture": PICTURE,
    "original": PICTURE[::-1], "perceptual_hash": "c3d2a5965a2d69d2", "group": "inflammatory", "subject": "p7",
    "lesion": "l2", "split": "train", "skin_tone": "3", "licence": "CC0-1.0", "source": "sample corpus",
}  # fmt: skip

SIGN_IN = {"key": "dmc_3f9a1c07b2d4_Zm9yIGFuIGV4YW1wbGUgb25seSwgbm90IGEga2V5IQ"}

SIGNED_IN = {
    "name": "dr.weber", "role": "reader", "csrf_token": "mK2u8m1tYQ0cV9b3nq5rJx7wLk4sD6fGh8jP0aSzXcE",
    "expires_at": "2025-05-06T16:00:00+00:00",
}  # fmt: skip
