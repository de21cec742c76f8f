from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mithridate.core.errors import InputError
from mithridate.data.options import Options
from mithridate.data.read import read
from mithridate.data.shards import as_dataset, batches, count_parquet, digest, find_shards


def write(path: Path, n: int, *, group: int = 100, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    table = pa.table({"a": rng.normal(size=n), "b": rng.integers(0, 5, n), "label": rng.integers(0, 2, n)})
    pq.write_table(table, path, row_group_size=group)
    return table


def test_shards_hold_every_row_once_and_in_order(tmp_path: Path) -> None:
    table = write(tmp_path / "t.parquet", 1050)
    found = find_shards(tmp_path / "t.parquet", Options("t"), shard_rows=250)
    assert [shard.n_rows for shard in found.shards] == [300, 300, 300, 150]
    assert [shard.start for shard in found.shards] == [0, 300, 600, 900]
    rows = [batch for shard in found.shards for batch in batches(shard, ["a", "b", "label"], rows=64)]
    assert max(batch.num_rows for batch in rows) <= 64
    assert pa.Table.from_batches(rows).combine_chunks() == table.combine_chunks()


def test_a_folder_of_shards_is_read_in_the_same_order_as_in_memory(tmp_path: Path) -> None:
    for part in range(3):
        write(tmp_path / f"train-{part:05d}-of-00003.parquet", 200, seed=part)
    found = find_shards(tmp_path, Options("t"), shard_rows=10**6)
    tables = [pa.Table.from_batches(list(batches(shard, found.plan.columns))) for shard in found.shards]
    whole = as_dataset(tables, found.plan, "t")
    held = read(tmp_path)
    assert count_parquet(tmp_path) == len(whole) == 600
    assert (whole.hashes == held.hashes).all()
    assert (whole.y == held.y).all()


def test_a_digest_changes_with_one_value_only_in_its_shard(tmp_path: Path) -> None:
    table = write(tmp_path / "a.parquet", 400)
    column = table.column("a").to_numpy().copy()
    column[350] += 1
    pq.write_table(table.set_column(0, "a", pa.array(column)), tmp_path / "b.parquet", row_group_size=100)
    first, second = (
        find_shards(tmp_path / name, Options("t"), shard_rows=200).shards for name in ("a.parquet", "b.parquet")
    )
    assert digest(first[0]) == digest(second[0])
    assert digest(first[1]) != digest(second[1])


def test_the_parts_that_spark_and_dask_write_are_one_table(tmp_path: Path) -> None:
    for form in ("part-{:05d}-0a1b.c000.snappy.parquet", "part.{}.parquet"):
        folder = tmp_path / form[:5]
        folder.mkdir()
        tables = [write(folder / form.format(part), 200, seed=part) for part in range(3)]
        assert count_parquet(folder) == 600
        assert read(folder).y.tolist() == pa.concat_tables(tables)["label"].to_pylist()


def test_damaged_and_foreign_sources_get_one_clear_line(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", 300)
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[:-20])
    with pytest.raises(InputError, match="cut short or damaged"):
        count_parquet(tmp_path / "cut.parquet")
    parts = tmp_path / "parts"
    parts.mkdir()
    write(parts / "train-00000-of-00002.parquet", 300)
    other = write(parts / "train-00001-of-00002.parquet", 300).set_column(1, "b", pa.array(["x"] * 300))
    pq.write_table(other, parts / "train-00001-of-00002.parquet")
    with pytest.raises(InputError, match=r"column .b. is int64 in train-00000.* and string in train-00001"):
        find_shards(parts, Options("parts"))
    (tmp_path / "x.csv").write_text("a,label\n1,0\n")
    assert count_parquet(tmp_path / "x.csv") == 0
    with pytest.raises(InputError, match="no Parquet file"):
        find_shards(tmp_path / "x.csv", Options("x.csv"))
