"""`gbdt`: gradient-boosted trees, the usual model of tables."""

from __future__ import annotations

import numpy as np

from mithridate.data.dataset import Dataset
from mithridate.models.inputs import Prepare, TableEncoder, flat, numeric_inputs, raw
from mithridate.models.protocol import Fitted
from mithridate.models.training import fit_estimator

TREES = 300  # over all classes
MIN_ROUNDS, MAX_ROUNDS = 10, 100
WIDE = 100  # columns from which a split looks at a tenth of them, in fewer bins: pixels say much the same


def gbdt(dataset: Dataset, seed: int) -> Fitted:
    """Histogram gradient boosting; words are categories, missing cells go their own way.

    References
    ----------
    Ke et al. (2017), LightGBM, NeurIPS.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees_a_round = dataset.n_classes if dataset.n_classes > 2 else 1  # noqa: PLR2004 - two classes share a tree
    categorical: list[bool] | None = None
    if dataset.modality == "table":
        encoder = TableEncoder.fit(raw(dataset), ordinal=True)
        prepare: Prepare = encoder
        categorical = encoder.categorical
    else:
        prepare = flat if dataset.modality in {"image", "embedding"} else numeric_inputs(dataset, seed)
    wide = prepare(raw(dataset.take([0]))).shape[1] > WIDE
    model = HistGradientBoostingClassifier(
        max_iter=int(np.clip(TREES // trees_a_round, MIN_ROUNDS, MAX_ROUNDS)),
        early_stopping=False,
        max_features=0.1 if wide else 1.0,
        max_bins=63 if wide else 255,
        categorical_features=categorical,
        random_state=seed,
    )
    return fit_estimator(model, dataset, seed, prepare)
