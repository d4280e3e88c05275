"""What is true: documents, passages and cases, in one database (SQLite by default)."""

from knowledge.registry.facts import CaseFacts
from knowledge.registry.rows import CaseGuard, document_id_of
from knowledge.registry.store import Registry

__all__ = ["CaseFacts", "CaseGuard", "Registry", "document_id_of"]
