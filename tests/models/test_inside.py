"""Layers are read, weights raised and a probe trained without a trace on the model."""

from typing import Any

import numpy as np
import pytest

from mithridate.data.dataset import Dataset
from mithridate.models.adapters import TorchModel
from mithridate.models.inputs import nchw
from mithridate.models.inside import is_network, layers, losses, raised
from mithridate.models.protocol import Fitted
from mithridate.models.recipes import recipe


def blobs(seed: int = 0, n_rows: int = 240) -> Dataset:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, n_rows).astype(np.int32)
    x = (4 * np.eye(3, 5)[codes] + rng.normal(size=(n_rows, 5))).astype(np.float32)
    return Dataset("blobs", "embedding", x, codes, ("a", "b", "c"))


def images(n_rows: int = 90) -> Dataset:
    rng = np.random.default_rng(0)
    codes = (np.arange(n_rows) % 3).astype(np.int32)
    x = rng.integers(0, 60, (n_rows, 8, 8)).astype(np.uint8)
    x[np.arange(n_rows), codes * 2] += 150
    return Dataset("stripes", "image", x[..., None], codes, ("a", "b", "c"))


@pytest.fixture(scope="module", params=["mlp", "cnn"])
def fitted(request: pytest.FixtureRequest) -> tuple[Fitted, Dataset]:
    data = blobs() if request.param == "mlp" else images()
    return recipe(request.param)(data, 0), data


def test_each_layer_has_a_word_on_each_row(fitted: tuple[Fitted, Dataset]) -> None:
    model, data = fitted
    found = layers(model, data.x)
    assert is_network(model)
    assert found
    assert all(len(values) == len(data) and np.isfinite(values).all() for values in found)
    assert all(float(values.min()) >= 0 for values in found)  # after the rectifier


def test_raised_weights_make_answers_surer_and_leave_the_model_alone(fitted: tuple[Fitted, Dataset]) -> None:
    model, data = fitted
    before = model.predict_proba(data.x)
    louder = raised(model, data.x)
    assert np.array_equal(before, model.predict_proba(data.x))
    assert louder.max(axis=1).mean() > before.max(axis=1).mean()


def test_a_probe_run_learns_and_leaves_the_model_alone(fitted: tuple[Fitted, Dataset]) -> None:
    model, data = fitted
    before = model.predict_proba(data.x)
    curve = losses(model, data.x, data.y, epochs=4, seed=1)
    assert curve.shape == (4, len(data))
    assert curve[-1].mean() < curve[0].mean()
    assert np.array_equal(curve, losses(model, data.x, data.y, epochs=4, seed=1))
    assert np.array_equal(before, model.predict_proba(data.x))


def test_activations_called_as_functions_and_sequences_are_read_too() -> None:
    import torch

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = torch.nn.Linear(8, 6)
            self.out = torch.nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.out(torch.relu(self.rows(x[:, 0])).mean(dim=1))

    data = images()
    (found,) = layers(TorchModel(Plain().eval(), nchw, 3), data.x)
    assert found.shape == (len(data), 12)


def test_what_is_no_network_has_no_layers() -> None:
    model = recipe("logistic")(blobs(), 0)
    assert not is_network(model)
    assert layers(model, blobs().x) == ()
