"""The table of label noise tells flips, which go anywhere, from slips between classes that look alike."""

from __future__ import annotations

import numpy as np

from mithridate.numeric.noise_table import BINS, MIDDLE, Counts, noise_table


def counted(rng: np.random.Generator, slips: float) -> Counts:
    """Eight classes, 0 and 1 alike: honest labels of the two go wrong at `slips` a cell however sure the model is."""
    classes, rows = 8, 4_000
    cells, filled = np.zeros((classes, classes, BINS), np.int64), np.zeros((classes, classes, BINS + 1), np.int64)
    spread = np.exp(-0.5 * ((np.arange(BINS) - BINS + 14) / 6) ** 2)
    for top in range(classes):
        for label in range(classes):
            if top == label:
                filled[top, label, BINS] = rows
                continue
            cells[top, label] = np.round(rows * spread / spread.sum())
            alike = {top, label} == {0, 1}
            rate = np.minimum((3.0 if alike else 1.0) * MIDDLE**1.2 + 2e-3 + slips * alike, 1.0)
            filled[top, label, :BINS] = rng.binomial(cells[top, label], rate)
    return Counts(cells, filled)


def test_labels_of_classes_that_are_alike_are_doubted_less_than_those_of_others() -> None:
    deep = int(np.searchsorted(MIDDLE, 1e-4))
    told = []
    for slips in (0.0, 0.02):
        table = noise_table(counted(np.random.default_rng(1), slips), n_classes=8, rng=np.random.default_rng(0))
        told.append(float(table.odds[0, 1, deep] / table.odds[4, 5, deep]))
    assert told[1] < 0.5 * told[0]
