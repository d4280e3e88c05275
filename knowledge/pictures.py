"""Admission of one picture: untrusted bytes in; upright sRGB pixels, hashes and measurements out, or a reason why not.

What is judged from these measurements (too dark, too blurred) is for inference to say.

The stored form is lossless WebP. Lossless, because an embedding made from storage when an index is rebuilt must equal
the one made at ingest, and a consultation with a stored picture must find it at similarity 1. WebP, because at its
fastest setting it beats PNG twice: 26 against 35 KiB and 1.4 against 10 ms a picture on 419 HAM10000 thumbnails, 9.0
against 12.0 MiB and 0.9 against 3.5 s on a 12 megapixel photograph (JPEG at quality 95: 3.2 MiB, 0.05 s, not lossless).
"""

import hashlib
import importlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from knowledge.errors import PictureRefused
from knowledge.picture_files import (
    jpeg_cannot_hold,
    jpeg_parts_exceed,
    jpeg_scans_exceed,
    png_lacks_rows,
    png_parts_exceed,
)
from knowledge.pixels import ends_black, measure, upright_rgb

WEBP_MAX_SIDE: Final = 16_383  # px; the largest side the stored form can hold

# A camera writes 1 to 10 scans. At 50 megapixels a scan of 75 bytes costs 33 ms: 20 MB of them would take hours.
_MAX_JPEG_SCANS: Final = 100
# Segments or chunks: files of 20 MB have a few thousand. Pillow takes 4 us for each, so for 20 MB of empty ones 20 s.
_MAX_PARTS: Final = 50_000


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may cost. Larger ones are refused, never shrunk behind the sender's back."""

    bytes: int = 20_000_000  # of the file; phones write 2 to 12 MB
    pixels: int = 50_000_000  # width x height; 48 megapixel phones pass, at a peak of 0.6 GB (0.9 with alpha)
    min_side: int = 32  # px; under this an encoder sees only interpolation
    max_side: int = WEBP_MAX_SIDE  # px; what the stored form can hold

    def __post_init__(self) -> None:
        if min(self.bytes, self.pixels, self.min_side) < 1 or not self.min_side <= self.max_side <= WEBP_MAX_SIDE:
            raise ValueError(f"picture limits must be positive and 1 <= min_side <= max_side <= {WEBP_MAX_SIDE}")


DEFAULT_LIMITS: Final = PictureLimits()


@dataclass(frozen=True, slots=True)
class Picture:
    """An admitted picture: upright, sRGB, without any metadata. Two are equal when they came from the same bytes."""

    rgb: NDArray[np.uint8] = field(repr=False, compare=False)  # [height, width, 3], read-only
    sha256: str  # 64 hex digits, of the bytes as they were sent
    perceptual_hash: str  # 16 hex digits: imagehash.phash (64 bits) of the upright picture
    format: str  # what was sent: JPEG, PNG, WEBP, HEIF or AVIF
    sharpness: float  # variance of the Laplacian at 256 x 256, squared 8-bit grey levels, >= 0
    exposure: float  # mean luma, 0..1
    contrast: float  # standard deviation of luma, 0..0.5

    @property
    def width(self) -> int:
        """Pixels, of the upright picture."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """Pixels, of the upright picture."""
        return int(self.rgb.shape[0])

    def encoded(self) -> bytes:
        """The stored form: lossless WebP, the same bytes for the same pixels. Admitting it gives `rgb` exactly."""
        buffer = io.BytesIO()
        Image.fromarray(self.rgb).save(buffer, "WEBP", lossless=True, quality=0, method=0)
        return buffer.getvalue()


def admit_picture(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> Picture:
    """Decode `data` within `limits`, or raise PictureRefused.

    Reasons: empty_file, too_large, not_a_picture, format_not_supported, too_many_parts, too_many_pixels, too_small,
    too_many_scans, animated, truncated, broken. Everything but the last two is known before a pixel is decoded.
    """
    if not data:
        raise PictureRefused("empty_file", "The file is empty. Send it again, or take the picture anew.")
    if len(data) > limits.bytes:
        allowed = f"{limits.bytes / 1e6:g} MB"
        raise PictureRefused("too_large", f"The file has {len(data) / 1e6:.1f} MB; at most {allowed} are allowed.")
    container = _container(data)
    upright = _decoded(data, container, limits)
    sharpness, exposure, contrast = measure(upright)
    rgb = np.asarray(upright)
    rgb.setflags(write=False)
    return Picture(
        rgb=rgb,
        sha256=hashlib.sha256(data).hexdigest(),
        perceptual_hash=str(imagehash.phash(upright)),
        format=container,
        sharpness=sharpness,
        exposure=exposure,
        contrast=contrast,
    )


def stored_pixels(stored: bytes) -> NDArray[np.uint8]:
    """RGB pixels of the stored form of a picture, which was within the limits of its time."""
    return admit_picture(stored, PictureLimits(bytes=2**40, pixels=2**40, min_side=1)).rgb


# The decoders' own classes rather than Image.open: only the one whose signature matched sees the bytes, and the first
# picture of a phone's multi-picture JPEG is read like any JPEG, however odd the index of the others is.
_DECODERS: Final[dict[str, Callable[[io.BytesIO], Image.Image]]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
}
_BRANDS: Final = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
# Pictures, but not ours: named, so that the answer is "convert it" and not "this is no picture".
_UNSUPPORTED: Final = (b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")


def _container(data: bytes) -> str:
    """The format by signature; what a file is called or a sender claims does not matter."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    phone = _BRANDS.get(data[8:12]) if data[4:8] == b"ftyp" else None
    if phone and _phone_formats_available():
        return phone
    if phone or data.startswith(_UNSUPPORTED) or data[128:132] == b"DICM":
        raise PictureRefused(
            "format_not_supported", "Pictures of this format cannot be read here. Send it as JPEG, PNG or WebP."
        )
    raise PictureRefused("not_a_picture", "The file is not a picture. Send a JPEG, PNG or WebP picture.")


