"""How much memory reading may take."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mithridate.core.errors import InputError
from mithridate.data import budget
from mithridate.data.budget import Budget, available_bytes, size_text
from mithridate.data.read import read


def test_what_is_free_is_the_least_of_what_limits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < available_bytes() < 2**50
    monkeypatch.setattr(budget, "_container_room", lambda: 123)
    assert available_bytes() == 123
    assert Budget().limit == int(123 * budget.SHARE)
    for name in ("_free_memory", "_container_room", "_address_room"):
        monkeypatch.setattr(budget, name, lambda: None)
    assert available_bytes() > 2**30


def test_an_address_space_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**40, 2**40))
    room = budget._address_room()  # noqa: SLF001 - the limit can't be set for real inside the test run
    assert room is not None
    assert 0 < room < 2**40


@pytest.mark.parametrize(("size", "text"), [(10, "10 bytes"), (2_500, "2.5 kB"), (3e6, "3.0 MB"), (1e10, "10.0 GB")])
def test_sizes_are_written_as_people_write_them(size: float, text: str) -> None:
    assert size_text(size) == text


def test_a_small_file_of_very_many_missing_rows_is_refused(tmp_path: Path) -> None:
    empty = pa.table({"a": pa.nulls(1_000_000), "label": pa.nulls(1_000_000)})
    pq.write_table(empty, tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 10_000
    with pytest.raises(InputError, match="may be used"):
        read(tmp_path / "a.parquet", max_bytes=1_000_000)


def test_a_small_file_that_unpacks_to_much_is_stopped(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x" * 10_000] * 5_000, "label": [0, 1] * 2_500}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="may be used"):
        read(tmp_path / "a.parquet", modality="text", max_bytes=5_000_000)


def test_floats_that_become_bytes_need_no_second_whole_copy(tmp_path: Path) -> None:
    import tracemalloc  # noqa: PLC0415 - one test measures memory

    x = np.random.default_rng(0).integers(0, 256, (4000, 32, 32)).astype(np.float32) / np.float32(255)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(4000) % 7)
    size = x.nbytes
    del x
    tracemalloc.start()
    try:
        data = read(tmp_path / "a.npz")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert data.content.nbytes == size // 4
    assert peak < 1.8 * size
