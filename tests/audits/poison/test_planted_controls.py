"""Measured power: what is planted in a copy is counted honestly, and the user's own rows are left alone."""

from __future__ import annotations

import numpy as np
import pytest

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
