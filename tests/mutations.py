"""Ways to damage a file, each decided by a seed: flipped bits, cuts, foreign parts, lengths, heads, words of formats."""

import io
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from tests import hostile
from tests.hostile_pictures import scene
from tests.sample import guideline

Mutate = Callable[[random.Random, bytearray, Sequence[bytes]], bytearray]

PICTURE_WORDS = (
    b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL", b"fdAT", b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0", b"\xff\xc0\x00\x11\x08", b"\xff\xc2", b"\xff\xda", b"\xff\xd9", b"\xff\xdb",
    b"\xff\xc4", b"\xff\xee\x00\x0eAdobe", b"Exif\0\0MM\0*", b"RIFF", b"WEBPVP8X", b"VP8 ", b"VP8L",
    b"ANMF", b"ALPH", b"EXIF", b"GIF89a", b"II*\0", b"ftypheic", b"8BPS",
)  # fmt: skip
PDF_WORDS = (
    b"endobj\n", b"endstream\n", b"stream\r\n", b"xref\n0 1\n", b"trailer", b"startxref\n", b"%%EOF",
    b"1 0 obj", b"<<", b">>", b"[", b"(", b"/Kids [1 0 R]", b"/Count 999999999", b"/Length 4294967295",
    b"/Length -1", b"/Filter [/FlateDecode /FlateDecode /LZWDecode]",
    b"/DecodeParms << /Predictor 15 /Columns 1000000000 >>", b"/Type /ObjStm", b"/Prev 0",
    b"/Encrypt 1 0 R", b"/MediaBox [0 0 1e9 1e9]", b"/Rotate 45", b"/Subtype /Type3", b"/ToUnicode 1 0 R",
    b"/Contents 1 0 R", b"BT", b"ET", b"q " * 50, b"BI /W 9 ID x EI", b"1e999 Tf", b"99999999999999999999",
    b"-2147483649", b"\0\0\0\0",
)  # fmt: skip
EXTREMES = tuple(
    struct.pack(order + form, value % (1 << bits))
    for order in "<>"
    for form, bits in (("H", 16), ("I", 32))
    for value in (0, 1, -1, 1 << 15, (1 << 31) - 1, 1 << 31, 65_535)
)


def pictures() -> list[bytes]:
    """Sound pictures of every kind that is read, plain and with what a file may carry."""
    image, exif = scene(160, 120), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture of a test"
    made: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (image, "JPEG", {"quality": 80, "exif": exif}),
        (image, "JPEG", {"progressive": True, "subsampling": 2, "comment": "x" * 200}),
        (image.convert("L"), "JPEG", {"quality": 30}),
        (image.convert("CMYK"), "JPEG", {}),
        (image, "PNG", {"exif": exif}),
        (image.convert("P", palette=Image.Palette.ADAPTIVE), "PNG", {"transparency": 3}),
        (image.convert("RGBA"), "PNG", {"compress_level": 0}),
        (image.convert("I;16"), "PNG", {}),
        (image, "WEBP", {"quality": 60, "exif": exif}),
        (image.convert("RGBA"), "WEBP", {"lossless": True}),
    ]
    return [_saved(*one) for one in made]


def _saved(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def documents() -> list[bytes]:
    """Sound PDFs: as a word processor writes them, with an index in a stream, with an outline, with what acts, by hand."""
    return [
        hostile.sound(2),
        guideline(),
        hostile.packed_objects(
            b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 4 0 R >> >> >>", hostile.FONT,
        ),
        hostile.active("canary"),
        hostile.cyclic_outline(),
        hostile.document(hostile.show(hostile.GOOD), hostile.flate(hostile.show("Page two. " + hostile.GOOD))),
    ]  # fmt: skip


def mutants(sound: Sequence[bytes], words: Sequence[bytes], foreign: Sequence[bytes], count: int) -> list[bytes]:
    """So many damaged files, by turns of each sound one; the same call gives the same bytes."""
    return [_mutant(number, sound[number % len(sound)], words, [*sound, *foreign]) for number in range(count)]


def _mutant(seed: int, data: bytes, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    dice, out = random.Random(seed), bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        mutate = dice.choice((_flip, _flip, _cut, _splice, _length, _head, _word, _word, _double, _swap))
        out = mutate(dice, out, words if mutate is _word else others) if out else out
    return bytes(out)


def _flip(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    for _ in range(dice.randint(1, 12)):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def _cut(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    return data[: dice.randrange(len(data))] if dice.random() < 0.7 else data[dice.randrange(len(data)) :]


def _splice(dice: random.Random, data: bytearray, others: Sequence[bytes]) -> bytearray:
    other, at = dice.choice(others), dice.randrange(len(data))
    start = dice.randrange(len(other))
    data[at : at + dice.choice((0, 100))] = other[start : start + dice.randint(1, 2_000)]
    return data


def _length(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    value = dice.choice(EXTREMES)
    at = dice.randrange(min(len(data), dice.choice((64, 512, len(data)))))
    data[at : at + len(value)] = value
    return data


def _head(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    size = dice.randint(1, 40)
    data[:size] = dice.choice((b"", dice.randbytes(size), bytes(size), b"\xef\xbb\xbf", b"\n" * 1_100))
    return data


def _word(dice: random.Random, data: bytearray, words: Sequence[bytes]) -> bytearray:
    word, at = dice.choice(words), dice.randrange(len(data))
    data[at : at + dice.choice((0, len(word)))] = word
    return data


def _double(dice: random.Random, data: bytearray, _others: Sequence[bytes]) -> bytearray:
    at, size = dice.randrange(len(data)), dice.randint(1, 4_000)
    data[at:at] = data[at : at + size] * dice.randint(1, 8)
    return data


def _swap(dice: random.Random, data: bytearray, others: Sequence[bytes]) -> bytearray:
    """The head of another format before the body of this one."""
    size = dice.choice((4, 16, 100))
    data[:size] = dice.choice(others)[:size]
    return data
