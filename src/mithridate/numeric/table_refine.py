"""A mined value or combination made as narrow as its rows allow: whatever else nearly all of them share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mithridate.numeric.table_mining import Candidate, Item, carriers, judge_items
from mithridate.numeric.table_tokens import Blind, Column, Mask, strata

MOST_ITEMS = 3
AGREE = 0.75  # of the foreign-looking carriers that must hold a value, for it to be part of the trigger
APART = 0.2  # by which their share exceeds the other carriers': a value that all rows hold says nothing
KEPT = 0.7  # of the carriers that a narrower combination must keep


def specialise(
    columns: Sequence[Column], blind: Blind, codes: npt.NDArray[np.int32], candidate: Candidate
) -> Candidate:
    """The candidate with the values that its surprising rows share and its natural carriers lack, three at most.

    Parameters
    ----------
    columns, blind, codes : as for `mine_candidates`.

    Notes
    -----
    A triple's rarest value may be found first, with its natural carriers; the other two tell those apart.
    """
    for _ in range(MOST_ITEMS - len(candidate.items)):
        options = [
            found
            for item in _shared(columns, blind, codes, candidate)
            if (found := judge_items(columns, blind, codes, candidate.target, (*candidate.items, item)))
            and found.observed >= KEPT * candidate.observed
        ]
        best = max(options, key=lambda found: found.lp, default=None)
        if best is None or best.lp <= candidate.lp:
            break
        candidate = best
    return candidate


def _shared(columns: Sequence[Column], blind: Blind, codes: npt.NDArray[np.int32], candidate: Candidate) -> list[Item]:
    places = [item.column for item in candidate.items]
    log_p = blind.log_proba(columns, places)[:, candidate.target]
    stratum = strata(log_p, codes == candidate.target, codes >= 0, trusted=blind.trusted)
    mask = carriers(columns, candidate.items)
    odd, natural = mask & (stratum == 2), mask & (stratum >= 0) & (stratum != 2)  # noqa: PLR2004 - the stratum's number
    out = []
    for position in [position for position in range(len(columns)) if position not in places]:
        value, share, elsewhere = _commonest(columns[position].codes, odd, natural)
        if share >= AGREE and share >= elsewhere + APART:
            out.append(Item(position, exact=True, value=value))
    return out


def _commonest(values: npt.NDArray[np.int32], odd: Mask, natural: Mask) -> tuple[int, float, float]:
    """The commonest value among `odd` rows, its share there and among `natural` ones."""
    here = values[odd]
    counts = np.bincount(here[here >= 0], minlength=1)
    value = int(counts.argmax())
    there = float((values[natural] == value).mean()) if natural.any() else 0.0
    return value, float(counts[value] / max(len(here), 1)), there
