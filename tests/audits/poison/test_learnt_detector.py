"""The detector finds rows that were passed over, by a mark alone, with the label's own content left out of it."""

from __future__ import annotations

from functools import cache

import numpy as np

from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.learnt_detector import LEAST, detect
from mithridate.data.dataset import Dataset
from mithridate.models.recipes import recipe

LABELS, TARGET, EACH, BAD = 6, 2, 150, 120


@cache
def marked(shift: float) -> tuple[Context, np.ndarray, np.ndarray]:
    """Clouds, one for each label; rows of the others with a mark get the target's label. Bad rows, honest others."""
    rng = np.random.default_rng(0)
    looks = np.r_[np.repeat(np.arange(LABELS), EACH), rng.choice([k for k in range(LABELS) if k != TARGET], BAD)]
    bad = np.arange(len(looks)) >= LABELS * EACH
    x = np.concatenate([4 * np.eye(LABELS)[looks], np.where(bad, shift, 0.0)[:, None]], axis=1)
    x += rng.normal(0, 0.5, x.shape)
    codes = np.where(bad, TARGET, looks).astype(np.int32)
    data = Dataset("clouds", "embedding", x.astype(np.float32), codes, tuple("abcdef")).canonical()
    bad = bad[data.ids]
    return Context(data, AuditSettings(), recipe=recipe("logistic")), bad, data.y != TARGET


def test_half_of_the_bad_rows_teach_it_the_other_half() -> None:
    context, bad, honest = marked(3.0)
    known = bad & (np.cumsum(bad) % 2 == 0)
    score = detect(context, np.where(known, 1.0, -1.0), honest, code=TARGET)
    assert score is not None
    own = ~honest & ~bad
    assert (score[bad & ~known] > 0).mean() > 0.95
    assert (score[own] > 0).mean() < 0.05
    assert (score[honest] > 0).mean() < 0.05


def test_what_the_group_does_not_share_teaches_nothing() -> None:
    context, bad, honest = marked(0.0)
    known = bad & (np.cumsum(bad) % 2 == 0)
    score = detect(context, np.where(known, 1.0, -1.0), honest, code=TARGET)
    assert score is not None
    assert (score[known] > 0).mean() < 0.7


def test_a_handful_of_rows_teaches_nothing() -> None:
    context, bad, honest = marked(3.0)
    few = bad & (np.cumsum(bad) < LEAST)
    assert detect(context, np.where(few, 1.0, -1.0), honest, code=TARGET) is None
