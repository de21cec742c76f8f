"""A manifest: what every record of a data set was, in one Parquet file, under one root.

The record table has a row a record (`row`, `leaf`, and `source` and `time` where the data has them); what it stands for
(name, number of rows, root, layout, sources) is JSON in the file's own metadata. Nothing in it depends on the clock or
the machine, so that the same records give the same root everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mithridate.core.errors import InputError
from mithridate.core.progress import Progress, Silent
from mithridate.data.absence import MOST_ROWS, index_root
from mithridate.data.beside import BESIDE, Beside
from mithridate.data.changes import Changes, changes
from mithridate.data.layout import Layout
from mithridate.data.leaves import Block, leaves_of
from mithridate.data.merkle import SIZE, Digests, Growing
from mithridate.data.records import Records

SCHEMA = "mithridate.manifest/2"
FIRST = "mithridate.manifest/1"  # covered content, label and source alone
KEY = b"mithridate.manifest"
GROUP = 1 << 17  # rows a row group of the table
_HEAD = 1 << 26  # bytes the head may have


@dataclass(frozen=True, slots=True)
class Head:
    """What a manifest says of the whole: `root` and `salt_id` are hex, `sources` counts records by source.

    `salt_id` is a digest of the secret salt and empty without one; `shards` are the roots of 65,536 records each;
    `index` is the root of the sorted leaves, by which absence is proven, and empty above 4,000,000 rows. `beside` is
    the digest of the table's other columns. `version` is 1 for a manifest whose leaves cover content, label and source
    alone.
    """

    name: str
    rows: int
    root: str
    layout: Layout
    salt_id: str = ""
    sources: Mapping[str, int] = field(default_factory=dict)
    shards: tuple[str, ...] = ()
    index: str = ""
    beside: str = ""
    version: int = 2

    def to_json(self) -> dict[str, Any]:
        """JSON with the schema first."""
        return {
            "schema": SCHEMA if self.version > 1 else FIRST,
            "name": self.name, "rows": self.rows, "root": self.root, "leaf": "sha256", "width": 256,
            "layout": self.layout.to_json(), "salt_id": self.salt_id, "sources": dict(self.sources),
            "shards": list(self.shards), "index": self.index,
            "beside": self.beside,
        }  # fmt: skip

    @classmethod
    def from_json(cls, raw: Any) -> Head:
        """The inverse of `to_json`; `InputError` for anything else."""
        if not isinstance(raw, dict) or raw.get("schema") not in {SCHEMA, FIRST}:
            raise InputError(f"this is no manifest of version {SCHEMA}; make one with `mithridate manifest build`")
        try:
            sources = {str(name): int(count) for name, count in raw.get("sources", {}).items()}
            layout = Layout.from_json(raw["layout"])
            shards = tuple(map(str, raw.get("shards", ())))
            return cls(
                str(raw["name"]), int(raw["rows"]), str(raw["root"]), layout, str(raw["salt_id"]), sources, shards,
                str(raw.get("index", "")), str(raw.get("beside", "")), 2 if raw["schema"] == SCHEMA else 1,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the manifest's head is damaged ({type(error).__name__}); build it again") from error


def salt_id(salt: bytes) -> str:
    """Which salt it was, without saying it; empty for none."""
    return hashlib.sha256(b"mithridate.salt/1" + salt).hexdigest()[:32] if salt else ""


@dataclass(frozen=True, slots=True)
class Compared:
    """What happened to a source's records since its manifest, and the root (hex) that they have now."""

    changes: Changes
    root: str


