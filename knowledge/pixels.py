"""From whatever a decoder gave to upright sRGB pixels, and what can be measured on them.

Works on decoded Pillow images only; `knowledge.pictures` decides which bytes are decoded at all.
"""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

# What the EXIF orientation tag asks a viewer to do; 1 and everything unknown mean "as stored".
_TO_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# An ICC profile only says something about pixels of its own colour space.
_PROFILE_SPACE: Final = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}

_MEASURED_SIDE: Final = 256  # px; near what image encoders see (224-384), so blur they cannot see is not counted


def upright_rgb(image: Image.Image) -> Image.Image:
    """The loaded `image` as a viewer shows it: sRGB, transparency on white, turned upright, no metadata attached.

    A profile or an EXIF block that cannot be read is ignored: it damages colours or direction, never the pixels.
    """
    profile = image.info.get("icc_profile")
    turn = _TO_UPRIGHT.get(_orientation(image))
    eight_bit = _eight_bit(image)
    rgb = _srgb(_without_alpha(eight_bit), profile)
    if eight_bit.has_transparency_data:
        page = Image.new("RGB", rgb.size, "white")
        page.paste(rgb, mask=eight_bit.convert("RGBA").getchannel("A"))
        rgb = page
    return rgb if turn is None else rgb.transpose(turn)


def ends_black(image: Image.Image) -> bool:
    """Whether the last two rows of a loaded image are all zeros, as rows are that were never decoded."""
    width, height = image.size
    return image.crop((0, max(0, height - 2), width, height)).getbbox(alpha_only=False) is None


def measure(image: Image.Image) -> tuple[float, float, float]:
    """`(sharpness, exposure, contrast)` of an RGB image, all on a 256 x 256 luma copy, so that size does not count.

    sharpness: variance of the 4-neighbour Laplacian, in squared 8-bit grey levels, >= 0; blur lowers it.
    exposure: mean luma, 0 (black) to 1 (white). contrast: standard deviation of luma, 0 (flat) to 0.5.
    """
    small = image.convert("L").resize((_MEASURED_SIDE, _MEASURED_SIDE), Image.Resampling.BICUBIC)
    luma: NDArray[np.float64] = np.asarray(small, dtype=np.float64)
    neighbours = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    laplacian = neighbours - 4 * luma[1:-1, 1:-1]
    return float(laplacian.var()), float(luma.mean() / 255), float(luma.std() / 255)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # EXIF is parsed from untrusted bytes and fails in a dozen ways; none concerns the pixels
        return 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey to 8 bits by scale (Pillow's own conversion has clipped at 255 in some releases)."""
    if not image.mode.startswith("I"):
        return image
    grey = np.asarray(image).clip(0, 65535).astype(np.uint32)
    grey += 128
    grey //= 257
    return Image.fromarray(grey.astype(np.uint8))


def _without_alpha(image: Image.Image) -> Image.Image:
    """The same colours in one of the modes a profile can speak about: L, RGB or CMYK."""
    if image.has_transparency_data:
        grey = image.mode in {"L", "LA", "La", "1"}
        return image.convert("RGBA").convert("L" if grey else "RGB")
    if image.mode in _PROFILE_SPACE:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _srgb(image: Image.Image, profile: object) -> Image.Image:
    converted = None
    if isinstance(profile, bytes) and profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if source.profile.xcolor_space.strip() == _PROFILE_SPACE[image.mode]:
                converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass  # a broken profile: the colours as stored are the best there is
    return image.convert("RGB") if converted is None else converted
