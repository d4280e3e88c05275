"""What can go wrong while finding evidence. Each error says what mends it; none carries a query."""


class RetrievalError(Exception):
    """Root of this layer's errors."""

    reason = "retrieval_error"


class EncoderMissing(RetrievalError):
    """The weights of an encoder are not on this machine. The message names the command that gets them."""

    reason = "encoder_missing"


class EncoderBroken(RetrievalError):
    """Weights are there but are not what the card says (shape, preprocessing, dimension)."""

    reason = "encoder_broken"


class IndexMismatch(RetrievalError):
    """The index was built by other encoders or another version than those configured."""

    reason = "index_mismatch"


class IndexBroken(RetrievalError):
    """A built index failed its verification; it was not switched to."""

    reason = "index_broken"


class ChromaFailed(RetrievalError):
    """Chroma cannot be used: its folder is damaged, its server does not answer, or its URL is refused."""

    reason = "chroma_failed"


class QueryRefused(RetrievalError):
    """The query has nothing to search with."""

    reason = "query_empty"


class EmbeddingsFailed(RetrievalError):
    """The disk refused to keep or give vectors; what was acknowledged before is safe."""

    reason = "embeddings_failed"


class IndexTooLarge(RetrievalError):
    """An index that serves elsewhere does not fit on this machine."""

    reason = "index_too_large"
