"""What an attacker who holds the data can tell of it: class probabilities by a model that never saw the row's label."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.attacks.poisoning.protocol import content_order
from mithridate.data.dataset import Dataset
from mithridate.models.inputs import flat, numeric_inputs, raw
from mithridate.numeric import embed
from mithridate.numeric.out_of_fold import join_scores, random_feature_scores, word_scores

FOLDS = 5

Floats = npt.NDArray[np.float32]


def class_logs(dataset: Dataset, rng: np.random.Generator) -> Floats:
    """(n, c) log probabilities of each class by out-of-fold kernel models on random features.

    Parameters
    ----------
    dataset : labelled rows of any modality.
    rng : draws the random features.

    Notes
    -----
    Rows are taken in content-hash order, so that the order they came in changes nothing. 0.5 s for 10,000 images.

    References
    ----------
    Rahimi and Recht (2007), random features for large-scale kernel machines, NeurIPS.
    """
    order = content_order(dataset)
    rows = dataset.take(order)
    n_classes, folds = dataset.n_classes, rows.folds(FOLDS)
    scores = []
    if dataset.modality == "text":
        counts = embed.text_counts([str(text) for text in cast("npt.NDArray[Any]", rows.content)])
        features = embed.embed_texts(counts, rng=rng)
        scores.append(word_scores(counts, rows.y, folds, n_classes=n_classes))
    elif dataset.modality == "image":
        features = embed.embed_images(cast("npt.NDArray[Any]", rows.content), rng=rng)
    else:
        wide = numeric_inputs(rows)(raw(rows)) if dataset.modality == "table" else flat(rows.content)
        features = embed.embed_vectors(wide, rng=rng)
    scores.append(random_feature_scores(features, rows.y, folds, n_classes=n_classes, rng=rng))
    logs = np.empty((len(rows), n_classes), np.float32)
    logs[order] = join_scores(scores, rows.y, rng=rng).log_probabilities
    return logs
