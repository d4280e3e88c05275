"""What runs on the nodes of a cluster: pure steps from bytes to bytes, without Ray, without a registry, without a home.

A piece goes through `first` (no encoder: reading and decoding) and then `Second` (one load of the encoders per process).
"""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge.case_ingest import Admitted, NewPicture
from knowledge.document_ingest import cut_in_time, texts_of
from knowledge.errors import DocumentRefused, PictureRefused
from knowledge.pdf import PdfExtractor, PdfLimits
from knowledge.pictures import PictureLimits, admit_picture, stored_pixels
from knowledge.types import ExtractedText
from retrieval.embedder import Embedder
from retrieval.encoders import load_image_encoder, load_text_encoder, locate, use_threads
from retrieval.errors import RetrievalError
from retrieval.protocols import ImageEncoder, TextEncoder
from retrieval.sketches import SKETCHER, Sketch, sketch_of
from runtime.bulk.orders import Broken, Encoded, Order, PreparedPictures, ReadDocument, Refused, Work

Pixels = NDArray[np.uint8]


def node_fault(order: Order) -> Broken | None:
    """Why this node cannot take part: another version, or an encoder that is missing or not the one of the writer."""
    if (here := version("dermacite")) != order.version:
        return Broken("node_refused", f"it has Dermacite {here}, and this machine {order.version}")
    for space, wanted in order.spaces.items():
        try:
            found = locate(wanted.card, wanted.folder).fingerprint
        except RetrievalError as error:
            return Broken("node_refused", f"the encoder of {space} is not there: {error}")
        if found != wanted.fingerprint:
            return Broken("node_refused", f"it has other weights for the encoder of {space} than this machine")
    return None


# --- without encoders --------------------------------------------------------------------------------------------------


def first(order: Order, piece: bytes) -> bytes:
    """Read or decode a piece. Any fault but the file's own comes back as Broken."""
    steps = {Work.DOCUMENTS: _read, Work.CASES: _decoded, Work.PICTURES: _loaded, Work.SKETCHES: _sketched}
    if order.work not in steps:
        return piece  # texts are pickled lists already
    try:
        return pickle.dumps(steps[order.work](order, piece))
    except Exception as error:
        # The class alone: a message can hold anything.
        return pickle.dumps(Broken("cluster_failed", f"a step failed on a node ({type(error).__qualname__})"))


def _read(order: Order, piece: bytes) -> ExtractedText | Refused | None:
    if not piece:
        return None
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(piece)
        file.flush()
        try:
            return _extractor(order.pdf).extract(Path(file.name))
        except DocumentRefused as error:
            return Refused(error.reason, str(error), error.page)


@cache
def _extractor(limits: PdfLimits) -> PdfExtractor:
    """With a warm child, which ends with this process."""
    return PdfExtractor(limits)


@dataclass(frozen=True, slots=True)
class _Decoded:
    admitted: Admitted
    caption: str
    sketch: Sketch
    rgb: Pixels

    @property
    def key(self) -> str:
        return hashlib.sha256(self.admitted.stored).hexdigest()


def _decoded(order: Order, piece: bytes) -> list[_Decoded | Refused]:
    return [_decoded_one(one, order.pictures) for one in pickle.loads(piece)]  # noqa: S301


def _decoded_one(new: NewPicture, limits: PictureLimits) -> _Decoded | Refused:
    try:
        picture = admit_picture(new.data, limits)
    except PictureRefused as error:
        return Refused(error.reason, str(error))
    admitted = Admitted(picture.encoded(), picture.sha256, picture.perceptual_hash)
    return _Decoded(admitted, new.caption, sketch_of(picture.rgb), picture.rgb)


def _rgb_of(decoded: _Decoded) -> Pixels:
    return decoded.rgb


def _loaded(_order: Order, piece: bytes) -> list[Pixels]:
    return [stored_pixels(one) for one in pickle.loads(piece)]  # noqa: S301


