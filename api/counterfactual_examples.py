"""A counterfactual as the documentation shows it. A test holds it to its type."""

from typing import Any

from api.examples import CASE_ID, DIAGNOSIS, PASSAGE_EVIDENCE

_BEFORE: dict[str, Any] = {"outcome": "diagnosis", "reason": None, "label": "psoriasis", "probability": 0.81}


def _effect(
    intervention: str, after: dict[str, Any], shift: float | None, lost: int = 0, **more: Any
) -> dict[str, Any]:
    return {
        "intervention": intervention, "after": {**_BEFORE, **after}, "shift": shift, "abstained": False, "changed": False,
        "statements_lost": lost, **more,
    }  # fmt: skip


COUNTERFACTUALS: dict[str, Any] = {
    "answer": DIAGNOSIS,
    "before": _BEFORE,
    "items": [
        {
            "key": "E1",
            "kind": "case",
            "id": CASE_ID,
            "title": "sample",
            "label": "psoriasis",
            "cited": False,
            "used_in": [],
            "without": _effect(f"without {CASE_ID}", {"probability": 0.62}, -0.19, changed=True),
        },
        {
            "key": "E2",
            "kind": "passage",
            "id": PASSAGE_EVIDENCE["id"],
            "title": PASSAGE_EVIDENCE["title"],
            "label": None,
            "cited": True,
            "used_in": [],
            "without": _effect(f"without {PASSAGE_EVIDENCE['id']}", {}, 0.0, 1),
        },
    ],
    "together": _effect(f"without {PASSAGE_EVIDENCE['id']}", {}, 0.0, 1),
    "unshown": _effect("without c-9b1e6c0f4a7d4b0e8f25d3a6", {"probability": 0.79}, -0.02),
    "shuffled": [
        _effect(
            "labels replaced, seed 0", {"label": "lichen planus", "probability": 0.04}, -0.77, 1, changed=True
        )
    ],
    "again": _effect("nothing changed", {}, 0.0),
    "depends_on": ["E1"],
    "cited_not_used": ["E2"],
    "used_not_cited": ["E1"],
    "untested": [],
    "depends_on_labels": True,
    "runs": 7,
    "warnings": [],
}  # fmt: skip
