"""Building a manifest: records in, one Parquet file out, one block of records held at a time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mithridate.core.errors import InputError
from mithridate.core.files import atomic
from mithridate.core.progress import Progress, Silent
from mithridate.data.absence import MOST_ROWS, index_root
from mithridate.data.beside import Beside
from mithridate.data.encoding import Column
from mithridate.data.labels import MISSING_SOURCE
from mithridate.data.leaves import leaves_of
from mithridate.data.manifest import GROUP, KEY, Head, salt_id
from mithridate.data.merkle import SIZE, Digests, Growing
from mithridate.data.records import Records

MOST_SOURCES = 10_000  # distinct names counted in the head


def build(found: Records, path: str | Path, *, salt: bytes = b"", progress: Progress | None = None) -> Head:
    """Write the manifest of these records; what it says of the whole.

    Raises
    ------
    InputError : the records can't be read, or the file not written.
    """
    seen, told = _Seen(), progress or Silent()
    with atomic(path) as temporary:
        writer: pq.ParquetWriter | None = None
        for block, time in found.blocks:
            leaves = leaves_of(block, salt)
            part = _part(seen.tree.n_leaves, leaves, block.source, time)
            seen.add(leaves, part)
            writer = writer or _writer(temporary, part.schema)
            writer.write_table(part, row_group_size=GROUP)
            told.step(f"{seen.tree.n_leaves:,} records", 0.5)
        if writer is None:
            raise InputError(f"{found.name} has no rows; there are no records")
        head = seen.head(found, salt)
        writer.add_key_value_metadata({KEY: json.dumps(head.to_json(), sort_keys=True).encode()})
        writer.close()
    return head


class _Seen:
    """What is kept of the records so far: their tree, their sources, and up to a number of rows their leaves."""

    def __init__(self) -> None:
        self.tree, self._beside = Growing(), Beside()
        self._counts = Counter[str]()
        self._held: list[Digests] = []

    def add(self, leaves: Digests, part: pa.Table) -> None:
        self.tree.add(leaves)
        self._beside.add(part)
        self._held.append(leaves)
        if self.tree.n_leaves > MOST_ROWS:
            self._held.clear()
        if "source" in part.column_names and len(self._counts) <= MOST_SOURCES:
            self._counts.update(part.column("source").to_pylist())

    def head(self, found: Records, salt: bytes) -> Head:
        counts = dict(sorted(self._counts.items())) if len(self._counts) <= MOST_SOURCES else {}
        return Head(
            found.name, self.tree.n_leaves, self.tree.root().hex(), found.layout, salt_id(salt), counts,
            tuple(bytes(digest).hex() for digest in self.tree.shard_roots()),
            index_root(np.concatenate(self._held)).hex() if self._held else "",
            self._beside.digest(),
        )  # fmt: skip


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path, schema, compression={"leaf": "NONE"}, use_dictionary=["source"], write_page_checksum=True
    )


def _part(start: int, leaves: Digests, source: Column | None, time: Column | None) -> pa.Table:
    columns: dict[str, Any] = {
        "row": np.arange(start, start + len(leaves), dtype=np.int64),
        "leaf": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(SIZE), len(leaves), [None, pa.py_buffer(np.ascontiguousarray(leaves))]
        ),
    }
    if source is not None:
        columns["source"] = names_of(source)
    if time is not None:
        columns["time"] = pa.array(time) if isinstance(time, np.ndarray) else time
    return pa.table(columns)


def names_of(source: Column) -> pa.Array:
    """Sources as strings, as reports name them: whole numbers without a point, `(missing)` where there is none."""
    items = source.tolist() if isinstance(source, np.ndarray) else source.to_pylist()
    names = []
    for item in items:
        word = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
        word = int(word) if isinstance(word, float) and word.is_integer() else word
        names.append(MISSING_SOURCE if word is None or word == "" or word != word else str(word))  # noqa: PLR0124 - NaN
    return pa.array(names, pa.large_string())
