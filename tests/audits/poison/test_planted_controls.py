"""Measured power: what is planted in a copy is counted honestly, and the user's own rows are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from mithridate.audits.poison import embedding
from mithridate.audits.poison import planted_controls as module
from mithridate.audits.poison.context import AuditSettings, Context
from mithridate.audits.poison.planted_controls import planted_controls
from mithridate.core.errors import Skip
from mithridate.data import load


@pytest.fixture(scope="module")
def context() -> Context:
    return Context(load("fashion-mnist", rows=2500, whole=False).canonical())


def test_simple_backdoors_are_recovered_and_every_family_is_reported(context: Context) -> None:
    numbers = {piece.name: piece.data for piece in planted_controls(context, AuditSettings()).numbers}
    assert set(numbers) == {"power:label-flip", "power:badnets", "power:blended"}
    badnets = numbers["power:badnets"]
    assert float(str(badnets["value"])) >= 0.8
    assert float(str(badnets["low"])) <= float(str(badnets["value"])) <= float(str(badnets["high"]))
    assert "planted rows flagged" in str(badnets["note"])


def test_the_copy_is_poisoned_not_the_data(context: Context) -> None:
    before, labels = np.asarray(context.dataset.content).copy(), context.dataset.y.copy()
    planted_controls(context, AuditSettings())
    assert (np.asarray(context.dataset.content) == before).all()
    assert (context.dataset.y == labels).all()


@pytest.mark.parametrize(("power", "rows"), [("off", 2500), ("cheap", 100)])
def test_it_says_why_it_did_not_measure(context: Context, power: str, rows: int) -> None:
    part = Context(context.dataset.take(range(rows)))
    with pytest.raises(Skip, match=r"--power off|needs at least"):
        planted_controls(part, AuditSettings(power=power))


@pytest.mark.parametrize(("most", "asked"), [(1_000, False), (10_000, True)])
def test_the_copy_is_judged_by_the_methods_that_the_whole_data_get(
    context: Context, monkeypatch: pytest.MonkeyPatch, most: int, *, asked: bool
) -> None:
    seen, pieces = [], embedding.patch_features
    monkeypatch.setattr(module, "CHEAP_ROWS", 600)
    monkeypatch.setattr(embedding, "SECOND_ROWS", most)
    monkeypatch.setattr(embedding, "patch_features", lambda *given, **named: seen.append(1) or pieces(*given, **named))
    planted_controls(context, AuditSettings())
    assert bool(seen) is asked
