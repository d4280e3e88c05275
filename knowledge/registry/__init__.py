"""What is true: documents, passages and cases, in one database (SQLite by default)."""

from knowledge.registry.audit import AuditEntry
from knowledge.registry.documents import NewVersion
from knowledge.registry.facts import CaseFacts, VersionFacts
from knowledge.registry.rows import CaseGuard, document_id_of, today
from knowledge.registry.store import Registry

__all__ = [
    "AuditEntry",
    "CaseFacts",
    "CaseGuard",
    "NewVersion",
    "Registry",
    "VersionFacts",
    "document_id_of",
    "today",
]
