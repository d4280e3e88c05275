"""What the writer, the process beside it and the nodes of a cluster tell each other: pickled, for all are one user's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.case_ingest import Admitted
from knowledge.pdf import PdfLimits
from knowledge.pictures import PictureLimits
from knowledge.types import Cut, ExtractedText
from retrieval.types import EncoderCard


class Work(StrEnum):
    """What is done to each piece: what comes in -> what comes out."""

    DOCUMENTS = "documents"  # bytes of a PDF -> ReadDocument; of nothing -> None
    CASES = "cases"  # [NewPicture] -> PreparedPictures
    PICTURES = "pictures"  # [stored bytes] -> Vectors
    SKETCHES = "sketches"  # [stored bytes] -> Sketches
    CAPTIONS = "captions"  # [text] -> Vectors
    PASSAGES = "passages"  # [text] -> Vectors


SPACES_OF: Mapping[Work, tuple[str, ...]] = {
    Work.DOCUMENTS: ("passages",),
    Work.CASES: ("pictures", "captions"),
    Work.PICTURES: ("pictures",),
    Work.SKETCHES: (),
    Work.CAPTIONS: ("captions",),
    Work.PASSAGES: ("passages",),
}  # whose encoders a work needs


@dataclass(frozen=True, slots=True)
class Space:
    """An encoder, to be found on each node as the settings say, and the fingerprint that it must have there."""

    card: EncoderCard
    folder: Path | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Order:
    """One run: what is done, with which encoders and limits."""

    work: Work
    version: str  # of Dermacite; a node of another one would give other results
    spaces: Mapping[str, Space] = field(default_factory=dict)
    pdf: PdfLimits = PdfLimits()
    pictures: PictureLimits = PictureLimits()


@dataclass(frozen=True, slots=True)
class Feed:
    """Where pieces are fetched by number: a socket of the writer's machine, and the key that opens it."""

    address: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """What the process beside the writer is told: `address` None is a cluster of this machine alone, for this run."""

    order: Order
    count: int
    feed: Feed
    address: str | None


# --- what comes back -------------------------------------------------------------------------------------------------

Encoded = tuple[str, Sequence[str], NDArray[np.float32 | np.uint8]]  # see EmbeddingStore.put


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is no document or picture. (Errors of ours with more than a message do not survive pickling.)"""

    reason: str
    message: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """What ends a whole run: the fault is of a node or of ours, not of the piece."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A PDF that was read, cut and encoded."""

    reading: ExtractedText | Refused
    cuts: Sequence[Cut] | Refused = ()
    vectors: Sequence[Encoded] = ()


@dataclass(frozen=True, slots=True)
class PreparedPictures:
    """One result per picture, and the vectors of those that were admitted."""

    pictures: Sequence[Admitted | Refused]
    vectors: Sequence[Encoded] = ()
