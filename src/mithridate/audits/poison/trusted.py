"""Trusted rows beside the audited ones: one joint context, and which of them may judge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mithridate.audits.poison.context import Context
from mithridate.core.findings import Evidence, number
from mithridate.data.dataset import Content, Dataset

LEAST = 50  # trusted rows below which ranks among them say too little


def joint(context: Context) -> Context | None:
    """A context over the audited rows followed by the trusted ones; None without a reference that fits.

    Returns
    -------
    The first n rows are `context.dataset`'s, in their order; the rest are the reference's in content-hash order.
    """
    return context.once("joint", lambda: _join(context))


def _join(context: Context) -> Context | None:
    dataset, clean = context.dataset, context.reference
    if clean is None or not len(clean) or context.embedding is not None:  # the user embedded the audited rows alone
        return None
    clean = clean.canonical()
    content = _stack(dataset.content, clean.content)
    if content is None:
        return None
    missing = np.full(len(clean), -1, np.int32)
    codes = None if dataset.codes is None else np.concatenate([dataset.codes, _codes(clean, dataset, missing)])
    both = replace(dataset, content=content, codes=codes, source_codes=None, source_names=(), row_ids=None)
    return Context(dataset=both, settings=context.settings)


def _codes(clean: Dataset, dataset: Dataset, missing: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    if clean.codes is None or clean.classes != dataset.classes:
        return missing
    return np.where(clean.codes < dataset.n_classes, clean.codes, -1).astype(np.int32)


def _stack(first: Content, second: Content) -> Content | None:
    """Both contents as one in the first's type; None where columns, shapes or types don't fit."""
    if isinstance(first, pa.Table) and isinstance(second, pa.Table):
        try:
            return pa.concat_tables([first, second.select(first.column_names).cast(first.schema)])
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, KeyError):
            return None
    ours, theirs = cast("npt.NDArray[Any]", first), cast("npt.NDArray[Any]", second)
    if ours.shape[1:] != theirs.shape[1:]:
        return None
    if ours.dtype == np.uint8 and theirs.dtype != np.uint8:
        theirs = np.round(np.clip(theirs, 0, 1) * 255)
    elif theirs.dtype == np.uint8 and ours.dtype != np.uint8:
        theirs = theirs / np.float32(255)
    return np.concatenate([ours, theirs.astype(ours.dtype, copy=False)])


def judges(context: Context, *, labelled: bool = True) -> npt.NDArray[np.int64]:
    """Positions in the joint context of the trusted rows that may judge; none where fewer than 50 are left.

    Trusted rows whose content is also audited are left out, since they would judge themselves; so are those without
    a known label where `labelled`.
    """
    both = joint(context)
    if both is None:
        return np.zeros(0, np.int64)
    n = len(context.dataset)
    able = ~np.isin(both.dataset.hashes[n:], context.dataset.hashes)
    if labelled:
        able &= both.dataset.y[n:] >= 0
    found = np.flatnonzero(able) + n
    return found if len(found) >= LEAST else found[:0]


def trusted_note(context: Context, used: npt.NDArray[np.int64]) -> tuple[Evidence, ...]:
    """How many trusted rows calibrated a method, and why none did; empty without a reference."""
    if context.reference is None:
        return ()
    why = "trusted rows that the audited ones were ranked among"
    if not len(used):
        why = f"fewer than {LEAST} usable trusted rows, or other columns: calibrated without them"
    return (number("trusted_rows", len(used), unit="rows", note=why),)
