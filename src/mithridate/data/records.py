"""Any source as a stream of records with every bit that is stored: what leaves are made of.

`read` is for methods: it brings images and vectors into one type. Here nothing is converted, so that a change too small
for a method is still a change; encoded images and sounds are covered as the bytes of their files.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mithridate.core.errors import InputError
from mithridate.data.budget import Budget
from mithridate.data.columns import is_picture, listed, make_plan
from mithridate.data.encoding import Column
from mithridate.data.json_records import stream_json_records
from mithridate.data.layout import Layout, Wish
from mithridate.data.leaves import Block
from mithridate.data.options import NO_LABEL, Options
from mithridate.data.read import one_line, printable
from mithridate.data.readers import images, npz, sounds
from mithridate.data.readers.delimited import stream_csv
from mithridate.data.readers.huggingface import is_huggingface, shards_of, stream_of
from mithridate.data.readers.parquet import opened
from mithridate.data.shards import parquet_files

ROWS = 16_384  # records a block at most
BYTES = 1 << 25  # bytes a block at most, where the size of a record is known before

_DOUBLE = 8  # bytes; wider floats have no form that every reader knows
_FILE = "file"  # what a folder's content is called
_NAMES = "file names"  # of a folder: not values of a record, and said to be left out


@dataclass(frozen=True, slots=True)
class Records:
    """A source's records in reading order, to be read once; `blocks.close()` where they aren't read to the end."""

    name: str
    layout: Layout
    blocks: Generator[tuple[Block, Column | None]]


Stream: TypeAlias = Generator[tuple[Block, "Column | None"]]


def records(path: str | Path, wish: Wish | None = None) -> Records:
    """The records of a file or folder that `read` takes.

    Raises
    ------
    InputError : in one line, what is wrong, where, and what to do next; also while the blocks are read.
    """
    place, wish = Path(path), wish or Wish()
    name = printable(place.name or place.resolve().name)
    with _said_in_one_line(name):
        found = _dispatch(place, name, wish)
    return replace(found, blocks=_guarded(found.blocks, name))


def _guarded(blocks: Stream, name: str) -> Stream:
    with _said_in_one_line(name):
        yield from blocks


@contextmanager
def _said_in_one_line(name: str) -> Iterator[None]:
    with one_line(name):
        try:
            yield
        except pa.ArrowException as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:100]
            raise InputError(f"{name} is damaged inside ({said}); copy or write it again") from error


def _dispatch(path: Path, name: str, wish: Wish) -> Records:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise InputError(f"no such file or folder: {name!r}; check the path") from error
    if stat.S_ISDIR(mode):
        return _folder(path, name, wish)
    if not stat.S_ISREG(mode):
        raise InputError(f"{name} is no ordinary file but a pipe, socket or device; write it to a file first")
    if not path.stat().st_size:
        raise InputError(f"{name} is empty (0 bytes); there are no records")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _npz(path, name, wish)
    if suffix in {".parquet", ".pq"}:
        return _parquet((path,), name, wish)
    streams: Mapping[str, Callable[[Path], Iterator[pa.RecordBatch]]] = {
        ".csv": stream_csv, ".tsv": stream_csv, ".jsonl": stream_json_records, ".ndjson": stream_json_records,
    }  # fmt: skip
    if suffix not in streams:
        raise InputError(f"{name} has a form that isn't read; pass .npz, .parquet, .csv, .tsv, .jsonl or a folder")
    return _table(streams[suffix](path), name, wish)


def _folder(path: Path, name: str, wish: Wish) -> Records:
    if is_huggingface(path):
        files, _ = parquet_files(path)
        if files:
            return _parquet(files, name, wish)
        shards = shards_of(path, name)
        return _table(stream_of(shards.files, shards.features), name, wish)
    if images.image_root(path) != path:
        return _folder(images.image_root(path), f"{name} (train)", wish)
    audio = wish.modality == "audio" or (wish.modality is None and sounds.holds_sounds(path))
    files_found = sounds.sound_files(path, name) if audio else images.image_files(path, name)
    labels = images.folder_labels(path, files_found, name)
    given = any(labels) and wish.label != NO_LABEL
    layout = Layout((_FILE,), "label" if given else None, left_out=(_NAMES,))
    return Records(name, layout, _files(files_found, labels if given else None))


def _files(files: Sequence[Path], labels: Sequence[str] | None) -> Stream:
    """A file a record, so many at a time that they fit into a block's bytes."""
    held: list[bytes] = []
    names: list[str] = []
    size = 0
    for place, file in enumerate(files):
        Budget().check(float(file.stat().st_size), file.name)
        held.append(file.read_bytes())
        names.append("" if labels is None else labels[place])
        size += len(held[-1])
        if size >= BYTES or len(held) == ROWS or place == len(files) - 1:
            label = None if labels is None else pa.array(names, pa.large_string())
            yield Block((pa.array(held, pa.large_binary()),), label), None
            held, names, size = [], [], 0


