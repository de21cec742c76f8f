"""A network that keeps a trigger's rows apart gives them away; hard kinds within a label don't."""

import numpy as np
import pytest

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.model_signals import model_signals
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.data.dataset import Dataset
from mithridate.models.recipes import recipe

SETTINGS = AuditSettings()


class Case:
    """Five blobs in 20 columns; a backdoor is one more column that is 0 elsewhere."""

    def __init__(self, seed: int, n_rows: int = 1500) -> None:
        self.rng = np.random.default_rng(seed)
        self.truth = self.rng.integers(0, 5, n_rows)
        centres = 4 * np.eye(5, 20)
        self.x = (centres[self.truth] + self.rng.normal(size=(n_rows, 20))).astype(np.float32)
        self.codes = self.truth.astype(np.int32)
        self.bad = np.zeros(n_rows, bool)

    def backdoor(self, rows: int) -> None:
        chosen = self.rng.permutation(np.flatnonzero(self.codes != 0))[:rows]
        self.x[:, -1] = 0.0
        self.x[chosen, -1], self.codes[chosen], self.bad[chosen] = 6.0, 0, True

    def audit(self, name: str = "mlp") -> Outcome:
        data = Dataset("t", "embedding", self.x, self.codes, tuple("abcde")[: int(self.codes.max()) + 1])
        model = recipe(name)(data, 0)
        content = self.x[:, :-1]  # an embedding that doesn't see the trigger
        predictions = model.predict_proba(data.x)
        context = Context(data, SETTINGS, model=model, predictions=predictions, embedding=content)
        return model_signals(context, SETTINGS)


@pytest.mark.parametrize("seed", range(3))
def test_a_trigger_that_content_denies_is_flagged_with_hardly_a_clean_row(seed: int) -> None:
    case = Case(seed)
    case.backdoor(75)
    outcome = case.audit()
    (finding,) = outcome.findings
    assert (finding.subject.label, finding.severity) == ("a", Severity.MEDIUM)
    scores = outcome.row_scores
    assert scores is not None
    assert scores.flagged[case.bad].mean() >= 0.9
    assert scores.flagged[~case.bad].mean() <= 0.005
    assert scores.score[case.bad].min() > scores.score[~case.bad & ~scores.flagged].max()


@pytest.mark.parametrize("seed", range(3))
def test_clean_rows_are_left_alone(seed: int) -> None:
    outcome = Case(seed).audit()
    assert outcome.findings == ()
    assert outcome.row_scores is not None
    assert not outcome.row_scores.flagged.any()
    assert outcome.numbers[0].name == "gap within labels"


@pytest.mark.parametrize("seed", range(2))
def test_a_label_that_joins_two_kinds_is_not_flagged(seed: int) -> None:
    case = Case(seed)
    case.codes = np.minimum(case.codes, 3)  # the last two blobs are one label
    outcome = case.audit()
    assert outcome.row_scores is not None
    assert not outcome.row_scores.flagged.any()


def test_a_model_without_layers_is_skipped_with_the_reason() -> None:
    with pytest.raises(Skip, match="no network"):
        Case(0).audit("logistic")
    with pytest.raises(Skip, match="--recipe"):
        model_signals(Context(Dataset("t", "embedding", np.ones((4, 2)), np.zeros(4, np.int32), ("a",))), SETTINGS)
