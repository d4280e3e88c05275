"""Which of several equal servers a request goes to: the least busy, and among those that are about as free, the one that
has computed the beginning of this prompt before.

Rendezvous hashing (Thaler and Ravishankar 1998, "Using name-based mappings to increase hit rates"): every server gets a
weight from the key and its name, the highest wins. A server that is lost or added moves only its own share of the keys.
"""

import hashlib
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from weakref import WeakKeyDictionary

from inference.engines.types import ChatRequest
from inference.prompts import ImagePart

_WIDTH: Final = 16  # bytes of a digest

# Of pictures that several requests show; a reference picture lives as long as the shelf keeps it.
_PICTURES: Final[MutableMapping[ImagePart, bytes]] = WeakKeyDictionary()

# Where this task's questions went before, by the object that chose; None outside of `together`.
_KEPT: Final[ContextVar[dict[int, str] | None]] = ContextVar("kept", default=None)


def chosen(key: bytes, loads: Mapping[str, int], slack: int) -> str:
    """The name with the highest weight among those whose load exceeds the least by at most `slack`.

    The same for the same key and loads, in whatever order they come. Raises ValueError for no names.
    """
    if not loads:
        raise ValueError("there is nothing to choose from")
    most = min(loads.values()) + slack
    return max((name for name, load in loads.items() if load <= most), key=lambda name: (_weight(key, name), name))


def leading_key(request: ChatRequest) -> bytes:
    """A digest of the prompt up to its first picture, the picture included; of the whole prompt where there is none.

    A server's prefix cache reads a prompt from its beginning. References come before what is asked about them, nearest
    first, so questions with the same nearest reference share a key, and so do those that only leave later ones out.
    The beginning of the answer does not count: the answer and its scores are of one prompt.
    """
    digest = hashlib.blake2b(digest_size=_WIDTH)
    messages = request.messages[:-1] if request.opening else request.messages
    for message in messages:
        for part in message.parts:
            if isinstance(part, ImagePart):
                digest.update(_of_picture(part))
                return digest.digest()
            digest.update(hashlib.blake2b(part.text.encode("utf-8", "replace"), digest_size=_WIDTH).digest())
    return digest.digest()


@contextmanager
def together() -> Iterator[None]:
    """What is asked inside goes to one server of each model for as long as that answers, however busy it gets."""
    token = _KEPT.set({})
    try:
        yield
    finally:
        _KEPT.reset(token)


def kept_of(chooser: object) -> str | None:
    """Where `chooser` sent this task's last question."""
    return (_KEPT.get() or {}).get(id(chooser))


def keep(chooser: object, name: str) -> None:
    """Remember it, where questions are to stay together."""
    kept = _KEPT.get()
    if kept is not None:
        kept[id(chooser)] = name


def _weight(key: bytes, name: str) -> bytes:
    return hashlib.blake2b(name.encode(), key=key, digest_size=_WIDTH).digest()


def _of_picture(part: ImagePart) -> bytes:
    known = _PICTURES.get(part)
    if known is None:
        digest = hashlib.blake2b(repr(part.rgb.shape).encode(), digest_size=_WIDTH)
        digest.update(part.rgb.tobytes())
        known = _PICTURES[part] = digest.digest()
    return known
