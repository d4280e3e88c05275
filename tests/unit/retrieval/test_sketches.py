"""The sketch of a picture: what its bytes are."""

import numpy as np

from retrieval.sketches import CHROMA, LUMA, SKETCH_BYTES, chroma_of, known_sketches, luma_of, sketch_of
from tests.drawing import scene


def test_a_grey_picture_is_its_grey_and_no_colour() -> None:
    sketch = sketch_of(np.full((90, 120, 3), 77, dtype=np.uint8))[None]
    assert sketch.shape == (1, SKETCH_BYTES) == (1, 32 * 32 + 2 * 16 * 16)
    assert (luma_of(sketch) == 77).all()
    assert (chroma_of(sketch) == 128).all()


def test_red_is_in_the_red_difference() -> None:
    # BT.601: Y = 0.299 R, Cb = 128 - 0.168736 R, Cr = 128 + 0.5 R (at most 255)
    sketch = sketch_of(np.full((64, 64, 3), (200, 0, 0), dtype=np.uint8))[None]
    blue, red = chroma_of(sketch)[0]
    assert np.abs(luma_of(sketch) - 0.299 * 200).max() <= 1
    assert np.abs(blue - (128 - 0.168736 * 200)).max() <= 1
    assert np.abs(red - (128 + 0.5 * 200)).max() <= 1


def test_the_whole_picture_is_pressed_into_a_square() -> None:
    left_half_white = np.zeros((50, 300, 3), dtype=np.uint8)
    left_half_white[:, :150] = 255
    luma = luma_of(sketch_of(left_half_white)[None])[0]
    assert (luma[:, : LUMA // 2 - 1] > 250).all()
    assert (luma[:, LUMA // 2 + 1 :] < 5).all()


def test_chroma_is_half_as_fine_as_luma() -> None:
    sketch = sketch_of(scene(0))[None]
    assert luma_of(sketch).shape == (1, LUMA, LUMA)
    assert chroma_of(sketch).shape == (1, 2, CHROMA, CHROMA)


def test_mirroring_the_picture_mirrors_the_sketch() -> None:
    picture = scene(1)
    luma, mirrored = (luma_of(sketch_of(one)[None])[0] for one in (picture, picture[:, ::-1].copy()))
    assert np.abs(luma[:, ::-1] - mirrored).max() <= 1


def test_a_black_picture_is_known_and_zeros_are_not() -> None:
    black = sketch_of(np.zeros((40, 40, 3), dtype=np.uint8))
    assert known_sketches(np.stack([black, np.zeros_like(black)])).tolist() == [True, False]
