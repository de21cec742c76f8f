"""What PSN101 says of labels that cross a border between two classes together, where no row gives itself away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from mithridate.core.findings import Evidence, Finding, Severity, Subject, bars, number
from mithridate.data.dataset import Dataset
from mithridate.numeric.border_noise import BorderNoise

SHOWN = 10  # class pairs drawn


def border_finding(
    dataset: Dataset, border: BorderNoise, suggested: npt.NDArray[np.integer], standards: tuple[str, ...]
) -> Finding:
    """A group finding: about how many rows were moved across, which rows to look at first, and between which classes.

    Parameters
    ----------
    suggested : (n,) code of the class that each row's content speaks for, besides its own.
    """
    count = max(round(border.excess), 1)
    rows = np.argsort(-border.odds, kind="stable")[:count]
    rows = rows[border.odds[rows] > 0]
    share = float(np.mean(border.odds[rows] / (1 + border.odds[rows])))
    return Finding(
        method="PSN101",
        slug="border-labels",
        severity=Severity.LOW,
        confidence=round(share, 4),
        claim=(
            f"some {count:,} rows ({border.low:,.0f} to {border.high:,.0f}) near the border between two classes carry "
            "the label of the far side, more than chance explains; which ones, their content can't tell"
        ),
        subject=Subject("rows", tuple(sorted(int(i) for i in dataset.ids[rows])), sources=dataset.source_counts(rows)),
        evidence=(_pairs(dataset, rows, suggested), *border_numbers(border)),
        remedy=(
            "Have these rows labelled again by somebody who doesn't see the label: flips of the rows nearest the "
            "border move a model most, and two classes that annotators mix up look the same."
        ),
        standards=standards,
    )


def border_numbers(border: BorderNoise) -> tuple[Evidence, ...]:
    """The excess with its interval."""
    return (
        number(
            "border_label_excess",
            round(border.excess, 1),
            low=border.low,
            high=border.high,
            unit="rows",
            note="labels of the far side near a border, beyond what the models' own odds explain; 95 % interval",
        ),
    )


def _pairs(dataset: Dataset, rows: npt.NDArray[np.int64], suggested: npt.NDArray[np.integer]) -> Evidence:
    seen = Counter((int(dataset.y[i]), int(suggested[i])) for i in rows)
    commonest = seen.most_common(SHOWN)
    return bars(
        "border pairs",
        [f"{dataset.label_of(given)} | {dataset.label_of(other)}" for (given, other), _ in commonest],
        [n for _, n in commonest],
        caption="Rows to look at first by given | likelier label, the commonest pairs",
        unit="rows",
    )
