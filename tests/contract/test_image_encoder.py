"""What every ImageEncoder does."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from retrieval.encoders.weights import locate
from retrieval.protocols import ImageEncoder

Pixels = NDArray[np.uint8]


@pytest.fixture(params=["efficientnet-lite0", "open_clip"])
def encoder(request: pytest.FixtureRequest, image_encoders: dict[str, ImageEncoder]) -> ImageEncoder:
    return image_encoders[request.param]


def blob(height: int, width: int, seed: int = 0) -> Pixels:
    """A dark spot on noisy skin; looks the same at each size and shape up to the frame."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width]
    middle, radius = rng.uniform(0.3, 0.7, 2), min(height, width) * rng.uniform(0.15, 0.35)
    inside = np.hypot(down - height * middle[0], across - width * middle[1]) < radius
    skin = np.where(inside[..., None], rng.integers(20, 160, 3), rng.integers(170, 240, 3))
    return np.clip(skin + rng.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


PICTURES = [blob(240, 320, 1), blob(200, 200, 2), blob(400, 150, 3)]


def test_a_picture_becomes_a_unit_vector_of_the_card_s_dimension(encoder: ImageEncoder) -> None:
    vectors = encoder.encode_images(PICTURES)
    assert vectors.shape == (3, encoder.card.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_no_pictures_give_no_vectors(encoder: ImageEncoder) -> None:
    assert encoder.encode_images([]).shape == (0, encoder.card.dimension)


def test_the_same_picture_gives_the_same_vector(encoder: ImageEncoder) -> None:
    assert np.array_equal(encoder.encode_images(PICTURES), encoder.encode_images(PICTURES))


def test_different_pictures_give_different_vectors(encoder: ImageEncoder) -> None:
    one, other, _ = encoder.encode_images(PICTURES)
    assert one @ other < 0.9999


def test_a_vector_does_not_depend_on_what_else_is_in_the_batch(encoder: ImageEncoder) -> None:
    together = encoder.encode_images([*PICTURES, *(blob(64, 64, seed) for seed in range(15))])[:3]
    alone = np.concatenate([encoder.encode_images([picture]) for picture in PICTURES])
    assert np.abs(together - alone).max() < 1e-5


@pytest.mark.parametrize(
    ("height", "width"), [(300, 200), (200, 300), (32, 32), (33, 32), (32, 900), (900, 32)], ids=str
)
def test_every_admitted_shape_has_a_vector(encoder: ImageEncoder, height: int, width: int) -> None:
    vector = encoder.encode_images([blob(height, width)])[0]
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_pixels_that_cannot_be_written_to_are_read(encoder: ImageEncoder) -> None:
    picture = PICTURES[0].copy()
    picture.flags.writeable = False
    assert np.array_equal(encoder.encode_images([picture]), encoder.encode_images(PICTURES[:1]))


def test_a_black_picture_has_a_finite_vector(encoder: ImageEncoder) -> None:
    assert np.isfinite(encoder.encode_images([np.zeros((64, 64, 3), dtype=np.uint8)])).all()


def test_colour_channels_are_not_swapped_silently(encoder: ImageEncoder) -> None:
    picture = PICTURES[0]
    one, other = encoder.encode_images([picture, np.ascontiguousarray(picture[..., ::-1])])
    assert one @ other < 0.9999


def test_a_smaller_copy_of_a_picture_is_its_nearest(encoder: ImageEncoder) -> None:
    small = np.asarray(Image.fromarray(PICTURES[0]).resize((160, 120), Image.Resampling.LANCZOS))
    similarity = encoder.encode_images(PICTURES) @ encoder.encode_images([small])[0]
    assert similarity.argmax() == 0


def test_threads_do_not_disturb_each_other(encoder: ImageEncoder) -> None:
    pictures = [blob(80, 90, seed) for seed in range(12)]
    expected = encoder.encode_images(pictures)
    with ThreadPoolExecutor(4) as pool:
        found = [future.result()[0] for future in [pool.submit(encoder.encode_images, [one]) for one in pictures]]
    assert np.abs(np.stack(found) - expected).max() < 1e-5


def test_the_embedded_encoder_computes_what_its_checkpoint_as_published_does(
    image_encoders: dict[str, ImageEncoder],
) -> None:
    """Its layers are fused and laid out for speed; timm's own network with the same weights is the reference."""
    encoder = image_encoders["efficientnet-lite0"]
    card = encoder.card
    published = torch.load(locate(card).path, map_location="cpu", weights_only=True)
    plain: Any = timm.create_model(card.model, pretrained=False).eval()
    plain.load_state_dict(dict(zip(plain.state_dict(), published.values(), strict=True)))
    picture = blob(256, 256)  # as large as the shorter side: nothing is resized
    cropped = picture[16:-16, 16:-16].astype(np.float32)
    with torch.inference_mode():
        features = plain.forward_features(torch.from_numpy(((cropped - 127) / 128).transpose(2, 0, 1)[None]))
    expected = functional.normalize(features.mean(dim=(2, 3)), dim=1).numpy()
    assert np.abs(encoder.encode_images([picture]) - expected).max() < 1e-5