def _phone_formats_available() -> bool:
    """Whether the optional pillow_heif is installed; it is imported when the first HEIC or AVIF file comes."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _hush_pillow() -> None:
    """Keep Pillow's remarks about odd metadata out of stderr.

    A filter for its modules alone, added anew each time (adding is idempotent): `warnings.catch_warnings` swaps
    process-wide state and is not safe in the worker threads this runs in.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _decoded(data: bytes, container: str, limits: PictureLimits) -> Image.Image:
    """Upright sRGB pixels. What the decoder held is freed on return: at 50 megapixels it is 200 MB."""
    _hush_pillow()
    _check_parts(data, container)
    image = _guarded(lambda: _opened(data, container), data, container)
    _check_header(image, data, container, limits)
    return _guarded(lambda: _pixels(image, data, container), data, container)


def _check_parts(data: bytes, container: str) -> None:
    exceed = {"JPEG": jpeg_parts_exceed, "PNG": png_parts_exceed}.get(container)
    if exceed is not None and exceed(data, _MAX_PARTS):
        message = f"The file has more than {_MAX_PARTS} parts, which no camera writes. Save it anew."
        raise PictureRefused("too_many_parts", message)


def _opened(data: bytes, container: str) -> Image.Image:
    decoder = _DECODERS.get(container)
    return decoder(io.BytesIO(data)) if decoder else Image.open(io.BytesIO(data), formats=(container,))


class _PixelsMissing(Exception):
    """The decoder was content, but the bytes do not hold the whole picture."""


def _pixels(image: Image.Image, data: bytes, container: str) -> Image.Image:
    if container == "JPEG" and jpeg_cannot_hold(data, *image.size):
        raise _PixelsMissing
    image.load()
    # A look at the end spares nearly every picture from being unpacked twice.
    if container == "PNG" and ends_black(image) and png_lacks_rows(data):
        raise _PixelsMissing
    return upright_rgb(image)


def _guarded(read: Callable[[], Image.Image], data: bytes, container: str) -> Image.Image:
    """What `read` gives. Decoders meet untrusted bytes and fail with any exception; here each becomes a refusal."""
    try:
        return read()
    except MemoryError:  # says something about this machine, nothing about the picture
        raise
    except Image.DecompressionBombError as error:
        raise PictureRefused("too_many_pixels", "The picture has too many pixels. Send a smaller one.") from error
    except Exception as error:
        if _ends_early(data, container):
            message = "The file ends before the picture does. The upload was cut off: send it again."
            raise PictureRefused("truncated", message) from error
        message = "The picture is damaged and cannot be decoded. Export it again, or take it anew."
        raise PictureRefused("broken", message) from error


def _ends_early(data: bytes, container: str) -> bool:
    """Whether the container says that bytes are missing (asked only about pictures that do not decode)."""
    if container == "JPEG":
        return not data.rstrip(b"\0").endswith(b"\xff\xd9")
    if container == "PNG":
        return b"IEND" not in data
    return container == "WEBP" and len(data) < 8 + int.from_bytes(data[4:8], "little")


def _check_header(image: Image.Image, data: bytes, container: str, limits: PictureLimits) -> None:
    """Refuse by what the header says; nothing of the picture has been decoded yet."""
    width, height = image.size
    if width * height > limits.pixels or max(width, height) > limits.max_side:
        allowed = f"at most {limits.pixels / 1e6:g} million pixels and {limits.max_side} px per side are allowed"
        raise PictureRefused("too_many_pixels", f"The picture has {width} x {height} px; {allowed}. Scale it down.")
    if min(width, height) < limits.min_side:
        needed = f"each side needs at least {limits.min_side}"
        raise PictureRefused("too_small", f"The picture has {width} x {height} px; {needed}. Send the original.")
    # A HEIF file with several pictures is a burst or a depth map beside a named primary one, which is what is read.
    if container != "HEIF" and getattr(image, "n_frames", 1) > 1:
        message = "The picture is animated, and which frame is meant is not ours to guess. Send one still picture."
        raise PictureRefused("animated", message)
    if container == "JPEG" and jpeg_scans_exceed(data, _MAX_JPEG_SCANS):
        message = f"The JPEG has more than {_MAX_JPEG_SCANS} scans, which no camera writes. Save it anew."
        raise PictureRefused("too_many_scans", message)
