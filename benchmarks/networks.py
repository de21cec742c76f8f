"""Two small torch networks for the peers that need one: a perceptron, and a convolutional one for images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

BATCH = 128
EPOCHS = 10

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Network:
    """`body` maps rows to the penultimate layer, `head` that to logits; both torch modules, on flat rows."""

    body: Any
    head: Any


def train(
    matrix: Matrix,
    labels: npt.NDArray[np.int64],
    *,
    kind: str,
    shape: tuple[int, ...] | None,
    n_classes: int,
    seed: int,
    scale: float = 1.0,
) -> Network:
    """Adam, 10 epochs, batches of 128, cross-entropy; one thread, seeded.

    Parameters
    ----------
    kind : `mlp` (256 and 128 units) or `cnn` (16 and 32 filters, 128 units; needs `shape` = (h, w, c)).
    scale : share of the epochs, for a trial run.
    """
    import torch

    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        body = _cnn(cast("tuple[int, ...]", shape)) if kind == "cnn" else _mlp(matrix.shape[1])
        model = Network(body, torch.nn.Linear(128, n_classes))
        step = torch.optim.Adam([*model.body.parameters(), *model.head.parameters()], lr=1e-3)
        x, y = torch.from_numpy(matrix), torch.from_numpy(labels)
        model.body.train()
        for _ in range(max(1, round(EPOCHS * scale))):
            for rows in torch.randperm(len(x)).split(BATCH):
                step.zero_grad()
                torch.nn.functional.cross_entropy(model.head(model.body(x[rows])), y[rows]).backward()
                step.step()
    model.body.eval()
    return model


def penultimate(model: Network, matrix: Matrix) -> Matrix:
    """(n, 128) outputs of the last layer but one."""
    import torch

    with torch.no_grad():
        parts = [
            model.body(torch.from_numpy(matrix[start : start + 1024])).numpy() for start in range(0, len(matrix), 1024)
        ]
    return np.concatenate(parts)


def probabilities(model: Network, matrix: Matrix) -> Matrix:
    """(n, c) softmax."""
    import torch

    with torch.no_grad():
        logits = model.head(torch.from_numpy(penultimate(model, matrix)))
        return cast("Matrix", torch.softmax(logits, dim=1).numpy())


def _mlp(width: int) -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU())


def _cnn(shape: tuple[int, ...]) -> Any:
    from torch import nn

    height, width, channels = shape
    size = (height // 4) * (width // 4) * 32
    return nn.Sequential(
        nn.Unflatten(1, (height, width, channels)), _ChannelsFirst.make(),
        nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(size, 128), nn.ReLU(),
    )  # fmt: skip


class _ChannelsFirst:
    """A torch layer (n, h, w, c) -> (n, c, h, w), made late so that importing this file does not import torch."""

    @staticmethod
    def make() -> Any:
        from torch import nn

        class ChannelsFirst(nn.Module):
            def forward(self, x: Any) -> Any:
                return x.permute(0, 3, 1, 2)

        return ChannelsFirst()
