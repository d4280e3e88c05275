"""Reference pictures prepared for a model, kept while they are often asked for."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection

from inference.prompts import ImagePart, Pixels
from inference.served import ServedModel

SIZE = 48  # pictures: at 672 px each about 3 MB with the text it is sent as


class ReferenceShelf:
    """The pictures of reference cases as a model sees them, least recently used forgotten first. Thread-safe.

    Only pictures of the knowledge base are kept; a patient's picture lives as long as its consultation.
    """

    def __init__(self, pixels: Callable[[str], Pixels]) -> None:
        """`pixels` reads a stored picture by its digest."""
        self._pixels = pixels
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], ImagePart] = OrderedDict()

    def forget(self, digests: Collection[str]) -> None:
        """These were deleted."""
        with self._lock:
            for key in [key for key in self._kept if key[0] in digests]:
                del self._kept[key]

    def retain(self, digests: Collection[str]) -> None:
        """All others may have been deleted."""
        with self._lock:
            for key in [key for key in self._kept if key[0] not in digests]:
                del self._kept[key]

    def holds(self, digests: Collection[str]) -> bool:
        """Whether any of these is kept."""
        with self._lock:
            return any(digest in digests for digest, _ in self._kept)

    def picture(self, digest: str, model: ServedModel) -> ImagePart:
        """The picture with this digest, prepared for the model. Raises KnowledgeError when it cannot be read."""
        key = (digest, model.profile.preprocessing.longest_side)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = model.prepared(self._pixels(digest))
        with self._lock:
            kept = self._kept.setdefault(key, made)
            self._kept.move_to_end(key)
            while len(self._kept) > SIZE:
                self._kept.popitem(last=False)
        return kept
