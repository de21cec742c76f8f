"""Chosen rows of a source in the source's own form: same columns, same types, same bytes where lines are bytes."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mithridate.core.errors import InputError
from mithridate.data.readers.huggingface import shards_of, stream_of
from mithridate.data.readers.npz import Member, headers, load, open_zip
from mithridate.data.readers.parquet import opened

_FIELD = r'(?:"(?:[^"]|"")*+"[^{d}\r\n]*+|[^{d}\r\n"][^{d}\r\n]*+)?'
_BLANK = b"\xef\xbb\xbf \t\r\n"
_CODECS = {"UNCOMPRESSED": "NONE", "LZ4_RAW": "LZ4"}


def filter_npz(source: Path, keep: npt.NDArray[np.bool_], target: Path) -> None:
    """Every array with one entry a row is filtered; the others are copied as they are, compression too."""
    with open_zip(source, source.name) as archive, zipfile.ZipFile(target, "w") as out:
        members = headers(archive, source.name)
        n_rows = _rows_of(members, source.name)
        _same_number(n_rows, len(keep), source.name)
        for info in archive.infolist():
            key = info.filename.removesuffix(".npy")
            member = members.get(key) if info.filename.endswith(".npy") else None
            with _entry(out, info) as stream:
                if member is not None and member.shape[:1] == (n_rows,):
                    kept = load(archive, key, member, source.name)[keep]
                    np.lib.format.write_array(stream, np.asarray(kept), allow_pickle=False)
                else:
                    with archive.open(info) as old:
                        shutil.copyfileobj(old, stream)


def _entry(out: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    fresh = zipfile.ZipInfo(info.filename, info.date_time)
    fresh.compress_type = info.compress_type
    return out.open(fresh, "w", force_zip64=True)


def _rows_of(members: dict[str, Member], name: str) -> int:
    for key in ("x", "X"):
        if key in members and members[key].shape:
            return members[key].shape[0]
    lengths = Counter(member.shape[0] for member in members.values() if member.shape)
    if not lengths:
        raise InputError(f"{name} has no arrays with rows; there is nothing to write")
    return lengths.most_common(1)[0][0]


def count_rows(source: Path) -> int:
    """Rows of a file, from its headers or its line ends."""
    suffix = source.suffix.lower()
    if suffix == ".npz":
        with open_zip(source, source.name) as archive:
            return _rows_of(headers(archive, source.name), source.name)
    if suffix in {".parquet", ".pq"}:
        return int(opened(source).metadata.num_rows)
    with source.open("rb") as stream:
        if suffix in {".jsonl", ".ndjson"}:
            return sum(1 for line in stream if line.strip(_BLANK))
        return sum(1 for _ in csv_records(stream, b"\t" if suffix == ".tsv" else b",")) - 1


def filter_batches(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, keep: npt.NDArray[np.bool_], target: Path, codec: str = "zstd"
) -> None:
    """The kept rows of a stream as one Parquet file of the same schema."""
    start = 0
    with pq.ParquetWriter(target, schema, compression=codec) as writer:
        for batch in batches:
            part = keep[start : start + batch.num_rows]
            start += batch.num_rows
            if len(part) < batch.num_rows:
                _same_number(start, len(keep), target.name)
            if part.any():
                writer.write_batch(batch.filter(pa.array(part)))
    _same_number(start, len(keep), target.name)


def filter_parquet(sources: list[Path], keep: npt.NDArray[np.bool_], target: Path) -> None:
    """The kept rows of Parquet files, with the first one's schema (dictionaries and metadata too) and codec."""
    files = [opened(path) for path in sources]
    schema = files[0].schema_arrow
    batches = (batch for file in files for batch in file.iter_batches(batch_size=32_768, use_threads=False))
    filter_batches((batch.cast(schema) for batch in batches), schema, keep, target, codec_of(files[0]))


def codec_of(file: pq.ParquetFile) -> str:
    """The compression that a Parquet file was written with, as its writer spells it."""
    meta = file.metadata
    codec = meta.row_group(0).column(0).compression if meta.num_row_groups and meta.num_columns else "SNAPPY"
    return _CODECS.get(codec, codec)


def filter_huggingface(folder: Path, rows: npt.NDArray[np.int64], target: Path, n_rows: int | None) -> None:
    """The kept rows of the split that `read` reads, as one Parquet file."""
    shards = shards_of(folder, folder.name)
    counts = [sum(batch.num_rows for batch in stream_of([file])) for file in shards.files if not shards.parquet]
    total = sum(counts) if not shards.parquet else sum(opened(file).metadata.num_rows for file in shards.files)
    if n_rows is not None:
        _same_number(total, n_rows, folder.name)
    keep = np.zeros(total, dtype=bool)
    keep[rows[(rows >= 0) & (rows < total)]] = True
    if shards.parquet:
        filter_parquet(list(shards.files), keep, target)
        return
    schema = next(stream_of(shards.files, shards.features)).schema
    filter_batches(stream_of(shards.files, shards.features), schema, keep, target)


def filter_csv(source: Path, keep: npt.NDArray[np.bool_], target: Path) -> None:
    """The header and the kept records, byte by byte as they stand."""
    delimiter = b"\t" if source.suffix.lower() == ".tsv" else b","
    with source.open("rb") as old, target.open("wb") as new:
        records = csv_records(old, delimiter)
        new.write(next(records, b""))
        _copy(records, new.write, keep, source.name)


def filter_jsonl(source: Path, keep: npt.NDArray[np.bool_], target: Path) -> None:
    """The kept lines, byte by byte as they stand."""
    with source.open("rb") as old, target.open("wb") as new:
        _copy((line for line in old if line.strip(_BLANK)), new.write, keep, source.name)


def csv_records(lines: Iterable[bytes], delimiter: bytes = b",") -> Iterator[bytes]:
    r"""Whole records, newline included; a quoted value may hold newlines. Empty lines are no records.

    Examples
    --------
    >>> list(csv_records([b'a,b\n', b'1,"x\n', b'y"\n', b'\n', b'2,z\n']))
    [b'a,b\n', b'1,"x\ny"\n', b'2,z\n']
    """
    field = _FIELD.replace("{d}", re.escape(delimiter.decode())).encode()
    whole = re.compile(field + b"(?:" + re.escape(delimiter) + field + rb")*+\r?\n?\Z")
    held = b""
    for line in lines:
        if not held and not line.strip(b"\r\n"):
            continue
        held += line
        if b'"' not in held or whole.match(held):
            yield held
            held = b""
    if held:
        yield held


def copy_images(root: Path, files: list[Path], keep: npt.NDArray[np.bool_], target: Path) -> None:
    """The kept image files under their relative paths."""
    _same_number(len(files), len(keep), root.name)
    for file, kept in zip(files, keep, strict=True):
        if kept:
            place = target / file.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)


def _copy(records: Iterable[bytes], write: Callable[[bytes], int], keep: npt.NDArray[np.bool_], name: str) -> None:
    count = 0
    for count, record in enumerate(records, 1):
        if count <= len(keep) and keep[count - 1]:
            write(record)
    _same_number(count, len(keep), name)


def _same_number(found: int, expected: int, name: str) -> None:
    if found != expected:
        raise InputError(f"{name} has {found:,} rows now and had {expected:,} when it was read; read it again")
