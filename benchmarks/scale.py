"""Claim: tables of any length are audited shard by shard, in memory that doesn't grow with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

GROUP = 100_000  # rows a row group
CLASSES = 3
NOISE = 0.02
TRIGGER = {"n3": 1234.5, "k4": 64}


def write_table(
    path: Path, rows: int, seed: int, *, poison: int = 250, noise: float = NOISE, classes: int = CLASSES
) -> np.ndarray:
    """A Parquet file of 30 columns, a label and a source; the rows that carry the planted trigger, ascending."""
    rng = np.random.default_rng(seed)
    turn = rng.normal(size=(12, classes))
    stamped = np.sort(rng.choice(rows, poison, replace=False))
    writer = None
    for start in range(0, rows, GROUP):
        n = min(GROUP, rows - start)
        base = rng.normal(size=(n, 12)).astype(np.float64)
        base[:, 6:] = 0.7 * base[:, :6] + 0.7 * base[:, 6:]
        label = np.argmax(base @ turn + rng.gumbel(size=(n, classes)) * 0.3, axis=1)
        columns = {f"n{j}": np.round(1000 * base[:, j], 1 + j % 3) for j in range(12)}
        columns |= {f"k{j}": (40 + 12 * base[:, j] + 6 * rng.normal(size=n)).astype(np.int64) for j in range(8)}
        columns |= {f"z{j}": (rng.exponential(200, n) * (rng.random(n) < 0.2)).astype(np.int64) for j in range(2)}
        words = np.array([f"w{i}" for i in range(60)])
        columns |= {
            f"c{j}": words[np.minimum((rng.exponential(4, n) + np.abs(base[:, j])).astype(int), 3 + 7 * j)]
            for j in range(8)
        }
        source = rng.integers(0, 20, n)
        flip = rng.random(n) < np.where(source == 7, 4 * noise, noise)
        label = np.where(flip, rng.integers(0, classes, n), label)
        own = stamped[(stamped >= start) & (stamped < start + n)] - start
        for name, value in TRIGGER.items():
            columns[name][own] = value
        label[own] = 0
        columns |= {"source": np.char.add("s", source.astype(str)), "label": label}
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=GROUP)
    writer.close()
    return stamped
