"""Pictures made to hurt: a clear reason each, bounded work, and nothing of what came with them is kept."""

import io
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

from knowledge.errors import PictureRefused
from knowledge.pictures import PictureLimits, admit_picture
from tests import hostile_pictures as made
from tests.hostile import cuts, mutated
from tests.hostile_pictures import EXIF_BLOCKS, chunk, encoded, packed_chunk, png, scene, with_chunks

CLEAR = {
    "too_large", "not_a_picture", "format_not_supported", "too_many_parts", "too_many_pixels", "too_small",
    "too_many_scans", "animated", "truncated", "broken",
}  # fmt: skip


def outcome(data: bytes, limits: PictureLimits = PictureLimits()) -> str:
    """`read`, or the reason of the refusal."""
    try:
        admit_picture(data, limits)
    except PictureRefused as refused:
        return refused.reason if refused.reason in CLEAR else f"unclear: {refused.reason}"
    return "read"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lambda: made.flat_png(50_000, 50_000), "too_many_pixels"),
        (lambda: made.jpeg_claiming(65_535, 65_535), "too_many_pixels"),
        (lambda: made.webp_claiming(16_383, 16_383), "too_many_pixels"),
        (lambda: made.webp_claiming(2**24, 2**24), "too_many_pixels"),
        (lambda: made.jpeg_claiming(7_000, 7_000), "broken"),
        (lambda: made.webp_claiming(7_000, 7_000), "broken"),
        (lambda: made.jpeg_claiming(0, 64), "broken"),
        (lambda: made.animation("PNG"), "animated"),
        (lambda: made.animation("WEBP"), "animated"),
        (lambda: made.animation("GIF"), "format_not_supported"),
        (lambda: with_chunks(packed_chunk(b"zTXt", b"x")), "broken"),
        (lambda: with_chunks(packed_chunk(b"iTXt", b"x")), "broken"),
        (lambda: with_chunks(packed_chunk(b"iCCP", b"x")), "broken"),
        (lambda: with_chunks(chunk(b"aaAa", b"") * 60_000), "too_many_parts"),
        (lambda: with_chunks(chunk(b"tEXt", b"k\0v") * 60_000), "too_many_parts"),
        (lambda: png(64, 64, bytes(64 * 65), colours=3), "broken"),
        (lambda: encoded(scene(1, 1), "PNG"), "too_small"),
    ],
)
def test_what_cannot_be_used_is_refused(data: Callable[[], bytes], reason: str) -> None:
    assert outcome(data()) == reason


@pytest.mark.parametrize("part", [b"\xff\xfe\0\2", b"\xff\xe1\0\2", b"\xff\xdb\0\2", b"\xff", b"\xff\xd0"])
def test_a_jpeg_of_endless_parts_is_refused_before_it_is_walked(part: bytes) -> None:
    data = encoded(scene(), "JPEG")
    assert outcome(data[:2] + part * 1_000_000 + data[2:]) == "too_many_parts"
    assert outcome(data[:2] + part * 400 + data[2:]) == "read"


@pytest.mark.parametrize("data", made.NO_PICTURES.values(), ids=made.NO_PICTURES)
def test_what_is_no_picture_is_called_so(data: bytes) -> None:
    assert outcome(data) == "not_a_picture"


@pytest.mark.parametrize("data", made.polyglots().values(), ids=made.polyglots())
def test_of_a_file_that_is_also_something_else_only_the_pixels_are_kept(data: bytes) -> None:
    picture = admit_picture(data)
    assert b"EVIL" in data
    assert b"EVIL" not in picture.encoded()
    assert np.abs(picture.rgb.astype(int) - np.asarray(scene())).mean() < 20


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("block", EXIF_BLOCKS.values(), ids=EXIF_BLOCKS)
def test_exif_that_turns_in_a_circle_costs_only_itself(block: bytes, kind: str) -> None:
    assert admit_picture(encoded(scene(), kind, exif=block)).width == 96


@pytest.mark.parametrize("kept", [0, 1, 20, 63])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("depth", "colours", "row"), [(1, 0, 8), (8, 2, 192), (16, 0, 128), (16, 6, 512)])
def test_a_png_that_lacks_rows_is_refused_and_a_black_one_is_not(
    kept: int, interlaced: bool, depth: int, colours: int, row: int
) -> None:
    # Interlaced pictures of 64 x 64 pixels come in 7 passes of 8, 8, 8, 16, 16, 32 and 32 rows.
    bits = row * 8 // 64
    passes = [(8, 8), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32)] if interlaced else [(64, 64)]
    whole = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in passes)
    make = partial(png, 64, 64, depth=depth, colours=colours, interlaced=interlaced)
    assert outcome(make(bytes(whole))) == "read"
    assert outcome(make(bytes(whole * kept // 64))) == "broken"
    assert outcome(make(bytes(whole - 1))) == "broken"


def test_more_rows_than_the_header_says_are_not_unpacked() -> None:
    assert outcome(png(64, 64, bytes(200_000_000))) == "read"


def test_unusual_pixels_are_read() -> None:
    clear = scene().convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    for picture in (clear, scene().convert("P"), scene().convert("1"), scene().convert("LA")):
        assert outcome(encoded(picture, "PNG")) == "read"
    assert outcome(encoded(scene().convert("P"), "PNG", transparency=3)) == "read"
    assert outcome(encoded(scene().convert("CMYK"), "JPEG")) == "read"
    deep = Image.fromarray(np.full((64, 64), 60_000, np.uint16))
    assert admit_picture(encoded(deep, "PNG")).rgb.mean() == pytest.approx(60_000 / 257, abs=1)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("WEBP", {"lossless": True})],
)
def test_a_picture_cut_anywhere_is_truncated(kind: str, options: dict[str, bool]) -> None:
    data = encoded(scene(240, 160), kind, **options)
    pieces = cuts(data)
    assert len(pieces) > 5
    assert {outcome(piece) for piece in pieces} == {"truncated"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_noise_in_a_picture_gives_a_clear_outcome(kind: str) -> None:
    data = encoded(scene(240, 160), kind)
    found = Counter(outcome(mutated(data, seed)) for seed in range(150))
    assert found["broken"] + found["truncated"] > 20
    assert found.keys() <= {"read", "broken", "truncated", "not_a_picture"}


def test_a_sound_picture_is_admitted_after_all_of_them() -> None:
    picture = admit_picture(encoded(scene(), "PNG"))
    assert np.array_equal(picture.rgb, np.asarray(scene()))
    with Image.open(io.BytesIO(picture.encoded())) as stored:
        assert stored.size == (96, 64)
