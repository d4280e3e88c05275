"""Answers about datasets as the documentation shows them. A test holds each to its type."""

from typing import Any

from api.examples import CASE_ID, DOCUMENT_ID

DATASET: dict[str, Any] = {
    "name": "sample", "state": "live", "cases": 60, "created_at": "2025-05-04T09:30:00+00:00", "created_by": "curator",
    "retired_at": None, "retired_by": None,
}  # fmt: skip

RETIRED: dict[str, Any] = {
    **DATASET, "state": "retired", "retired_at": "2025-06-01T10:00:00+00:00", "retired_by": "curator",
}  # fmt: skip

_OTHER_CASE = "c-" + CASE_ID.removeprefix("c-")[::-1]

REPORT: dict[str, Any] = {
    "dataset": DATASET,
    "licences": [
        {"licence": "CC0-1.0", "cases": 60, "known": True, "show": True, "attribution": False, "non_commercial": False}
    ],
    "labels": [
        {
            "written": "Psoriasis-Vulgaris", "label": "psoriasis vulgaris", "cases": 12,
            "group": "1. Inflammatory & Autoimmune Diseases", "known_to": ["hikari-10"],
        }
    ],
    "coverage": [{"label": "psoriasis vulgaris", "skin_tone": "3", "split": None, "cases": 4}],
    "duplicates": {
        "within": {"near_duplicate": 1},
        "across_datasets": {},
        "across_splits": {"near_duplicate": 1},
        "conflicting_labels": 0,
        "pairs": [
            {
                "ids": [CASE_ID, _OTHER_CASE], "datasets": ["sample", "sample"], "reason": "near_duplicate",
                "labels": ["psoriasis vulgaris", "psoriasis vulgaris"], "splits": ["train", "test"],
            }
        ],
        "unsketched": 0,
        "crops": True,
    },
    "warnings": ["1 pairs show the same picture: 1 within the dataset, 0 with other datasets"],
}  # fmt: skip

CASES_RECEIPT: dict[str, Any] = {
    "dataset": "sample",
    "cases": [CASE_ID],
    "pictures": 1,
    "absent_from": ["registry", "vectors", "index", "lexical", "caches", "files", "disk"],
    "not_looked_at": [],
    "copies_gone_within_s": None,
}

COVERAGE: dict[str, Any] = {
    "floor": 0.2,
    "without_passage": [
        {"label": "scleroderma", "cases": 0, "named_in": 0, "nearest": "p-0c4b7de5d0f2f1b7e0a49c2a", "similarity": 0.11}
    ],
    "not_named": [],
    "covered": 9,
    "never_retrieved": [
        {"id": DOCUMENT_ID, "title": "Psoriasis: assessment and management", "created_at": "2025-05-04T09:30:00+00:00"}
    ],
    "retrieval": "of 120 answers since 2025-05-05T08:00:00+00:00",
}
