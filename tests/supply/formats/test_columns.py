"""Parquet and Arrow: footers, files that columns are read from, types that unpickle."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from mithridate.core.findings import Severity

TABLE = pa.table({"a": [1, 2, 3], "b": ["x", "y", None], "c": [[1], [], [2, 3]]})
UNPICKLED = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": b"\x80\x04K\x01."}


def parquet(table: pa.Table = TABLE, **more: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **more)
    return out.getvalue()


def arrow(table: pa.Table = TABLE, *, stream: bool = False) -> bytes:
    out = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def with_field_metadata(metadata: dict[bytes, bytes]) -> pa.Table:
    return pa.table([pa.array([1])], schema=pa.schema([pa.field("a", pa.int64(), metadata=metadata)]))


def test_ordinary_files_are_no_issue(worst: Callable[..., int]) -> None:
    frame = pa.Table.from_pandas(TABLE.to_pandas())
    packed = io.BytesIO()
    feather.write_feather(TABLE.select(["a", "b"]), packed)
    for raw in (
        parquet(),
        parquet(frame),
        parquet(compression="zstd", row_group_size=1),
        arrow(),
        arrow(stream=True),
        arrow(frame),
        packed.getvalue(),
    ):
        assert worst(raw) == 0


def test_types_that_unpickle_are_critical(worst: Callable[..., int]) -> None:
    table = with_field_metadata(UNPICKLED)
    for raw in (parquet(table), arrow(table), arrow(table, stream=True)):
        assert worst(raw) == Severity.CRITICAL  # CVE-2023-47248


@pytest.mark.parametrize(
    "metadata",
    [
        {b"dataset-toolkit.unischema.v1": b"\x80\x02X."},
        {b"note": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00K\x01."},
        {b"note": b"__import__('os').system('id')"},
        {b"parquet.avro.schema": b'{"type":"string","java-class":"javax.swing.JEditorPane"}'},
        {b"note": b"gASVDAAAAAAAAABdlChLAUsCSwNlLg=="},
    ],
)
def test_objects_packed_into_the_metadata_are_grave(metadata: dict[bytes, bytes], worst: Callable[..., int]) -> None:
    raw = parquet(TABLE.replace_schema_metadata(metadata))
    assert worst(raw) >= Severity.HIGH  # CVE-2025-30065 among them


def thrift(*parts: tuple[int, int, bytes]) -> bytes:
    """A struct of (field, compact type, encoded value)."""
    out, last = b"", 0
    for number, kind, value in parts:
        out += bytes([(number - last) << 4 | kind]) + value
        last = number
    return out + b"\0"


def footer(chunk: bytes) -> bytes:
    group = thrift((1, 9, b"\x1c" + chunk))
    raw = thrift((3, 6, b"\x02"), (4, 9, b"\x1c" + group))
    return b"PAR1" + bytes(64) + raw + struct.pack("<I", len(raw)) + b"PAR1"


def test_columns_of_another_file_are_told(worst: Callable[..., int]) -> None:
    assert worst(footer(thrift((1, 8, b"\x0b/etc/passwd")))) == Severity.HIGH
    assert worst(footer(thrift((1, 8, b"\x06b.parq")))) == Severity.MEDIUM


@pytest.mark.parametrize(
    "meta", [thrift((7, 6, b"\xc8\x01"), (9, 6, b"\x08")), thrift((7, 6, b"\x09"), (9, 6, b"\x08"))]
)
def test_columns_outside_the_file_are_grave(meta: bytes, worst: Callable[..., int]) -> None:
    assert worst(footer(thrift((3, 12, meta)))) == Severity.HIGH


@pytest.mark.parametrize(
    "raw",
    [
        b"PAR1" + bytes(20) + struct.pack("<I", 1 << 30) + b"PAR1",
        b"PAR1" + b"\x19\xfc\xff\xff\xff\xff\x0f" + struct.pack("<I", 7) + b"PAR1",
        b"PAR1" + b"\x1c" * 100 + struct.pack("<I", 100) + b"PAR1",
        b"PAR1" + b"\x19\x19" * 100 + struct.pack("<I", 200) + b"PAR1",
        b"ARROW1\0\0" + bytes(20) + struct.pack("<I", 1 << 20) + b"ARROW1",
        arrow()[:-30],
        b"ARROW1\0\0",
        b"FEA1" + bytes(20),
    ],
)
def test_footers_that_lie_are_grave(raw: bytes, worst: Callable[..., int]) -> None:
    assert worst(raw) >= Severity.MEDIUM
    assert worst(raw) >= Severity.HIGH or raw[:4] == b"PAR1"


def test_a_parquet_file_that_is_cut_is_told(worst: Callable[..., int]) -> None:
    assert worst(parquet()[:-4]) == Severity.MEDIUM
