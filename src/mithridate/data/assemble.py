"""Shaped content, labels and sources as one checked `Dataset`."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from mithridate.core.errors import InputError
from mithridate.data.arrays import Shaped
from mithridate.data.dataset import Dataset
from mithridate.data.labels import encode_labels, encode_sources


def from_parts(
    shaped: Shaped,
    name: str,
    *,
    labels: Any = None,  # noqa: ANN401 - arrays, series, lists
    sources: Any = None,  # noqa: ANN401 - arrays, series, lists
    label_name: str = "y",
    source_name: str = "source",
    content_name: str = "",
) -> Dataset:
    """The data set; `InputError` when labels or sources aren't one a row."""
    n_rows = shaped.content.num_rows if isinstance(shaped.content, pa.Table) else len(shaped.content)
    coded_labels = None if labels is None else encode_labels(_one_a_row(labels, n_rows, name, label_name), label_name)
    coded_sources = (
        None if sources is None else encode_sources(_one_a_row(sources, n_rows, name, source_name), source_name)
    )
    return Dataset(
        name=name,
        modality=shaped.modality,
        content=shaped.content,
        codes=None if coded_labels is None else coded_labels.codes,
        classes=() if coded_labels is None else coded_labels.values,
        source_codes=None if coded_sources is None else coded_sources.codes,
        source_names=() if coded_sources is None else coded_sources.values,
        label_name=label_name,
        source_name=source_name,
        content_name=content_name,
    )


def _one_a_row(values: Any, n_rows: int, name: str, what: str) -> Any:  # noqa: ANN401 - arrays, series, lists
    count = len(values) if hasattr(values, "__len__") else -1
    if count != n_rows:
        had = f"{count:,} values in {what!r}" if count >= 0 else f"{what!r} is a {type(values).__name__}"
        raise InputError(f"{name} has {n_rows:,} rows but {had}; both must have one entry a row")
    return values
