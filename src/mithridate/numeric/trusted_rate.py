"""Whether a token is as common among trusted rows as among the audited ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import hypergeom

from mithridate.numeric.table_tokens import MAX_LP, Mask

SHOWN = 3  # trusted carriers that show a token to be natural
UNUSUAL_LP = 2.0  # audited rows carry a natural token no more often than this tail allows
ABSENT_LP = 2.0  # from here on trusted rows speak against the token; half as many rows tell 12 carriers, no fewer


class Excess(NamedTuple):
    """-log10 of the tail of the audited carriers, given all carriers, and how many trusted rows carry the token."""

    lp: float
    trusted: int

    @property
    def explained(self) -> bool:
        """Trusted rows carry the token under the same label, and audited ones hardly more often."""
        return self.trusted >= SHOWN and self.lp < UNUSUAL_LP

    @property
    def stands_out(self) -> bool:
        """The audited rows carry the token far more often than the trusted ones."""
        return self.lp >= ABSENT_LP


def excess(carriers: Mask, compared: Mask, trusted: Mask) -> Excess:
    """How much more often audited rows carry a token than trusted rows, among the rows `compared`.

    Parameters
    ----------
    carriers, compared, trusted : (n,) rows with the token; rows of one class; trusted rows.

    Notes
    -----
    Fisher's exact test, one-sided: the two samples are random parts of one population unless something was added.

    Examples
    --------
    >>> rows = np.arange(200)
    >>> excess(rows < 20, rows >= 0, rows >= 100).stands_out
    True
    >>> excess(rows % 10 == 0, rows >= 0, rows >= 100).explained
    True
    """
    audited, honest = compared & ~trusted, compared & trusted
    if not honest.any() or not audited.any():
        return Excess(0.0, 0)
    own, others = int((carriers & audited).sum()), int((carriers & honest).sum())
    tail = hypergeom.logsf(own - 1, int(compared.sum()), own + others, int(audited.sum()))
    return Excess(float(np.clip(-tail / np.log(10), 0.0, MAX_LP)), others)
