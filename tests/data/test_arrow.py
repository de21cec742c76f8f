"""Arrow tables without pandas: the same values as pyarrow's own way, and pandas stays unloaded."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mithridate.data.arrow import arrow_table

CELLS = st.tuples(st.integers(-(2**40), 2**40), st.booleans(), st.text(max_size=4), st.floats())


@settings(max_examples=60, deadline=None)
@given(st.lists(CELLS, max_size=20))
def test_arrow_table_holds_what_the_arrays_do_in_pyarrows_own_types(rows: list[tuple[int, bool, str, float]]) -> None:
    kinds = (np.int64, np.bool_, np.str_, np.float64)
    columns = {f"c{i}": np.array([row[i] for row in rows], dtype=kind) for i, kind in enumerate(kinds)}
    made, expected = arrow_table(columns), pa.table(columns)
    made.validate(full=True)
    assert made.schema == expected.schema
    values = {name: column.tolist() for name, column in columns.items()}  # pyarrow itself cuts a text at its first NUL
    assert str(made.to_pydict()) == str(values)  # as text: NaN isn't equal to itself


def test_strided_columns_are_copied_whole() -> None:
    wide = np.arange(12, dtype=np.float32).reshape(6, 2)
    assert arrow_table({"a": wide[:, 1]})["a"].to_pylist() == [1, 3, 5, 7, 9, 11]


def test_arrow_table_leaves_pandas_unloaded() -> None:
    code = (
        "import sys, numpy as np; from mithridate.data.arrow import arrow_table;"
        "arrow_table({'a': np.arange(3), 'b': np.array(['x', 'y', 'z'])}); sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
