from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.adapters import as_probabilities, softmax
from mithridate.models.engine import epochs_for, fit_module, outputs
from mithridate.models.inputs import flat, nchw

torch = pytest.importorskip("torch")


def linear() -> Any:
    return torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(64, 10))


def test_training_is_seeded_and_leaves_torch_as_it_was(images: Dataset) -> None:
    torch.manual_seed(99)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    x = flat(images.x)[:300]
    first, second = (fit_module(linear, x, images.y[:300], n_classes=10, seed=4, epochs=2) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert np.array_equal(outputs(first, x), outputs(second, x))
    other = fit_module(linear, x, images.y[:300], n_classes=10, seed=5, epochs=2)
    assert not np.array_equal(outputs(first, x), outputs(other, x))
    assert not first.training


def test_a_module_with_the_wrong_number_of_outputs_is_a_clear_error(images: Dataset) -> None:
    with pytest.raises(InputError, match="wanted"):
        fit_module(linear, flat(images.x), images.y, n_classes=7, seed=0)


def test_more_passes_are_made_over_few_rows() -> None:
    assert [epochs_for(n) for n in (1, 4000, 10_000, 60_000)] == [40, 20, 8, 5]


def test_images_reach_a_module_channels_first() -> None:
    images = np.arange(24, dtype=np.float32).reshape(1, 2, 4, 3)
    assert nchw(images).shape == (1, 3, 2, 4)
    assert nchw(images)[0, 2, 1, 3] == images[0, 1, 3, 2]


def test_outputs_become_probabilities() -> None:
    assert np.allclose(softmax(np.array([[0.0, np.log(3)]])), [[0.25, 0.75]])
    assert np.allclose(as_probabilities(np.array([[0.25, 0.75]], np.float32), 2), [[0.25, 0.75]])
    assert np.allclose(as_probabilities(np.array([[0.3], [0.9]], np.float32), 2), [[0.7, 0.3], [0.1, 0.9]])
    assert np.allclose(as_probabilities(np.array([0.0, 50.0], np.float32), 2), [[0.5, 0.5], [0.0, 1.0]])
    with pytest.raises(InputError, match="one for each class"):
        as_probabilities(np.zeros((2, 3), np.float32), 2)
