"""Hostile pictures, most of them written chunk by chunk. The same call gives the same bytes."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
SECRET = b"<script>EVIL-PAYLOAD</script>"


def scene(width: int = 96, height: int = 64) -> Image.Image:
    """Noise over a slope: nothing that packs well, so that a cut falls into the pixels."""
    noise = np.random.default_rng(5).integers(0, 60, (height, width, 3))
    slope = np.linspace(0, 190, width)[None, :, None]
    return Image.fromarray((noise + slope).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    width: int, height: int, rows: bytes, *between: bytes, depth: int = 8, colours: int = 0, interlaced: bool = False
) -> bytes:
    """A PNG of these packed rows (with their filter bytes); the chunks `between` stand after the header."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlaced))
    return PNG_HEAD + head + b"".join(between) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def flat_png(width: int, height: int) -> bytes:
    """A true picture of one colour, one bit a pixel: 2,500 million pixels are 300 kB."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return PNG_HEAD + head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def with_chunks(*chunks: bytes) -> bytes:
    """A sound PNG with chunks after its header."""
    data = encoded(scene(), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def packed_chunk(name: bytes, keyword: bytes, size: int = 100_000_000) -> bytes:
    """A chunk whose text or profile unpacks to that many bytes."""
    between = {b"zTXt": b"\0\0", b"iCCP": b"\0\0", b"iTXt": b"\0\1\0\0\0"}[name]
    return chunk(name, keyword + between + zlib.compress(bytes(size), 9))


def animation(kind: str, frames: int = 300) -> bytes:
    """So many small frames."""
    shown = [Image.new("RGB", (40, 40), (number % 256, number // 256, 0)) for number in range(frames)]
    return encoded(shown[0], kind, save_all=True, append_images=shown[1:], duration=10)


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """An EXIF block with one directory at offset 8: (tag, type, count, value or offset), then the next one's offset."""
    listed = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(entries)) + listed + struct.pack(">I", following)


EXIF_IFD, GPS_IFD, INTEROP_IFD, ORIENTATION, MAKER_NOTE = 0x8769, 0x8825, 0xA005, 0x0112, 0x927C
SHORT, LONG, UNDEFINED = 3, 4, 7

EXIF_BLOCKS = {
    "next is itself": tiff((ORIENTATION, SHORT, 1, 1 << 16), following=8),
    "within itself": tiff((EXIF_IFD, LONG, 1, 8), (GPS_IFD, LONG, 1, 8), (INTEROP_IFD, LONG, 1, 8)),
    "huge count": tiff((ORIENTATION, SHORT, 2**32 - 1, 8), (MAKER_NOTE, UNDEFINED, 2**32 - 1, 8)),
    "offset outside": tiff((EXIF_IFD, LONG, 1, 2**32 - 1), following=2**32 - 1),
    "many entries": tiff(*[(MAKER_NOTE, UNDEFINED, 60_000, 8)] * 5_000),
    "no directory": b"Exif\0\0MM\0*\xff\xff\xff\xff",
}


def webp_claiming(width: int, height: int) -> bytes:
    """A WebP that claims a canvas of that size around a small picture."""
    inner = encoded(scene(), "WEBP", lossless=True)[12:]
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_claiming(width: int, height: int) -> bytes:
    """A JPEG whose frame header says another size than its data has."""
    data = bytearray(encoded(scene(), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def polyglots() -> dict[str, bytes]:
    """Sound pictures that are something else as well."""
    jpeg, flat = encoded(scene(), "JPEG"), encoded(scene(), "PNG")
    comment = b"\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET
    return {
        "jpeg with a page in its comment": jpeg[:2] + comment + jpeg[2:],
        "jpeg with an archive behind it": jpeg + b"PK\x03\x04" + SECRET,
        "png with a page behind it": flat + SECRET,
        "png with a page in a chunk": with_chunks(chunk(b"tEXt", b"Title\0" + SECRET)),
        "webp with a page in a chunk": encoded(scene(), "WEBP", xmp=SECRET, lossless=True),
    }


NO_PICTURES = {
    "svg": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "html": b"<!doctype html><img src=x onerror=alert(1)>",
    "zip": b"PK\x03\x04" + bytes(60),
    "elf": b"\x7fELF\2\1\1" + bytes(60),
    "pdf": b"%PDF-1.7\n%%EOF",
    "jpeg later": b"junk" + b"\xff\xd8\xff\xe0" * 20,
    "riff of sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "spaces": b" " * 5_000,
}
