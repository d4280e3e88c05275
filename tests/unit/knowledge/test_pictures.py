"""Admission of pictures: what is let in, what is refused and why, and what is left of it afterwards."""

import hashlib
import io
import struct
import sys
import types
import zlib
from collections.abc import Callable
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageFilter, PngImagePlugin

from knowledge.errors import PictureRefused
from knowledge.pictures import WEBP_MAX_SIDE, PictureLimits, admit_picture


def scene(width: int = 120, height: int = 80) -> Image.Image:
    """A picture that looks different from each of the eight directions: smooth colours and some sharp marks."""
    down, across = np.mgrid[0:height, 0:width]
    red = across * 255 // (width - 1)
    green = down * 255 // (height - 1)
    blue = np.where((across < width // 4) & (down < height // 2), 220, 30)
    return Image.fromarray(np.dstack([red, green, blue]).astype(np.uint8))


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_claiming(width: int, height: int, *, idat: bytes = b"") -> bytes:
    """A PNG whose header promises that size, whatever follows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", idat) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def with_png_chunk(data: bytes, chunk: bytes) -> bytes:
    """`chunk` put right after the header chunk (8 bytes of signature, 25 of header)."""
    return data[:33] + chunk + data[33:]


def refusal(data: bytes, **limits: int) -> PictureRefused:
    with pytest.raises(PictureRefused) as caught:
        admit_picture(data, PictureLimits(**limits))
    return caught.value


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 95}), ("JPEG", {"progressive": True})],
)
def test_each_supported_format_is_admitted(kind: str, options: dict[str, Any]) -> None:
    data = encode(scene(), kind, **options)
    picture = admit_picture(data)
    assert (picture.width, picture.height) == (120, 80)
    assert picture.rgb.shape == (80, 120, 3)
    assert picture.rgb.dtype == np.uint8
    assert picture.format == kind
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert np.abs(picture.rgb.astype(int) - np.asarray(scene()).astype(int)).mean() < 8


def test_pixels_cannot_be_changed_and_equality_is_by_bytes() -> None:
    data = encode(scene())
    picture = admit_picture(data)
    assert not picture.rgb.flags.writeable
    assert picture == admit_picture(data)
    assert hash(picture) == hash(admit_picture(data))
    assert picture != admit_picture(encode(scene(), "JPEG"))
    assert "rgb" not in repr(picture)


def test_perceptual_hash_is_the_librarys() -> None:
    picture = admit_picture(encode(scene()))
    assert picture.perceptual_hash == str(imagehash.phash(scene()))
    assert len(picture.perceptual_hash) == 16


# --- the stored form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_stored_form_gives_the_same_picture_again(kind: str) -> None:
    picture = admit_picture(encode(scene(), kind))
    again = admit_picture(picture.encoded())
    assert np.array_equal(picture.rgb, again.rgb)
    assert again.perceptual_hash == picture.perceptual_hash
    assert again.sharpness == picture.sharpness
    assert again.encoded() == picture.encoded()


def test_nothing_but_pixels_is_stored() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Doe, Jane"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b"<x:xmpmeta>born 1970-01-01</x:xmpmeta>"
    data = encode(scene(), "JPEG", exif=exif, icc_profile=profile, comment=b"ward 7", xmp=xmp)
    stored = admit_picture(data).encoded()
    for secret in (b"Doe", b"GPS", b"ward", b"1970", b"EXIF", b"ICCP", b"XMP"):
        assert secret not in stored
    with Image.open(io.BytesIO(stored)) as reopened:
        assert (reopened.format, reopened.mode) == ("WEBP", "RGB")
        assert not reopened.getexif()
        assert {"icc_profile", "xmp", "exif", "comment"}.isdisjoint(reopened.info)


# --- direction and colours -------------------------------------------------------------------------------------------

# What a camera stores so that a viewer who follows the orientation tag sees `scene()`.
TURNS: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda image: image,
    2: lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(Image.Transpose.ROTATE_180),
    4: lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    6: lambda image: image.transpose(Image.Transpose.ROTATE_90),
    7: lambda image: image.transpose(Image.Transpose.TRANSVERSE),
    8: lambda image: image.transpose(Image.Transpose.ROTATE_270),
}


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_orientation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = admit_picture(encode(TURNS[orientation](scene()), kind, exif=exif, lossless=True))
    assert np.array_equal(picture.rgb, np.asarray(scene()))


@pytest.mark.parametrize("block", [b"", b"garbage!", b"MM\0*\0\0\0\x08\xff\xff", b"II*\0\x08\0\0\0\x01\0\x12"])
def test_a_broken_exif_block_costs_nothing_but_itself(block: bytes) -> None:
    assert admit_picture(encode(scene(), "JPEG", exif=b"Exif\0\0" + block)).width == 120


@pytest.mark.parametrize(("kind", "value"), [(3, b"\0\0"), (3, b"\0\x09"), (3, b"\xff\xff"), (2, b"up")])
def test_an_orientation_that_does_not_exist_means_as_stored(kind: int, value: bytes) -> None:
    """A TIFF block of one entry: the orientation tag as a number (kind 3) or, against the standard, a text (kind 2)."""
    count = 1 if kind == 3 else 3
    entry = struct.pack(">HHHI4s", 1, ExifTags.Base.Orientation, kind, count, value)
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + entry + bytes(4)
    assert np.array_equal(admit_picture(encode(scene(), exif=exif)).rgb, np.asarray(scene()))


def test_transparency_shows_white_paper() -> None:
    image = scene().convert("RGBA")
    image.paste((255, 0, 0, 0), (0, 0, 40, 80))
    image.paste((0, 0, 0, 128), (40, 0, 80, 80))
    rgb = admit_picture(encode(image)).rgb
    assert (rgb[:, :40] == 255).all()
    assert (rgb[:, 40:80] == 127).all()
    assert np.array_equal(rgb[:, 80:], np.asarray(scene())[:, 80:])


@pytest.mark.parametrize("transparency", [0, bytes(range(256))])
def test_a_palette_with_transparency_is_read_without_a_warning(transparency: int | bytes) -> None:
    picture = admit_picture(encode(scene().quantize(256), transparency=transparency))
    assert picture.rgb.shape == (80, 120, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16"])
def test_grey_stays_grey(mode: str) -> None:
    grey = scene().convert("L").point(lambda value: 255 if value > 90 else 0)
    image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    assert np.array_equal(admit_picture(encode(image)).rgb, np.asarray(grey.convert("RGB")))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    row = admit_picture(encode(Image.fromarray(ramp))).rgb[0, :, 0].astype(int)
    assert (row[0], row[-1]) == (0, 255)
    assert np.abs(row - np.linspace(0, 255, 64)).max() <= 1


def test_cmyk_jpegs_become_rgb() -> None:
    picture = admit_picture(encode(scene().convert("CMYK"), "JPEG", quality=95))
    assert np.abs(picture.rgb.astype(int) - np.asarray(scene()).astype(int)).mean() < 8


def swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries changed places: applying it must exchange the colours."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"TEMP").replace(b"bXYZ", b"rXYZ").replace(b"TEMP", b"bXYZ")


def test_an_embedded_profile_is_converted_to_srgb() -> None:
    red = Image.new("RGB", (64, 64), (250, 10, 10))
    pixel = admit_picture(encode(red, icc_profile=swapped_profile())).rgb[0, 0].astype(int)
    assert pixel[2] > 200 > 60 > pixel[0]


def test_the_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb = admit_picture(encode(scene(), icc_profile=profile)).rgb
    assert np.abs(rgb.astype(int) - np.asarray(scene()).astype(int)).max() <= 1


@pytest.mark.parametrize("profile", [b"not a profile", b"\0" * 4000, swapped_profile()[:200]])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert np.array_equal(admit_picture(encode(scene(), icc_profile=profile)).rgb, np.asarray(scene()))


def test_a_profile_for_other_pixels_is_ignored() -> None:
    grey = scene().convert("L")
    rgb = admit_picture(encode(grey, icc_profile=swapped_profile())).rgb
    assert np.array_equal(rgb, np.asarray(grey.convert("RGB")))


# --- measurements ----------------------------------------------------------------------------------------------------


def test_exposure_and_contrast_are_fractions_of_the_luma_range() -> None:
    white, black = Image.new("RGB", (64, 64), "white"), Image.new("RGB", (64, 64), "black")
    halves = Image.new("RGB", (256, 256), "black")
    halves.paste("white", (0, 0, 128, 256))
    assert (admit_picture(encode(white)).exposure, admit_picture(encode(white)).contrast) == (1.0, 0.0)
    assert (admit_picture(encode(black)).exposure, admit_picture(encode(black)).contrast) == (0.0, 0.0)
    assert admit_picture(encode(halves)).exposure == 0.5
    assert admit_picture(encode(halves)).contrast == 0.5


def test_sharpness_is_the_variance_of_the_laplacian() -> None:
    line = Image.new("RGB", (256, 256), "black")
    line.paste((10, 10, 10), (100, 0, 101, 256))
    # Of 254 inner columns the line's own has 10 + 10 - 4 * 10 = -20 and each neighbour 10; the mean is 0.
    assert admit_picture(encode(line)).sharpness == pytest.approx((400 + 100 + 100) / 254)


def test_blur_lowers_sharpness_and_resolution_does_not_count() -> None:
    tiles = np.random.default_rng(7).integers(0, 255, (24, 32)).astype(np.uint8)
    large = Image.fromarray(np.kron(tiles, np.ones((32, 32), np.uint8)))
    sharp = admit_picture(encode(large)).sharpness
    blurred = admit_picture(encode(large.filter(ImageFilter.GaussianBlur(12)))).sharpness
    half = admit_picture(encode(large.resize((512, 384), Image.Resampling.BOX))).sharpness
    assert blurred < sharp / 3
    assert half == pytest.approx(sharp, rel=0.2)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_an_empty_file_and_a_large_file_are_refused() -> None:
    assert refusal(b"").reason == "empty_file"
    assert refusal(encode(scene()), bytes=100).reason == "too_large"


@pytest.mark.parametrize("data", [b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"\0" * 500])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert refusal(data).reason == "not_a_picture"


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_are_refused_by_name(kind: str) -> None:
    assert refusal(encode(scene(), kind)).reason == "format_not_supported"


def test_dicom_is_refused_by_name() -> None:
    assert refusal(b"\0" * 128 + b"DICM" + b"\0" * 100).reason == "format_not_supported"


HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_phone_formats_need_the_optional_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert refusal(HEIC_HEAD).reason == "format_not_supported"


class HeifDouble(ImageFile.ImageFile):
    """A stand-in for pillow_heif's decoder: whatever the bytes are, they show `shown`."""

    shown = scene()

    def _open(self) -> None:
        self._size, self._mode = self.shown.size, self.shown.mode

    def load(self) -> Any:
        self.im = self.shown.im
        return super().load()


@pytest.fixture
def heif(monkeypatch: pytest.MonkeyPatch) -> type[HeifDouble]:
    def register() -> None:
        Image.register_open("HEIF", HeifDouble, lambda prefix: prefix[4:8] == b"ftyp")

    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register))
    monkeypatch.setattr(Image, "OPEN", Image.OPEN.copy())
    monkeypatch.setattr(Image, "ID", Image.ID.copy())
    return HeifDouble


