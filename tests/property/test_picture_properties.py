"""What holds for every picture, and for every string of bytes that is none."""

import io

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import ExifTags, Image

from knowledge.errors import PictureRefused
from knowledge.pictures import Picture, PictureLimits, admit_picture

Pixels = NDArray[np.uint8]

FEW_PIXELS = PictureLimits(pixels=250_000)  # so that a mutated header cannot make a test slow
SHAPES = st.tuples(st.integers(32, 60), st.integers(32, 60), st.just(3))
PIXELS = arrays(np.uint8, SHAPES, elements=st.integers(0, 255), fill=st.integers(0, 255))

# What a camera must store, per EXIF orientation, for a viewer to see the array as it is (numpy's words, not Pillow's).
STORED = {
    1: lambda rgb: rgb,
    2: lambda rgb: rgb[:, ::-1],
    3: lambda rgb: rgb[::-1, ::-1],
    4: lambda rgb: rgb[::-1],
    5: lambda rgb: rgb.transpose(1, 0, 2),
    6: lambda rgb: rgb.transpose(1, 0, 2)[::-1],
    7: lambda rgb: rgb[::-1, ::-1].transpose(1, 0, 2),
    8: lambda rgb: rgb.transpose(1, 0, 2)[:, ::-1],
}


def encode(rgb: Pixels, kind: str, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(buffer, kind, exif=exif, lossless=True)
    return buffer.getvalue()


def wave() -> Pixels:
    down, across = np.mgrid[0:48, 0:64]
    return np.dstack([down * 5, across * 4, (down * across) % 256]).astype(np.uint8)


SEEDS = [encode(wave(), kind, 6) for kind in ("JPEG", "PNG", "WEBP")]


def admitted_or_refused(data: bytes) -> Picture | None:
    """Any other exception, and any warning, fails the test that calls this."""
    try:
        return admit_picture(data, FEW_PIXELS)
    except PictureRefused:
        return None


@given(st.binary(max_size=400))
@example(b"\xff\xd8\xff")
@example(b"\x89PNG\r\n\x1a\n")
@example(b"RIFF\x04\0\0\0WEBP")
@example(b"\0\0\0\x0cftypheic")
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    assert admitted_or_refused(data) is None


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x80\0\0\0WEBPVP8 "]), st.binary(max_size=400))
def test_a_signature_alone_makes_no_picture(signature: bytes, rest: bytes) -> None:
    assert admitted_or_refused(signature + rest) is None


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_mutated_pictures_are_admitted_or_refused(seed: bytes, data: st.DataObject) -> None:
    mutated = bytearray(seed)
    # Half of the changes hit the first 200 bytes, where the headers are.
    places = st.one_of(st.integers(0, 199), st.integers(0, len(seed) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=12)):
        mutated[place] = value
    end = data.draw(st.one_of(st.just(len(seed)), st.integers(0, len(seed))))
    picture = admitted_or_refused(bytes(mutated[:end]))
    if picture is not None:
        assert np.array_equal(admit_picture(picture.encoded()).rgb, picture.rgb)


@settings(max_examples=60, deadline=None)
@given(PIXELS, st.sampled_from(sorted(STORED)), st.sampled_from(["PNG", "WEBP"]))
def test_the_same_view_is_admitted_from_each_orientation(rgb: Pixels, orientation: int, kind: str) -> None:
    picture = admit_picture(encode(STORED[orientation](rgb), kind, orientation))
    assert np.array_equal(picture.rgb, rgb)


@settings(max_examples=60, deadline=None)
@given(PIXELS)
def test_the_stored_form_is_lossless_and_stable(rgb: Pixels) -> None:
    picture = admit_picture(encode(rgb, "PNG"))
    again = admit_picture(picture.encoded())
    assert np.array_equal(again.rgb, rgb)
    assert again.perceptual_hash == picture.perceptual_hash
    assert again.encoded() == picture.encoded()


@settings(max_examples=60, deadline=None)
@given(PIXELS)
def test_measurements_stay_in_their_ranges(rgb: Pixels) -> None:
    picture = admit_picture(encode(rgb, "PNG"))
    assert picture.sharpness >= 0
    assert 0 <= picture.exposure <= 1
    assert 0 <= picture.contrast <= 0.5
    assert len(picture.perceptual_hash) == 16
    int(picture.perceptual_hash, 16)
