"""Trusted rows as further rows of a miner's stage: they teach and are counted, and are never accused."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.audits.poison.context import Context
from mithridate.audits.poison.trusted import joint, judges


class Beside(NamedTuple):
    """A context over the audited rows followed by the trusted ones, and (n,) which are trusted."""

    context: Context
    trusted: npt.NDArray[np.bool_]


def beside_trusted(context: Context) -> Beside:
    """The context with the trusted rows that may judge after its own; itself where there are none.

    The user's model stays, so that it can be asked about any of the rows.
    """
    both, used, n = joint(context), judges(context), len(context.dataset)
    if both is None or not len(used):
        return Beside(context, np.zeros(n, dtype=bool))
    rows = both.dataset.take(np.concatenate([np.arange(n), used]))
    wide = Context(dataset=rows, settings=context.settings, predict=context.predict)
    return Beside(wide, np.arange(len(rows)) >= n)