def _parquet(files: Sequence[Path], name: str, wish: Wish) -> Records:
    first = opened(files[0]).schema_arrow
    heads = (opened(file).iter_batches(batch_size=4096, use_threads=False) for file in files)
    head = next(chain.from_iterable(heads), None)
    if head is None:
        raise InputError(f"{name} has no rows; there are no records")
    layout = _layout(head.replace_schema_metadata(first.metadata), name, wish)
    return Records(name, layout, _blocks(_row_groups(files, layout), layout))


def _row_groups(files: Sequence[Path], layout: Layout) -> Iterator[pa.RecordBatch]:
    columns, known = layout.read, {*layout.read, *layout.left_out}
    for file in files:
        parquet = opened(file)
        metadata = parquet.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        size = sum(group.total_byte_size for group in groups) / max(1, metadata.num_rows)
        rows = int(max(1, min(ROWS, BYTES // max(1.0, size))))
        missing = [column for column in columns if column not in parquet.schema_arrow.names]
        more = [column for column in parquet.schema_arrow.names if column not in known]
        if missing or more:
            said = (
                f"no column {missing[0]!r} as the shards before it" if missing else f"a column {more[0]!r} of its own"
            )
            raise InputError(f"{file.name} has {said}; make the shards alike")
        yield from parquet.iter_batches(batch_size=rows, columns=columns, use_threads=False)
        parquet.close()


def _table(batches: Iterable[pa.RecordBatch], name: str, wish: Wish) -> Records:
    stream = (batch for batch in batches if batch.num_rows)
    head = next(stream, None)
    if head is None:
        raise InputError(f"{name} has no rows; there are no records")
    layout = _layout(head, name, wish)
    return Records(name, layout, _blocks(chain([head], stream), layout))


def _layout(head: pa.RecordBatch, name: str, wish: Wish) -> Layout:
    """The manifest's columns where the source has them all; else those that a reader would choose."""
    names, known = head.schema.names, wish.known
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise InputError(f"{name} has more than one column named {listed(repeated)}; rename them apart")
    again = wish.again(names)
    if again is not None:
        return again
    label, source = wish.label, wish.source
    if known is not None:
        label = known.label if label is None and known.label in names else label
        source = known.source if source is None and known.source in names else source
    _named(wish, names, name)
    options = Options(name, label, source, wish.content, wish.modality)  # type: ignore[arg-type]
    kept = [column for column in names if column not in wish.apart]
    plan = make_plan(head.select(kept).replace_schema_metadata(head.schema.metadata), options)
    content = tuple(dict.fromkeys([*plan.content, *plan.beside]))
    return wish.others(Layout(content, plan.label, plan.source, wish.time), names)


def _named(wish: Wish, names: Sequence[str], name: str) -> None:
    """Refuse a time or a column to leave out that isn't there."""
    asked = [("time", [] if wish.time is None else [wish.time]), ("leave-out", list(wish.left_out))]
    for option, columns in asked:
        for column in columns:
            if column not in names:
                raise InputError(f"{name} has no column {column!r} (--{option}); its columns are {listed(list(names))}")


def _blocks(batches: Iterable[pa.RecordBatch], layout: Layout) -> Stream:
    for batch in batches:
        batch.validate(full=True)
        names = set(batch.schema.names)

        def column(name: str | None, batch: pa.RecordBatch = batch, names: set[str] = names) -> pa.Array | None:
            if name is None:
                return None
            found = batch.column(name) if name in names else pa.nulls(batch.num_rows)
            return _picture(found) if is_picture(found.type) else found

        content = tuple(column(name) for name in layout.content)
        others = {name: column(name) for name in layout.others}
        yield Block(content, column(layout.label), column(layout.source), others), column(layout.time)


def _picture(column: pa.Array) -> pa.Array:
    """The pictures' bytes; of one that is only pointed at, the path."""
    raw = column.field("bytes")
    if not raw.null_count or "path" not in {field.name for field in column.type}:
        return raw
    return pc.coalesce(
        raw.cast(pa.large_binary()), column.field("path").cast(pa.large_string()).cast(pa.large_binary())
    )


def _npz(path: Path, name: str, wish: Wish) -> Records:
    with npz.open_zip(path, name) as archive:
        members = npz.headers(archive, name)
    layout = _of_arrays(members, name, wish)
    shapes = {key: members[key].shape for key in layout.read}
    rows = {shape[:1] for shape in shapes.values()}
    if len(rows) > 1 or rows == {()}:
        raise InputError(f"{name}: arrays {', '.join(shapes)} differ in length; all must have one entry a row")
    shape = shapes[layout.content[0]][1:] if len(layout.content) == 1 else None
    return Records(name, replace(layout, shape=shape), _arrays(path, name, members, layout))


def _of_arrays(members: Mapping[str, npz.Member], name: str, wish: Wish) -> Layout:
    """The manifest's arrays where they are all there; else those that a reader would choose, and all beside them.

    Arrays that don't have one value a record, and those that can't be read without a pickle, are left out.
    """
    again = wish.again(list(members))
    if again is not None:
        return again
    _named(wish, list(members), name)
    kept = {key: member for key, member in members.items() if key not in wish.apart}
    content, label, source = npz.chosen(kept, Options(name, wish.label, wish.source, wish.content))
    found = Layout((content,), label, source, wish.time)
    rows = members[content].shape[:1]
    fit = {key for key, member in members.items() if member.shape[:1] == rows and _can_be_read(member)}
    return wish.others(found, [key for key in members if key in fit or key in found.read]).over(list(members))


def _can_be_read(member: npz.Member) -> bool:
    return member.dtype.kind in "biufSUM" and not (member.dtype.kind == "f" and member.dtype.itemsize > _DOUBLE)


def _arrays(path: Path, name: str, members: Mapping[str, npz.Member], layout: Layout) -> Stream:
    """All arrays side by side, a block of rows of each at a time."""
    keys = list(dict.fromkeys(layout.read))
    n_rows = members[keys[0]].shape[0]
    size = sum(members[key].size_bytes for key in keys) // max(1, n_rows)
    step = max(1, min(ROWS, BYTES // max(1, size)))
    Budget().check(float(step * size), f"{step:,} rows of {name}")
    with ExitStack() as stack:
        archive = stack.enter_context(npz.open_zip(path, name))
        parts = {key: _rows(archive, key, members[key], name, step) for key in keys}
        for part in parts.values():
            stack.callback(part.close)
        for _ in range(0, n_rows, step):
            block = {key: next(part) for key, part in parts.items()}
            content = tuple(block[key] for key in layout.content)
            label, source = (None if key is None else block[key] for key in (layout.label, layout.source))
            others = {key: block[key] for key in layout.others}
            yield Block(content, label, source, others), None if layout.time is None else block[layout.time]
        for part in parts.values():
            next(part, None)  # to the end, where the archive checks its own sums


def _rows(archive: zipfile.ZipFile, key: str, member: npz.Member, name: str, step: int) -> Generator[npt.NDArray[Any]]:
    if not _can_be_read(member):
        raise InputError(f"{name}: array {key!r} has dtype {member.dtype}; save it as numbers or strings")
    try:
        with archive.open(f"{key}.npy") as stream:
            if npz.skip_header(stream):  # column by column: no row is whole before the last column is read
                Budget().check(float(member.size_bytes), f"{name}: array {key!r}, which is stored column by column,")
                whole = npz.load(archive, key, member, name)
                yield from (whole[start : start + step] for start in range(0, len(whole), step))
                return
            width = member.size_bytes // max(1, member.shape[0])
            for start in range(0, member.shape[0], step):
                count = min(step, member.shape[0] - start)
                raw = _exactly(stream, count * width)
                yield np.frombuffer(raw, member.dtype).reshape(count, *member.shape[1:])
            _ends(stream)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"{name}: array {key!r} is damaged or cut short; write the file again with numpy.savez"
        ) from error


def _exactly(stream: IO[bytes], size: int) -> bytes:
    raw = stream.read(size)
    if len(raw) != size:
        msg = "fewer bytes than its header says"
        raise EOFError(msg)
    return raw


def _ends(stream: IO[bytes]) -> None:
    """To the end, where the archive checks its own sum."""
    if stream.read(1):
        msg = "more bytes than its header says"
        raise EOFError(msg)
