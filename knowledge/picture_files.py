"""What the bytes of a picture file say before, and beside, what a decoder makes of them.

Decoders fill in what is missing without a word and spend as long as a file likes on its parts; what only the bytes can
tell is told here, in time linear in their number. Nothing here raises on any bytes.
"""

import re
import zlib
from collections.abc import Iterator
from typing import Final

_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # those followed by a length, and the end marker
_PNG_HEADER: Final = slice(8, 33)
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# Adam7: where each pass starts, and its steps, as (x, y, x step, y step).
_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_INFLATED: Final = 1 << 20  # bytes unpacked at once
_BLOCK: Final = 8  # px, the side of what a JPEG codes as one


def jpeg_parts_exceed(data: bytes, most: int) -> bool:
    """Whether more than `most` segments and filling bytes stand before the first scan."""
    position = 2
    for _ in range(most):
        marker = data[position : position + 2]
        if len(marker) < 2 or marker in (b"\xff\xda", b"\xff\xd9"):
            return False
        if _JPEG_MARKER.match(marker):
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        else:
            position += 1
    return True


def jpeg_scans_exceed(data: bytes, most: int) -> bool:
    """Walk the segments up to the end-of-image marker (thumbnails inside segments and appended videos do not count)."""
    scans, position = 0, 2
    while scans <= most and (marker := _JPEG_MARKER.search(data, position)):
        position = marker.end()
        if data[position - 1] == 0xD9:
            break
        scans += data[position - 1] == 0xDA
        position += int.from_bytes(data[position : position + 2], "big")
    return scans > most


def jpeg_cannot_hold(data: bytes, width: int, height: int) -> bool:
    """Whether the file is too short for its size: Huffman codes spend at least one bit on each block of 8 x 8.

    libjpeg paints what is missing grey. False for arithmetic coding, which has no such bound.
    """
    if b"\xff\xc9" in data or b"\xff\xca" in data:
        return False
    return 8 * len(data) < -(-width // _BLOCK) * -(-height // _BLOCK)


def png_parts_exceed(data: bytes, most: int) -> bool:
    """Whether the file has more than `most` chunks."""
    return any(number > most for number, _ in enumerate(_png_chunks(data), start=1))


def png_lacks_rows(data: bytes) -> bool:
    """Whether the packed pixels end before the last row; Pillow leaves such rows black. Costs unpacking them again."""
    header = data[_PNG_HEADER]
    width, height = int.from_bytes(header[8:12], "big"), int.from_bytes(header[12:16], "big")
    bits = header[16] * _PNG_CHANNELS.get(header[17], 1)
    passes = _PASSES if header[20] else ((0, 0, 1, 1),)
    missing = sum(_bytes_of_pass(width, height, bits, one) for one in passes)
    unpacker = zlib.decompressobj()
    bodies = ((start, end) for name, start, end in _png_chunks(data) if name == b"IDAT")
    for start, end in bodies:
        packed = data[start:end]
        while packed and missing > 0 and not unpacker.eof:
            try:
                missing -= len(unpacker.decompress(packed, _INFLATED))
            except zlib.error:
                return True
            packed = unpacker.unconsumed_tail
    return missing > 0


def _bytes_of_pass(width: int, height: int, bits: int, one: tuple[int, int, int, int]) -> int:
    x, y, step, down = one
    columns, rows = max(0, -(-(width - x) // step)), max(0, -(-(height - y) // down))
    return rows * (1 + (columns * bits + 7) // 8) if columns else 0


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk's body."""
    position = 8
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 8], position + 8, position + 8 + length
        position += 12 + length
