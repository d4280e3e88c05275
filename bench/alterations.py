"""What happens to pictures on their way between collections: re-encoding, resizing, cropping, mirroring, turning."""

import io
from collections.abc import Callable
from functools import partial
from typing import Final

from PIL import ExifTags, Image

Alteration = Callable[[Image.Image], Image.Image]

SMALLEST: Final = 32  # px; a smaller picture is not admitted


def encoded(picture: Image.Image, container: str, **options: int) -> bytes:
    """The bytes of a file of this format."""
    buffer = io.BytesIO()
    picture.save(buffer, container, **options)
    return buffer.getvalue()


def turned_by_tag(picture: Image.Image) -> bytes:
    """A JPEG whose pixels lie on their side and whose EXIF tag says how to turn them back."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return encoded(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=exif)  # type: ignore[arg-type]


def _again(container: str, quality: int, picture: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(encoded(picture, container, quality=quality))).convert("RGB")


def _resized(factor: float, picture: Image.Image) -> Image.Image:
    width, height = (max(SMALLEST, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _cropped(left: float, top: float, right: float, bottom: float, picture: Image.Image) -> Image.Image:
    width, height = picture.size
    box = (round(left * width), round(top * height), round((1 - right) * width), round((1 - bottom) * height))
    return picture.crop(box)


def _transposed(how: Image.Transpose, picture: Image.Image) -> Image.Image:
    return picture.transpose(how)


KINDS: Final[dict[str, dict[str, Alteration]]] = {
    "re-encoded": {
        "JPEG 30": partial(_again, "JPEG", 30),
        "JPEG 60": partial(_again, "JPEG", 60),
        "JPEG 95": partial(_again, "JPEG", 95),
        "WebP 60": partial(_again, "WEBP", 60),
    },
    "resized": {"x 0.25": partial(_resized, 0.25), "x 0.5": partial(_resized, 0.5), "x 2": partial(_resized, 2.0)},
    "cropped": {
        "left 10 %": partial(_cropped, 0.1, 0, 0, 0),
        "top 10 %": partial(_cropped, 0, 0.1, 0, 0),
        "right 10 %": partial(_cropped, 0, 0, 0.1, 0),
        "bottom 10 %": partial(_cropped, 0, 0, 0, 0.1),
        "a corner 10 %": partial(_cropped, 0.1, 0.1, 0, 0),
        "both sides 10 %": partial(_cropped, 0.1, 0, 0.1, 0),
        "all sides 3 %": partial(_cropped, 0.03, 0.03, 0.03, 0.03),
        "all sides 7 %": partial(_cropped, 0.07, 0.07, 0.07, 0.07),
        "all sides 10 %": partial(_cropped, 0.1, 0.1, 0.1, 0.1),
    },
    "turned": {
        "mirrored": partial(_transposed, Image.Transpose.FLIP_LEFT_RIGHT),
        "upside down": partial(_transposed, Image.Transpose.FLIP_TOP_BOTTOM),
        "by 90": partial(_transposed, Image.Transpose.ROTATE_90),
        "by 180": partial(_transposed, Image.Transpose.ROTATE_180),
        "by 270": partial(_transposed, Image.Transpose.ROTATE_270),
        "transposed": partial(_transposed, Image.Transpose.TRANSPOSE),
    },
}