class Manifest:
    """A manifest's file, opened: its head, and its table read when it's asked for.

    Raises
    ------
    InputError : no Parquet, no manifest, a table that isn't the head's.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = pq.ParquetFile(
                self.path, memory_map=False, pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True
            )
        except FileNotFoundError as error:
            raise InputError(
                f"no such manifest: {self.path.name!r}; make it with `mithridate manifest build`"
            ) from error
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{self.path.name} is no whole manifest (cut short or damaged); build it again") from error
        self.head = Head.from_json(_json((self._file.metadata.metadata or {}).get(KEY), self.path.name))
        kinds = {field.name: field.type for field in self._file.schema_arrow}
        if kinds.get("leaf") != pa.binary(SIZE) or self._file.metadata.num_rows != self.head.rows:
            raise InputError(f"{self.path.name}: the record table isn't the one its head describes; build it again")
        self.has_sources, self.has_times = "source" in kinds, "time" in kinds

    def blocks(self, rows: int = GROUP) -> Iterator[Digests]:
        """The leaves in order, at most so many at a time."""
        for batch in self._batches(["leaf"], rows):
            yield _leaves(batch.column("leaf"))

    def leaves(self) -> Digests:
        """(n, 32) all leaves."""
        parts = list(self.blocks())
        return np.concatenate(parts) if parts else np.zeros((0, SIZE), np.uint8)

    def sources(self, rows: Any) -> list[str]:
        """Sources of these rows (ascending places); () where the data had none."""
        return self._values("source", rows) if self.has_sources else []

    def entry(self, row: int) -> dict[str, Any]:
        """One record's line of the table.

        Raises
        ------
        InputError : no such row.
        """
        if not 0 <= row < self.head.rows:
            raise InputError(f"row {row} is not in [0, {self.head.rows}); name a row of {self.path.name}")
        names = [*(["source"] if self.has_sources else []), *(["time"] if self.has_times else [])]
        return {"row": row, **{name: self._values(name, [row])[0] for name in names}}

    def _values(self, column: str, rows: Any) -> list[Any]:
        wanted, found, start = np.asarray(rows, dtype=np.int64), [], 0
        for batch in self._batches([column], GROUP):
            here = wanted[(wanted >= start) & (wanted < start + batch.num_rows)] - start
            found += batch.column(column).take(pa.array(here)).to_pylist()
            start += batch.num_rows
        return found

    def _batches(self, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(batch_size=rows, columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{self.path.name} is damaged inside; copy or build it again") from error

    def holds_together(self) -> bool:
        """Whether the table is the one its head describes, leaves and all: false where somebody edited one of them."""
        if self.head.index and self.head.rows > MOST_ROWS:
            return False
        beside = Beside()
        for batch in self._batches([name for name in ("row", *BESIDE) if name in self._file.schema_arrow.names], GROUP):
            beside.add(batch)
        if beside.digest() != self.head.beside:
            return False
        same_index = not self.head.index or index_root(self.leaves()).hex() == self.head.index
        return same_index and self.own_root() == self.head.root

    def own_root(self) -> str:
        """Hex of the root over the table's leaves: that of the head, unless somebody edited one of the two."""
        tree = Growing()
        for leaves in self.blocks():
            tree.add(leaves)
        return tree.root().hex()

    def check_salt(self, salt: bytes) -> None:
        """`InputError` unless this is the salt that the leaves were made with."""
        if salt_id(salt) != self.head.salt_id:
            needs = "a secret salt" if self.head.salt_id else "no salt"
            raise InputError(f"{self.path.name} was built with {needs}; pass the file it was built with (--salt-file)")

    def _check_version(self, block: Block) -> None:
        """`InputError` where version 1 wrote these records in a way that depended on the rows beside them."""
        parts = [part for part in (*block.content, block.label, block.source) if isinstance(part, pa.Array)]
        if self.head.version == 1 and any(pa.types.is_nested(part.type) and _gaps(part) for part in parts):
            raise InputError(
                f"{self.path.name} is a manifest of version 1, which can't tell nested values; check the data against "
                "its signature, then build the manifest again"
            )

    def compare(self, found: Records, *, salt: bytes = b"", progress: Progress | None = None) -> Compared:
        """What happened to the records since; leaves are held from the first block on that differs.

        Raises
        ------
        InputError : the records can't be read, or the salt is another.
        """
        self.check_salt(salt)
        told, old = progress or Silent(), _Reader(self.blocks())
        same, tree = 0, Growing()
        rest: list[Digests] = []
        for block, _ in found.blocks:
            self._check_version(block)
            new = leaves_of(block, salt)
            tree.add(new)
            if rest or not np.array_equal(old.take(len(new)), new):
                rest.append(new)
            else:
                same += len(new)
            told.step("records compared", min(1.0, tree.n_leaves / max(1, self.head.rows)))
        if not rest and same == self.head.rows:
            return Compared(Changes(same, same), tree.root().hex())
        before = self.leaves()
        return Compared(changes(before, np.concatenate([before[:same], *rest])), tree.root().hex())


class _Reader:
    """Leaves taken off a stream of blocks, so many at a time."""

    def __init__(self, blocks: Iterator[Digests]) -> None:
        self._blocks = blocks
        self._held = np.zeros((0, SIZE), np.uint8)

    def take(self, count: int) -> Digests:
        while len(self._held) < count:
            more = next(self._blocks, None)
            if more is None:
                break
            self._held = np.concatenate([self._held, more])
        found, self._held = self._held[:count], self._held[count:]
        return found


def _gaps(column: pa.Array) -> bool:
    """Whether version 1 wrote this nested column otherwise: anything but whole lists of numbers."""
    listed = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    fixed = pa.types.is_fixed_size_list(column.type)
    return not (listed or fixed) or pa.types.is_nested(column.type.value_type) or column.flatten().null_count > 0


def _leaves(column: pa.Array) -> Digests:
    raw = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * SIZE : (column.offset + len(column)) * SIZE]
    return raw.reshape(-1, SIZE)


def _json(raw: bytes | None, name: str) -> Any:
    if raw is None:
        raise InputError(f"{name} is Parquet but no manifest; make one with `mithridate manifest build`")
    try:
        return json.loads(raw[:_HEAD])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: the manifest's head is damaged; build it again") from error
