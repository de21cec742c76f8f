"""`logistic`: multinomial logistic regression on flat images, embeddings, encoded tables or weighted words."""

from __future__ import annotations

from mithridate.data.dataset import Dataset
from mithridate.models.inputs import numeric_inputs
from mithridate.models.protocol import Fitted
from mithridate.models.training import fit_estimator

MAX_ITERATIONS = 200
INVERSE_PENALTY = 1.0


def logistic(dataset: Dataset, seed: int) -> Fitted:
    """A linear model of standardised numbers and one-hot words."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MAX_ITERATIONS, tol=1e-3, random_state=seed)
    return fit_estimator(model, dataset, seed, numeric_inputs(dataset, seed, sparse=True))
