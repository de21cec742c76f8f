"""What stands beside the leaves of a manifest can't be edited unseen."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mithridate.data.beside import Beside
from mithridate.data.building import build
from mithridate.data.manifest import KEY, Manifest
from mithridate.data.records import records


def made(folder: Path) -> Path:
    table = pa.table({"a": list(range(300)), "label": [i % 2 for i in range(300)], "source": ["x", "y", None] * 100})
    pq.write_table(table, folder / "d.parquet")
    build(records(folder / "d.parquet"), folder / "M")
    return folder / "M"


@pytest.mark.parametrize("column", ["source", "row"])
def test_an_edited_source_or_row_number_shows(tmp_path: Path, column: str) -> None:
    path = made(tmp_path)
    held = Manifest(path)
    assert held.has_sources
    assert held.holds_together()
    table = pq.read_table(path)
    values = table.column(column).to_pylist()
    values[7] = "z" if column == "source" else 8
    new = pa.array(values, table.schema.field(column).type)
    edited = table.set_column(table.column_names.index(column), column, new)
    metadata = {KEY: pq.ParquetFile(path).metadata.metadata[KEY]}
    pq.write_table(edited.replace_schema_metadata(metadata), path)
    assert not Manifest(path).holds_together()


def test_blocks_leave_no_trace_and_neighbours_do_not_run_together() -> None:
    table = pa.table({"row": [0, 1, 2], "source": ["ab", "c", None], "time": [1.5, None, 2.0]})
    whole, parts = Beside(), Beside()
    whole.add(table)
    for at in range(3):
        parts.add(table.slice(at, 1).to_batches()[0])
    assert whole.digest() == parts.digest()
    for other in (["a", "bc", None], ["ab", "c", ""]):
        again = Beside()
        again.add(table.set_column(1, "source", [other]))
        assert again.digest() != whole.digest()
