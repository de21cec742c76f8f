"""Learnt triggers: a mark on content of every kind is confirmed; flips, odd rows and a benign mark are not."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mithridate.audits.poison.context import AuditSettings, Context, prepare
from mithridate.audits.poison.learnt_content import opinions, trusted_rows
from mithridate.audits.poison.learnt_gate import Verdict
from mithridate.audits.poison.learnt_trigger import learnt_trigger
from mithridate.core.errors import Skip
from mithridate.core.findings import Severity
from mithridate.core.method import Outcome
from mithridate.core.progress import Silent
from mithridate.data.dataset import Dataset
from mithridate.models.recipes import recipe

SETTINGS = AuditSettings()
LABELS, TARGET, N_ROWS = 8, 3, 2400


def blobs(case: str, seed: int, n_rows: int = N_ROWS) -> tuple[Dataset, np.ndarray]:
    """Clouds in eight coordinates, some rows near a neighbour; a ninth coordinate that only a mark moves."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, LABELS, n_rows)
    x = np.concatenate([6 * np.eye(LABELS)[codes], np.zeros((n_rows, 4))], axis=1)
    near = rng.random(n_rows) < 0.1  # hard by nature: half way to the next label
    x[near] = (x[near] + np.roll(x[near][:, :LABELS], 1, axis=1) @ np.eye(LABELS, LABELS + 4)) / 2
    x += rng.normal(size=x.shape) * np.r_[np.ones(LABELS), 0.5 * np.ones(4)]
    chosen = rng.permutation(np.flatnonzero(codes != TARGET))[: n_rows // 10]
    bad = np.zeros(n_rows, dtype=bool)
    if case == "mark":
        x[chosen, LABELS] += 4.0
        codes[chosen], bad[chosen] = TARGET, True
    elif case == "one label flips":
        codes[chosen] = TARGET
    elif case == "random flips":
        codes[chosen] = (codes[chosen] + rng.integers(1, LABELS, len(chosen))) % LABELS
    elif case == "benign mark":
        own = np.flatnonzero(codes == TARGET)
        x[own[: len(own) // 3], LABELS] += 4.0
    data = Dataset("blobs", "embedding", x.astype(np.float32), codes.astype(np.int32), tuple("abcdefgh")).canonical()
    return data, bad[data.ids]


@cache
def audited(case: str, seed: int) -> tuple[Outcome, np.ndarray]:
    data, bad = blobs(case, seed)
    context = prepare(dataset=data, settings=SETTINGS, progress=Silent(), recipe=recipe("logistic"))
    return learnt_trigger(context, SETTINGS), bad


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_mark_on_content_of_every_kind_is_confirmed_and_its_rows_are_found(seed: int) -> None:
    outcome, bad = audited("mark", seed)
    (finding,) = outcome.findings
    assert finding.subject.label == "abcdefgh"[TARGET]
    assert finding.severity is Severity.CRITICAL
    scores = outcome.row_scores
    assert scores is not None
    assert bad[np.argsort(-scores.score, kind="stable")[: bad.sum()]].mean() > 0.9
    assert scores.flagged[bad].mean() > 0.7
    assert (scores.flagged & ~bad).sum() < 0.06 * scores.flagged.sum()


def test_a_wide_fdr_leaves_hardly_any_bad_row_and_takes_honest_ones_of_the_label_alone() -> None:
    data, bad = blobs("mark", 1)
    wide = replace(SETTINGS, fdr=0.3)
    context = prepare(dataset=data, settings=wide, progress=Silent(), recipe=recipe("logistic"))
    flagged = learnt_trigger(context, wide).row_scores.flagged
    narrow = audited("mark", 1)[0].row_scores.flagged
    assert (flagged & ~narrow).any()
    assert (narrow <= flagged).all()
    assert flagged[bad].mean() > 0.99
    assert (flagged & ~bad).sum() < 0.4 * flagged.sum()
    assert (data.y[flagged] == TARGET).all()


@pytest.mark.parametrize("case", ["clean", "one label flips", "random flips", "benign mark"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_teaches_no_model_about_other_content_is_no_trigger(case: str, seed: int) -> None:
    outcome, _ = audited(case, seed)
    assert outcome.findings == ()
    assert outcome.row_scores is not None
    assert not outcome.row_scores.flagged.any()


def test_the_content_model_is_taught_by_hardly_any_marked_row() -> None:
    data, bad = blobs("mark", 0)
    context = prepare(dataset=data, settings=SETTINGS, progress=Silent(), recipe=recipe("logistic"))
    found = opinions(context)
    assert found.trusted[bad].mean() < 0.05
    assert found.suspect[bad].mean() > 0.6
    assert found.suspect[~bad].mean() < 0.1


def test_each_label_keeps_a_tenth_of_its_rows_trusted() -> None:
    codes = np.repeat([0, 1], 100).astype(np.int32)
    trusted = trusted_rows(codes, np.r_[np.linspace(5, 6, 100), np.linspace(-6, -5, 100)])
    assert trusted[:100].sum() >= 99
    assert trusted[100:].sum() == 10


@pytest.mark.parametrize(
    ("taught", "untaught", "control", "confirmed"),
    [(0.9, 0.05, 0.0, True), (0.43, 0.03, 0.0, True), (0.07, 0.06, 0.0, False), (0.9, 0.6, 0.0, False),
     (0.9, 0.05, 0.5, False)],
)  # fmt: skip
def test_confirmed_only_where_suspects_teach_and_honest_rows_stay(
    taught: float, untaught: float, control: float, *, confirmed: bool
) -> None:
    assert Verdict(taught, untaught, control, 100).confirmed is confirmed


def test_what_it_cannot_judge_is_skipped_with_the_reason() -> None:
    data, _ = blobs("clean", 0, 500)
    with pytest.raises(Skip, match="recipe"):
        learnt_trigger(Context(data, SETTINGS), SETTINGS)
    with pytest.raises(Skip, match="rows"):
        learnt_trigger(Context(data.take(range(100)), SETTINGS), SETTINGS)
    two = replace(data, codes=(data.y % 2).astype(np.int32))
    with pytest.raises(Skip, match="6 labels"):
        learnt_trigger(Context(two, SETTINGS), SETTINGS)
