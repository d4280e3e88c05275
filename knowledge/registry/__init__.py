"""What is true: documents, passages and cases, in one database (SQLite by default)."""

from knowledge.registry.store import CaseGuard, Registry

__all__ = ["CaseGuard", "Registry"]
