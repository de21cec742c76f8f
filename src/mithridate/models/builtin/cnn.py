"""`cnn`: a small convolutional network for images; needs torch."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.adapters import Constant, TorchModel
from mithridate.models.engine import fit_module, load_torch
from mithridate.models.inputs import nchw
from mithridate.models.protocol import Fitted

WIDTHS = (16, 32)
HIDDEN = 64
GRID = 7  # the last feature map is brought to 7 x 7, whatever the image's size


def cnn(dataset: Dataset, seed: int) -> Fitted:
    """Two convolutions of stride 2 with batch norm and two dense layers, trained by Adam.

    Raises
    ------
    InputError : the data set isn't images.
    MissingExtra : torch isn't installed.
    """
    if dataset.modality != "image":
        raise InputError(f"the recipe cnn takes images, {dataset.name} is of modality {dataset.modality}; use mlp")
    load_torch()
    present = np.unique(dataset.y)
    if len(present) == 1:
        return Constant(int(present[0]), dataset.n_classes)
    x = nchw(dataset.x)
    make = partial(build, channels=x.shape[1], n_classes=dataset.n_classes)
    module = fit_module(make, x, dataset.y, n_classes=dataset.n_classes, seed=seed)
    return TorchModel(module, nchw, dataset.n_classes)


def build(*, channels: int, n_classes: int) -> Any:
    """The untrained network for (n, channels, h, w) images in [0, 1], h and w at least 1."""
    nn = load_torch().nn
    return nn.Sequential(
        nn.Conv2d(channels, WIDTHS[0], 3, stride=2, padding=1),
        nn.BatchNorm2d(WIDTHS[0]),
        nn.ReLU(),
        nn.Conv2d(WIDTHS[0], WIDTHS[1], 3, stride=2, padding=1),
        nn.BatchNorm2d(WIDTHS[1]),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(GRID),
        nn.Flatten(),
        nn.Linear(WIDTHS[1] * GRID * GRID, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, n_classes),
    )
