"""What can go wrong with files and the registry.

Every error carries a sentence that says what to do. None carries a note, a picture or a file name in its message: the
caller knows which file it sent, and messages reach logs. `reason` is the stable, machine-readable name of the failure.
"""


class KnowledgeError(Exception):
    """Root of this layer's errors."""

    reason = "knowledge_error"


class PictureRefused(KnowledgeError):
    """The bytes are no picture that can be used; nothing was stored."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DocumentRefused(KnowledgeError):
    """The bytes are no document that can be used. `page` is 1-based where one page is at fault."""

    def __init__(self, reason: str, message: str, page: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.page = page


class CasesRefused(KnowledgeError):
    """A folder or manifest of cases cannot be read at all (single bad rows are reported, not raised)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotFound(KnowledgeError):
    """No such id in the registry, or it was deleted."""

    reason = "not_found"


class TransitionRefused(KnowledgeError):
    """A version, data set or job is in no state for what was asked."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StorageFailed(KnowledgeError):
    """The disk or the database refused a read or a write; what was acknowledged before is safe."""

    reason = "storage_failed"


class BlobCorrupt(KnowledgeError):
    """Stored bytes do not hash to their name. They are never served."""

    reason = "blob_corrupt"