def test_phone_formats_are_read_when_the_library_is_there(heif: type[HeifDouble]) -> None:
    picture = admit_picture(HEIC_HEAD)
    assert picture.format == "HEIF"
    assert np.array_equal(picture.rgb, np.asarray(scene()))


def test_what_pillow_calls_a_bomb_has_too_many_pixels(heif: type[HeifDouble], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 120 * 80 // 2 - 1)
    assert refusal(HEIC_HEAD).reason == "too_many_pixels"


def test_the_size_is_refused_from_the_header_alone() -> None:
    bomb = zlib.compress(bytes(1_000_000), 9)
    assert refusal(png_claiming(16_000, 16_000, idat=bomb)).reason == "too_many_pixels"
    assert refusal(png_claiming(2**31 - 1, 2**31 - 1)).reason == "too_many_pixels"
    assert refusal(png_claiming(WEBP_MAX_SIDE + 1, 40)).reason == "too_many_pixels"
    assert refusal(encode(scene()), pixels=120 * 80 - 1).reason == "too_many_pixels"


def test_small_pictures_are_refused_and_the_limits_are_inclusive() -> None:
    assert refusal(encode(scene(31, 400))).reason == "too_small"
    assert refusal(encode(scene(2, 2))).reason == "too_small"
    assert admit_picture(encode(scene(32, 32))).width == 32
    assert admit_picture(encode(scene()), PictureLimits(pixels=120 * 80, max_side=120)).width == 120


def test_an_extreme_shape_is_admitted_and_stored() -> None:
    picture = admit_picture(encode(scene(WEBP_MAX_SIDE, 32)))
    assert admit_picture(picture.encoded()).width == WEBP_MAX_SIDE


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_cut_off_upload_is_called_truncated(kind: str, kept: float) -> None:
    data = encode(scene(), kind)
    assert refusal(data[: int(len(data) * kept)]).reason == "truncated"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_file_is_called_broken(kind: str) -> None:
    data = encode(scene(), kind)
    damaged = data[:12] + b"\xff" * 30 + data[42:]
    assert refusal(damaged).reason == "broken"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(kind: str) -> None:
    other = scene().transpose(Image.Transpose.ROTATE_180)
    assert refusal(encode(scene(), kind, save_all=True, append_images=[other])).reason == "animated"


def test_the_first_picture_of_a_multi_picture_jpeg_is_read() -> None:
    depth_map = Image.new("RGB", (60, 40), "white")
    mpo = encode(scene(), "MPO", save_all=True, append_images=[depth_map])
    picture = admit_picture(mpo)
    assert (picture.format, picture.width) == ("JPEG", 120)
    broken_index = mpo.replace(b"MPF\0II*\0", b"MPF\0II*\x09").replace(b"MPF\0MM\0*", b"MPF\0MM\x09*")
    assert np.array_equal(admit_picture(broken_index).rgb, picture.rgb)


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    data = encode(scene(), "JPEG", progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    assert refusal(data[:-2] + last_scan * 100 + data[-2:]).reason == "too_many_scans"
    assert admit_picture(data + last_scan * 200).width == 120  # a video appended by a phone may contain anything


def test_a_text_chunk_that_unpacks_to_megabytes_is_refused() -> None:
    packed = b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9)
    assert refusal(with_png_chunk(encode(scene()), png_chunk(b"zTXt", packed))).reason == "broken"


def test_ordinary_text_chunks_are_dropped() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "Doe, Jane", zip=True)
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    picture = admit_picture(encode(scene(), pnginfo=info))
    assert np.array_equal(picture.rgb, np.asarray(scene()))
    assert b"Doe" not in picture.encoded()


def test_refusals_are_chained_and_say_what_to_do() -> None:
    error = refusal(encode(scene())[:200])
    assert error.__cause__ is not None
    assert str(error).endswith("send it again.")


def test_lack_of_memory_is_not_blamed_on_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(image: Image.Image) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr("knowledge.pictures.upright_rgb", exhausted)
    with pytest.raises(MemoryError):
        admit_picture(encode(scene()))


@pytest.mark.parametrize(
    "limits", [{"bytes": 0}, {"pixels": 0}, {"min_side": 0}, {"min_side": 50, "max_side": 40}, {"max_side": 20_000}]
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="picture limits"):
        PictureLimits(**limits)
