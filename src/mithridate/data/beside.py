"""What stands beside the leaves in a manifest's table, in one digest: an edited source or row number shows."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BESIDE = ("source", "time")


class Beside:
    """A digest of a table's sources and times and of the row numbers' order, whatever the blocks it comes in.

    Examples
    --------
    >>> table = pa.table({"row": [0, 1], "source": ["a", "b"]})
    >>> one, two = Beside(), Beside()
    >>> one.add(table)
    >>> two.add(table.slice(0, 1)), two.add(table.slice(1))
    (None, None)
    >>> one.digest() == two.digest()
    True
    """

    def __init__(self) -> None:
        self._rows, self._in_order = 0, True
        self._hashes = {(name, part): hashlib.sha256() for name in BESIDE for part in ("gone", "lengths", "text")}

    def add(self, block: pa.Table | pa.RecordBatch) -> None:
        """Take the next rows in."""
        numbers = block.column("row").to_numpy(zero_copy_only=False) if isinstance(block, pa.RecordBatch) else (
            block.column("row").to_numpy()
        )  # fmt: skip
        self._in_order &= bool(np.array_equal(numbers, np.arange(self._rows, self._rows + len(numbers))))
        self._rows += len(numbers)
        for name in BESIDE:
            if name in block.schema.names:
                column = block.column(name)
                self._text(name, column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column)

    def _text(self, name: str, column: pa.Array) -> None:
        if isinstance(column, pa.DictionaryArray):
            column = column.dictionary_decode()
        gone = column.is_null().to_numpy(zero_copy_only=False)
        text = pc.cast(column, pa.large_string()).fill_null("")
        lengths = pc.binary_length(text).to_numpy(zero_copy_only=False).astype("<i8")
        self._hashes[name, "gone"].update(gone.astype(np.uint8).tobytes())
        self._hashes[name, "lengths"].update(lengths.tobytes())
        self._hashes[name, "text"].update("".join(text.to_pylist()).encode("utf-8", "surrogatepass"))

    def digest(self) -> str:
        """Hex; no digest of a table whose rows are out of order is that of one whose rows aren't."""
        parts = [digest.hexdigest() for digest in self._hashes.values()]
        return hashlib.sha256(f"{self._rows} {self._in_order} {' '.join(parts)}".encode()).hexdigest()
