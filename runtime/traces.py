"""Which of many byte strings stand in a file: every place is looked at once, however many are sought.

The first 8 bytes at each place, as one number, are looked up in a table of 2^22 bits; the few that fit are compared whole. A
deleted data set has tens of thousands of captions, and an index hundreds of megabytes: asking for one after the other would
take hours.
"""

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

SHORTEST: Final = 16  # bytes; what is shorter stands in files by accident
_PREFIX: Final = 8
_BITS: Final = 22
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio (Knuth's multiplicative hashing)
_CHUNK: Final = 1 << 23  # bytes at a time

Bytes = bytes | mmap.mmap


class Needles:
    """What is sought. Strings shorter than SHORTEST are not."""

    def __init__(self, strings: Iterable[bytes]) -> None:
        self._by_prefix: dict[int, list[bytes]] = {}
        for one in set(strings):
            if len(one) >= SHORTEST:
                self._by_prefix.setdefault(int.from_bytes(one[:_PREFIX], "little"), []).append(one)
        self._table = np.zeros(1 << _BITS, dtype=np.bool_)
        self._table[_hashed(np.array([*self._by_prefix], dtype=np.uint64))] = True

    def __bool__(self) -> bool:
        return bool(self._by_prefix)

    def found_in(self, data: Bytes) -> Iterator[bytes]:
        """Those that stand in `data`, once for each place."""
        if not self:
            return
        for start in range(0, len(data) - _PREFIX + 1, _CHUNK):
            chunk = np.frombuffer(data[start : start + _CHUNK + _PREFIX - 1], dtype=np.uint8)
            for at in self._likely(chunk):
                place = start + int(at)
                prefix = int.from_bytes(data[place : place + _PREFIX], "little")
                for one in self._by_prefix.get(prefix, ()):
                    if data[place : place + len(one)] == one:
                        yield one

    def in_file(self, file: Path) -> bool:
        """Whether any stands in a file; False for one that is gone, a log that another process just emptied."""
        try:
            with file.open("rb") as opened:
                if not file.stat().st_size:
                    return False
                with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                    return next(self.found_in(mapped), None) is not None
        except FileNotFoundError:
            return False

    def _likely(self, chunk: NDArray[np.uint8]) -> Iterator[np.int64]:
        """Places in a chunk where 8 bytes begin that hash as a needle's do."""
        for shift in range(min(_PREFIX, len(chunk) - _PREFIX + 1)):
            whole = (len(chunk) - shift) // _PREFIX * _PREFIX
            words = chunk[shift : shift + whole].view("<u8")
            yield from np.flatnonzero(self._table[_hashed(words)]) * _PREFIX + shift


def _hashed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    hashed: NDArray[np.uint64] = (words * _MIX) >> np.uint64(64 - _BITS)
    return hashed
