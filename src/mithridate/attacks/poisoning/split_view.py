"""Split view: after a manifest was made, rows show the content of another class; their labels stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mithridate.attacks.poisoning.protocol import (
    Poisoned,
    Rows,
    changed,
    content_order,
    from_source,
    put_rows,
    take_rows,
    target_code,
    truth_of,
)
from mithridate.attacks.poisoning.settings import Settings
from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset


def split_view(dataset: Dataset, rng: np.random.Generator, settings: Mapping[str, Any]) -> Poisoned:
    """A copy in which rows of two classes have swapped their content, as if what their addresses serve had changed.

    Parameters
    ----------
    settings : `rate`, share of all rows, rounded down to whole pairs; `target`, label of one row of every pair
        (default: any two classes); `source`, to change rows of that source alone.

    Raises
    ------
    InputError : a setting is unknown or out of range, or too few rows have a partner of another class.

    Notes
    -----
    Content moves between rows, so that no two rows are the same afterwards and every content is a real one. The
    truth's kind is `edited`: a manifest of the data set as it was names exactly these rows.

    References
    ----------
    Carlini et al. (2023), poisoning web-scale training datasets is practical, arXiv 2302.10149.
    """
    read = Settings(settings)
    rate, target, source = read.rate(), read.value("target"), read.value("source")
    read.finish()
    target_code(dataset, target)
    side = None if target is None else target_code(dataset, target)
    order = content_order(dataset)
    pool = order[(from_source(dataset, source) & (dataset.y >= 0))[order]]
    first, second = _pairs(dataset, rng.permutation(pool), round(rate * len(dataset)) // 2, side)
    here, there = np.concatenate([first, second]), np.concatenate([second, first])
    content = put_rows(dataset.content, here, take_rows(dataset.content, there))
    return Poisoned(changed(dataset, here, content=content), truth_of(dataset, here, "edited"))


def _pairs(dataset: Dataset, pool: Rows, count: int, side: int | None) -> tuple[Rows, Rows]:
    """`count` pairs of rows of different classes, the first of each of class `side` where it is given."""
    codes = dataset.y
    if side is None:
        waiting: dict[int, list[int]] = {}
        pairs: list[tuple[int, int]] = []
        for row in pool.tolist():  # a loop: each row takes the longest queue of another class
            others = [code for code, rows in waiting.items() if code != codes[row] and rows]
            if not others:
                waiting.setdefault(int(codes[row]), []).append(row)
                continue
            pairs.append((waiting[max(others, key=lambda code: len(waiting[code]))].pop(0), row))
            if len(pairs) == count:
                break
        first, second = (np.array(part, np.int64) for part in zip(*pairs, strict=True)) if pairs else (pool[:0],) * 2
    else:
        first, second = pool[codes[pool] == side], pool[codes[pool] != side]
    most = min(len(first), len(second))
    if count < 1 or count > most:
        limit = f"at most {2 * most / len(dataset):.3g}" if count else f"at least {2 / max(len(dataset), 1):.2g}"
        raise InputError(f"the rate asks for {count} pairs of rows and {most} can be made; use a rate of {limit}")
    return first[:count], second[:count]
