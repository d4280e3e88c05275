"""What is true: documents, passages and cases, in one database (SQLite by default)."""

from knowledge.registry.audit import AuditEntry
from knowledge.registry.database import SCHEMA_HEAD
from knowledge.registry.facts import CaseFacts, VersionFacts
from knowledge.registry.lifecycle import NewVersion
from knowledge.registry.locks import LockSessions, LockTaken
from knowledge.registry.rows import CaseGuard, document_id_of, today
from knowledge.registry.store import Registry
from knowledge.registry.transfer import Dumped, RowsRefused, can_restore

__all__ = [
    "SCHEMA_HEAD",
    "AuditEntry",
    "CaseFacts",
    "CaseGuard",
    "Dumped",
    "LockSessions",
    "LockTaken",
    "NewVersion",
    "Registry",
    "RowsRefused",
    "VersionFacts",
    "can_restore",
    "document_id_of",
    "today",
]
