"""The embedded picture encoder: ImageNet EfficientNet-Lite0 as a feature extractor."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from retrieval.encoders.weights import Weights
from retrieval.errors import EncoderBroken
from retrieval.types import EncoderCard, Vectors

BATCH = 16
SHORTER_SIDE = 256  # before the centre crop
# The published preprocessing of this checkpoint: (value - 127) / 128 on 0..255.
OFFSET, SCALE = 127.0, 128.0


class EfficientNetLite0Encoder:
    """Pooled last feature map, 1280 numbers a picture. About 65 ms a picture on one of our cores."""

    def __init__(self, card: EncoderCard, weights: Weights, device: str = "cpu") -> None:
        self.card = card
        self._device = device
        self.fingerprint = weights.fingerprint
        self._model: Any = timm.create_model(card.model, pretrained=False).eval()
        self._model.load_state_dict(
            self._renamed(torch.load(_file(weights.path), map_location="cpu", weights_only=True))
        )
        _fuse(self._model)
        # Half the time of the checkpoint as published, with vectors that agree to five digits.
        self._model.to(device).to(memory_format=torch.channels_last)

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """See ImageEncoder."""
        vectors = [self._batch(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return np.concatenate(vectors) if vectors else np.zeros((0, self.card.dimension), dtype=np.float32)

    def _batch(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        pixels = torch.from_numpy(np.stack([self._prepare(image) for image in images]))
        pixels = pixels.to(self._device).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            features = self._model.forward_features(pixels).mean(dim=(2, 3))
            vectors: Vectors = functional.normalize(features, dim=1).cpu().numpy()
        return vectors

    def _prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        side = self.card.side or 0
        picture = Image.fromarray(image)
        factor = SHORTER_SIDE / min(picture.size)
        # max(): a factor times a side may round to one pixel less than the crop needs.
        width, height = (max(side, round(length * factor)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - side) // 2, (height - side) // 2
        cropped = np.asarray(picture.crop((left, top, left + side, top + side)), dtype=np.float32)
        return ((cropped - OFFSET) / SCALE).transpose(2, 0, 1)

    def _renamed(self, published: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        # The published file names its tensors differently but lists them in timm's order; the shapes prove it.
        ours = self._model.state_dict()
        if [tensor.shape for tensor in ours.values()] != [tensor.shape for tensor in published.values()]:
            raise EncoderBroken(
                f"the weights of encoder {self.card.name} do not fit; install the project again: make install"
            )
        return dict(zip(ours, published.values(), strict=True))


def _fuse(model: nn.Module) -> None:
    """Let each convolution do the normalisation behind it: at inference both are one linear map."""
    for block in list(model.modules()):
        children = list(block.named_children())
        for (name, layer), (following, norm) in pairwise(children):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, BatchNormAct2d):
                setattr(block, name, fuse_conv_bn_eval(layer, norm))
                setattr(block, following, nn.Sequential(norm.drop, norm.act))


def _file(path: Path) -> Path:
    """The checkpoint itself, or the only one in a configured folder."""
    if path.is_file():
        return path
    found = sorted(path.glob("*.pth"))
    if len(found) != 1:
        raise EncoderBroken(f"{len(found)} files *.pth found in the folder of the picture encoder, 1 expected")
    return found[0]
