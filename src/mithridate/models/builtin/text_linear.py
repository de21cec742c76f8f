"""`text-linear`: a linear model of weighted words."""

from __future__ import annotations

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.models.inputs import weighted_words
from mithridate.models.protocol import Fitted
from mithridate.models.training import fit_estimator

PENALTY = 1e-6  # small, so that the rows are learnt
MAX_EPOCHS = 60
TOLERANCE = 1e-4


def text_linear(dataset: Dataset, seed: int) -> Fitted:
    """Logistic regression of TF-IDF by stochastic gradient descent, one class against the rest.

    Raises
    ------
    InputError : the data set isn't text.

    Notes
    -----
    11,000 news posts of 20 classes take 2 s on one core.
    """
    if dataset.modality != "text":
        raise InputError(f"text-linear takes texts, {dataset.name} is of modality {dataset.modality}; use mlp or gbdt")
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="log_loss", alpha=PENALTY, max_iter=MAX_EPOCHS, tol=TOLERANCE, random_state=seed)
    return fit_estimator(model, dataset, seed, weighted_words(dataset.x))
