"""`peer.py NAME FILE.npz`: one peer on one file in a process of its own, imports and training included, for `speed`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

import peers
from mithridate.data.dataset import Dataset
from networks import Network, penultimate, probabilities, train

RATE = 0.01


def read(path: str) -> peers.Task:
    """The file as a task."""
    with np.load(path) as arrays:
        classes, codes = np.unique(arrays["y"], return_inverse=True)
        content = arrays["x"][..., None]
    return peers.Task(Dataset("images", "image", content, codes.astype(np.int32), tuple(classes)), RATE, 0)


def fitted(task: peers.Task, matrix: peers.Matrix, rows: Any = slice(None)) -> Network:
    """The perceptron that cleanlab and ART get."""
    return train(
        matrix[rows], task.labels[rows], kind="mlp", shape=None, n_classes=task.dataset.n_classes, seed=0, scale=1.0
    )


def on_content(work: Callable[[peers.Matrix, peers.Task], Any], task: peers.Task) -> None:
    """A peer that works on the embedding."""
    work(peers.embed(peers.flat(task.dataset), "image"), task)


def cleanlab_mlp(task: peers.Task) -> None:
    """Cleanlab on out-of-fold probabilities of the perceptron."""
    matrix = peers.flat(task.dataset)
    out = peers.folds(matrix, task, lambda rows: partial(probabilities, fitted(task, matrix, rows)))
    peers.label_quality(out, task, "self_confidence")


def cleanlab_logistic(task: peers.Task) -> None:
    """Cleanlab on out-of-fold probabilities of logistic regression."""
    matrix = peers.flat(task.dataset)
    peers.label_quality(peers.classical(matrix, peers.embed(matrix, "image"), task), task, "self_confidence")


def art(kind: str, task: peers.Task) -> None:
    """An ART defence on the perceptron."""
    matrix = peers.flat(task.dataset)
    model = fitted(task, matrix)
    if kind == "activation":
        peers.activation(model, matrix, task, "smaller")
    else:
        peers.spectral(model, matrix, penultimate(model, matrix), task)


NAMES: Mapping[str, Callable[[peers.Task], None]] = MappingProxyType(
    {
        "knn": partial(on_content, peers.neighbours),
        "pyod-iforest": partial(on_content, partial(peers.outliers, "IForest")),
        "pyod-ecod": partial(on_content, partial(peers.outliers, "ECOD")),
        "cleanlab-logistic": cleanlab_logistic,
        "cleanlab-mlp": cleanlab_mlp,
        "art-activation": partial(art, "activation"),
        "art-spectral": partial(art, "spectral"),
    }
)

if __name__ == "__main__":
    NAMES[sys.argv[1]](read(sys.argv[2]))
