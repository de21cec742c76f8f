"""Content against model: a backdoor is told from label errors; a model that knows its rows by heart accuses nobody."""

import numpy as np
import pytest

from mithridate.audits.poison.content_gap import content_gap
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.core.errors import InputError, Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.data.dataset import Dataset

SETTINGS = AuditSettings()
CLASSES = 5


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


class Case:
    """Blobs, some confused by nature, and a model whose margin is a choice of the test."""

    def __init__(self, seed: int, *, n_rows: int = 3000) -> None:
        self.rng = np.random.default_rng(seed)
        self.truth = self.rng.integers(0, CLASSES, n_rows)
        centres = 5 * np.eye(CLASSES, 6)
        self.x = (centres[self.truth] + self.rng.normal(size=(n_rows, 6))).astype(np.float32)
        self.codes = self.truth.astype(np.int32)
        self.believed = self.truth.copy()  # what the model goes by
        flipped = self.rng.permutation(n_rows)[: n_rows // 25]
        self.codes[flipped] = self.rng.integers(0, CLASSES, len(flipped))
        self.bad = np.zeros(n_rows, bool)

    def backdoor(self, rows: int, target: int = 0) -> None:
        chosen = self.rng.permutation(np.flatnonzero(self.codes != target))[:rows]
        self.codes[chosen] = self.believed[chosen] = target
        self.bad[chosen] = True

    def audit(self, *, by_heart: float = 0.0) -> Outcome:
        logits = self.rng.normal(0, 1, (len(self.x), CLASSES))
        every = np.arange(len(self.x))
        logits[every, self.believed] += 6
        logits[every, self.codes] += by_heart
        dataset = Dataset("t", "embedding", self.x, self.codes, tuple("abcde"))
        return content_gap(Context(dataset, SETTINGS, predictions=softmax(logits)), SETTINGS)


def test_a_backdoor_is_named_by_its_label_and_hardly_any_clean_row_is_flagged() -> None:
    for seed in range(8):
        case = Case(seed)
        case.backdoor(60)
        outcome = case.audit()
        (finding,) = outcome.findings
        assert finding.subject.label == "a"
        assert finding.severity is Severity.MEDIUM
        scores = outcome.row_scores
        assert scores is not None
        assert scores.flagged[case.bad].mean() > 0.5
        assert scores.flagged[~case.bad].mean() < 0.005


@pytest.mark.parametrize("by_heart", [0.0, 4.0, 8.0, 60.0])
def test_label_errors_alone_are_never_called_a_backdoor(by_heart: float) -> None:
    found = [bool(Case(seed).audit(by_heart=by_heart).findings) for seed in range(10)]
    assert sum(found) <= 1


def test_a_model_that_insists_on_everything_is_said_to() -> None:
    outcome = Case(0).audit(by_heart=1e9)
    piece = next(number for number in outcome.numbers if number.name == "model_insists")
    assert piece.data["value"] > 0.9
    assert "says little" in str(piece.data["note"])


def test_both_against_the_label_are_counted_as_label_errors() -> None:
    case = Case(1)
    outcome = case.audit()
    both = next(number for number in outcome.numbers if number.name == "contradicted_by_both").data["value"]
    assert both > 0.5 * (case.codes != case.truth).sum()


def test_what_it_cannot_judge_is_skipped_with_the_reason() -> None:
    labels = np.zeros(50, np.int32)
    content = np.zeros((50, 2), np.float32)
    with pytest.raises(Skip, match="no model"):
        content_gap(Context(Dataset("t", "embedding", content, labels, (0, 1))), SETTINGS)
    with pytest.raises(Skip, match="two labels"):
        content_gap(Context(Dataset("t", "embedding", content, labels, (0,)), predictions=np.ones((50, 1))), SETTINGS)


def test_predictions_of_another_shape_are_refused() -> None:
    dataset = Dataset("t", "embedding", np.zeros((50, 2), np.float32), (np.arange(50) % 2).astype(np.int32), (0, 1))
    with pytest.raises(InputError, match="predictions must be"):
        content_gap(Context(dataset, predictions=np.ones((50, 3), np.float32)), SETTINGS)


def test_nan_predictions_and_missing_labels_break_nothing() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, 200).astype(np.int32)
    dataset = Dataset("t", "embedding", rng.normal(size=(200, 3)).astype(np.float32), labels, (0, 1))
    assert content_gap(Context(dataset, predictions=np.full((200, 2), np.nan, np.float32)), SETTINGS).findings == ()
