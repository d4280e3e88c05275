"""A sketch: the picture so small that two copies of one picture can be laid over each other, and so large that two
pictures cannot be mistaken.

    Y 32 x 32, then Cb and Cr 16 x 16 (ITU-R BT.601), each the whole picture pressed into a square, one byte a value

Square, because a quarter turn then is a transposition and cropping one side is a scale and a shift along one axis. 1.5 KB
a case: 16 x 16 luma tells the copies of dermoscopy pictures apart as well, but not those of photographs of plain skin.

Derived from the stored picture alone, and kept by its sha256: what is lost is made again (`dermacite reindex`).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SKETCHER: Final = "sketch-1"  # raise it when the bytes for a picture change; it keys what is stored
LUMA: Final = 32  # cells a side
CHROMA: Final = 16
SKETCH_BYTES: Final = LUMA * LUMA + 2 * CHROMA * CHROMA
# Photographs are first reduced by whole factors, to this many times the size needed: 12 megapixels then cost 51 instead of
# 68 ms of a processor, of which 36 are Pillow's copy of the pixels.
_REDUCING_GAP: Final = 4.0

Sketch = NDArray[np.uint8]  # [SKETCH_BYTES]
Sketches = NDArray[np.uint8]  # [n, SKETCH_BYTES]; a row of zeros is no sketch (the chroma of black is 128)


def sketch_of(rgb: NDArray[np.uint8]) -> Sketch:
    """The sketch of upright RGB pixels [height, width, 3]."""
    small = Image.fromarray(rgb).resize((LUMA, LUMA), Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP)
    planes = np.asarray(small.convert("YCbCr"))
    halved = planes[..., 1:].reshape(CHROMA, 2, CHROMA, 2, 2).mean(axis=(1, 3)).round().astype(np.uint8)
    return np.concatenate([planes[..., 0].ravel(), halved[..., 0].ravel(), halved[..., 1].ravel()])


def luma_of(sketches: Sketches) -> NDArray[np.float32]:
    """[n, 32, 32], 0..255."""
    return sketches[:, : LUMA * LUMA].reshape(-1, LUMA, LUMA).astype(np.float32)


def chroma_of(sketches: Sketches) -> NDArray[np.float32]:
    """[n, 2, 16, 16]: Cb and Cr, 0..255, grey is 128."""
    return sketches[:, LUMA * LUMA :].reshape(-1, 2, CHROMA, CHROMA).astype(np.float32)


def known_sketches(sketches: Sketches) -> NDArray[np.bool_]:
    """[n]: which rows are sketches and not the zeros that stand for an unknown one."""
    return np.asarray(sketches.any(axis=1), dtype=np.bool_)
