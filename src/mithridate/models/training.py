"""Train what the user's function returned untrained: a torch module or a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mithridate.compute.threads import one_thread
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.adapters import Constant, Estimator, TorchModel, columns_of, is_module
from mithridate.models.inputs import Prepare, as_given, flat, nchw, numeric_inputs, raw
from mithridate.models.protocol import Fitted
from mithridate.models.quiet import quiet


def train_untrained(make: Callable[[], Any], dataset: Dataset, seed: int) -> Fitted:
    """Call `make` and train the module or estimator that it returns on every row.

    Raises
    ------
    InputError : it is neither, or its outputs don't fit the classes.
    """
    model = _seeded(make, seed)
    if is_module(model):
        return _train_module(make, dataset, seed)
    if not hasattr(model, "fit"):
        raise InputError(
            f"a recipe without parameters must return an untrained torch module or an estimator with fit, "
            f"not {type(model).__name__}"
        )
    return fit_estimator(model, dataset, seed)


def fit_estimator(model: Any, dataset: Dataset, seed: int, prepare: Prepare | None = None) -> Fitted:
    """The estimator fitted on every row, one thread; a data set of one class gives a constant.

    Notes
    -----
    Without `prepare`, an estimator gets (n, d) float32 rows, a pandas frame or a list of str; one that can't take the
    frame or the texts gets them as numbers (one-hot and standardised; TF-IDF).
    """
    present = np.unique(dataset.y)
    if len(present) == 1:
        return Constant(int(present[0]), dataset.n_classes)
    if hasattr(model, "get_params"):
        unseeded = [key for key, value in model.get_params().items() if key.endswith("random_state") and value is None]
        model.set_params(**dict.fromkeys(unseeded, seed))
    plain = flat if dataset.modality in {"image", "embedding"} else as_given
    x = dataset.x if prepare is None else raw(dataset)
    prepare = prepare or plain
    with one_thread(), quiet():
        try:
            model.fit(prepare(x), dataset.y)
        except (TypeError, ValueError):
            if prepare is not as_given:
                raise
            prepare = numeric_inputs(dataset, seed, sparse=True)
            model.fit(prepare(x), dataset.y)
    return Estimator(model, prepare, columns_of(model, dataset, by_code=True), dataset.n_classes)


def _train_module(make: Callable[[], Any], dataset: Dataset, seed: int) -> Fitted:
    from mithridate.models.engine import fit_module

    prepare: Prepare = nchw if dataset.modality in {"image", "embedding"} else numeric_inputs(dataset, seed)
    module = fit_module(make, prepare(dataset.x), dataset.y, n_classes=dataset.n_classes, seed=seed)
    return TorchModel(module, prepare, dataset.n_classes)


def _seeded(make: Callable[[], Any], seed: int) -> Any:
    """What `make` returns; its torch weights are drawn from the seed, and torch's own generator is put back."""
    import sys

    if "torch" not in sys.modules:
        return make()
    from mithridate.models.engine import seeded

    with seeded(seed):
        return make()