def _sketched(_order: Order, piece: bytes) -> Any:
    return np.stack([sketch_of(stored_pixels(one)) for one in pickle.loads(piece)])  # noqa: S301


# --- with encoders -----------------------------------------------------------------------------------------------------


class _Encoders:
    """Each loaded when it is first asked for; spaces with the same encoder share one."""

    def __init__(self, order: Order, device: str) -> None:
        self._spaces = order.spaces
        self._device = device

    @cached_property
    def pictures(self) -> ImageEncoder:
        one = self._spaces["pictures"]
        return load_image_encoder(one.card, one.folder, self._device)

    @cached_property
    def captions(self) -> TextEncoder:
        one = self._spaces["captions"]
        return load_text_encoder(one.card, one.folder, self._device)

    @cached_property
    def passages(self) -> TextEncoder:
        one = self._spaces["passages"]
        return load_text_encoder(one.card, one.folder, self._device)


class _Collected:
    """Stands where the embedding store would, so that the very same slices are encoded."""

    def __init__(self) -> None:
        self.vectors: list[Encoded] = []

    def known(self, _fingerprint: str, _keys: Iterable[str]) -> set[str]:
        """Nothing is known here."""
        return set()

    def put(self, fingerprint: str, keys: Sequence[str], vectors: NDArray[np.float32 | np.uint8]) -> None:
        """Keep them to be sent."""
        self.vectors.append((fingerprint, list(keys), vectors))


class Second:
    """Encodes what `first` gave. Lives in one process of a node; a node that is not as it should be says so each time."""

    def __init__(self, order: Order, threads: int, device: str) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        use_threads(threads)
        self._order = order
        self._fault = node_fault(order)  # of a node that came after the run began nobody else has asked
        self._encoders = _Encoders(order, device)

    def __call__(self, piece: bytes) -> bytes:
        """What the order's work says comes out, or Broken."""
        value = pickle.loads(piece)  # noqa: S301
        if isinstance(value, Broken):
            return piece
        try:
            return pickle.dumps(self._fault or self._encoded(value))
        except RetrievalError as error:
            return pickle.dumps(Broken(error.reason, str(error)))
        except Exception as error:
            return pickle.dumps(Broken("cluster_failed", f"an encoder failed on a node ({type(error).__qualname__})"))

    def _encoded(self, value: Any) -> Any:
        match self._order.work:
            case Work.DOCUMENTS:
                return self._document(value)
            case Work.CASES:
                return self._pictures(value)
            case Work.PICTURES:
                return self._encoders.pictures.encode_images(value)
            case Work.CAPTIONS:
                return self._encoders.captions.encode_documents(value)
            case Work.PASSAGES:
                return self._encoders.passages.encode_documents(value)
            case Work.SKETCHES:
                return value

    def _document(self, reading: ExtractedText | Refused | None) -> ReadDocument | None:
        if not isinstance(reading, ExtractedText):
            return None if reading is None else ReadDocument(reading)
        cuts = cut_in_time(reading, self._encoders.passages.count_tokens, self._order.pdf.seconds)
        if isinstance(cuts, DocumentRefused):
            return ReadDocument(reading, Refused(cuts.reason, str(cuts), cuts.page))
        collected = _Collected()
        if texts := texts_of(cuts):
            Embedder(self._encoders, collected).passages(texts)
        return ReadDocument(reading, cuts, collected.vectors)

    def _pictures(self, decoded: Sequence[_Decoded | Refused]) -> PreparedPictures:
        good = [one for one in decoded if isinstance(one, _Decoded)]
        collected = _Collected()
        if good:
            embedder = Embedder(self._encoders, collected)
            embedder.pictures((one.key, partial(_rgb_of, one)) for one in good)
            collected.put(SKETCHER, [one.key for one in good], np.stack([one.sketch for one in good]))
            embedder.captions(one.caption for one in good)
        return PreparedPictures(
            [one if isinstance(one, Refused) else one.admitted for one in decoded], collected.vectors
        )
