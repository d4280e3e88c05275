"""Jobs and audit entries as the documentation shows them."""

from typing import Any

from api.examples import OUTCOME, VERSION_ID

JOB_ID = "j-5b1c1a3e7d9f4c2b8e60"

JOB: dict[str, Any] = {
    "id": JOB_ID, "kind": "ingest_documents", "state": "done", "actor": "dr.weber",
    "options": {"approve": True, "document": None}, "created_at": "2025-05-04T09:29:58+00:00",
    "started_at": "2025-05-04T09:29:59+00:00", "finished_at": "2025-05-04T09:30:02+00:00", "cancelled": False, "attempts": 1,
    "reason": None, "message": None,
    "items": [
        {
            "number": 1, "name": "psoriasis.pdf", "file": None, "source": None, "state": "live", "pages_done": 3,
            "page_count": 3, "outcome": OUTCOME,
        }
    ],
}  # fmt: skip

JOB_EVENTS = """event: job
data: {"id": "j-5b1c1a3e7d9f4c2b8e60", "kind": "ingest_documents", "state": "running", "attempts": 1}

event: item
data: {"number": 1, "name": "psoriasis.pdf", "state": "extracting", "pages_done": 2, "page_count": 3, "outcome": null}

event: end
data: {"id": "j-5b1c1a3e7d9f4c2b8e60", "state": "done", "items": []}
"""

AUDIT_ENTRY: dict[str, Any] = {
    "id": 17, "at": "2025-05-06T08:00:00+00:00", "actor": "dr.lind", "action": "approve", "kind": "version",
    "item": VERSION_ID, "details": {"was": "draft"},
}  # fmt: skip
