"""A Hugging Face dataset folder: `save_to_disk` (Arrow shards) or the hub's layout (Parquet shards)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from mithridate.core.errors import InputError
from mithridate.data.collect import collect
from mithridate.data.dataset import Dataset
from mithridate.data.options import Options
from mithridate.data.readers.parquet import read_parquet
from mithridate.data.readers.splits import group_shards

_FILE_MARK = b"ARROW1"
_MARKS = ("dataset_info.json", "state.json", "dataset_dict.json")


def is_huggingface(folder: Path) -> bool:
    """Whether a folder holds a data set of this form."""
    return any((folder / mark).is_file() for mark in _MARKS) or bool(
        _shards(folder, ".parquet") or _shards(folder, ".arrow")
    )


class Shards(NamedTuple):
    """A split's files in order, what it's called, its features from dataset_info.json, and whether they are Parquet."""

    files: tuple[Path, ...]
    name: str
    features: Any
    parquet: bool


def read_huggingface(folder: Path, options: Options) -> Dataset:
    """The rows of the folder's only split, or of `train` when there are several.

    Raises
    ------
    InputError : several splits and none is `train`, no shards, damaged shards.
    """
    shards = shards_of(folder, options.name)
    options = replace(options, name=shards.name)
    if shards.parquet:
        return read_parquet(shards.files, options)
    return collect(stream_of(shards.files, shards.features), options)


def shards_of(folder: Path, name: str) -> Shards:
    """The files that `read_huggingface` reads."""
    if (folder / "dataset_dict.json").is_file():
        split = _split_of([child.name for child in sorted(folder.iterdir()) if child.is_dir()], name)
        return shards_of(folder / split, f"{name} ({split})")
    state = _json(folder / "state.json")
    listed = state.get("_data_files")
    entries = [file for file in listed if isinstance(file, dict)] if isinstance(listed, list) else []
    features = _json(folder / "dataset_info.json").get("features")
    if entries:
        files = tuple(folder / Path(str(file.get("filename"))).name for file in entries)
        return Shards(files, name, features, parquet=False)
    arrow = _shards(folder, ".arrow")
    if arrow:
        return _of_split(folder, arrow, name)._replace(features=features, parquet=False)
    parquet = _shards(folder, ".parquet")
    if not parquet:
        raise InputError(f"{name} has no Arrow or Parquet shards; pass the folder that save_to_disk wrote")
    return _of_split(folder, parquet, name)


def _of_split(folder: Path, files: Sequence[Path], name: str) -> Shards:
    """All files where their names say no split, else those of the only split, or of `train`."""
    groups = group_shards(folder, files)
    split = _split_of(sorted(groups), name)
    said = name if len(groups) == 1 else f"{name} ({split})"
    return Shards(tuple(groups[split]), said, None, parquet=True)


def _split_of(splits: Sequence[str], name: str) -> str:
    if len(splits) == 1:
        return splits[0]
    if "train" in splits:
        return "train"
    raise InputError(
        f"{name} has splits {', '.join(splits[:8]) or '(none)'}, and none is 'train'; pass the shard or folder of one"
    )


def _shards(folder: Path, suffix: str) -> list[Path]:
    """Shards in the folder or one below, sorted by relative path."""
    found = [*folder.glob(f"*{suffix}"), *folder.glob(f"*/*{suffix}")]
    return sorted(
        (file for file in found if file.is_file() and not file.name.startswith((".", "cache-"))),
        key=lambda f: f.as_posix(),
    )


def stream_of(files: Sequence[Path], features: Any = None) -> Iterator[pa.RecordBatch]:
    """The record batches of Arrow shards; `features` go into the schema as Hugging Face writes them."""
    notes = (
        {b"huggingface": json.dumps({"info": {"features": features}}).encode()} if isinstance(features, dict) else None
    )
    for file in files:
        try:
            with pa.memory_map(str(file)) as source:
                for batch in _reader(source):
                    yield batch.replace_schema_metadata(notes) if notes else batch
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{file.name} is no whole Arrow file (missing, cut short or damaged); write it again"
            ) from error


def _reader(source: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    if source.size() < len(_FILE_MARK) or source.read_at(len(_FILE_MARK), 0) != _FILE_MARK:
        yield from pa.ipc.open_stream(source)
        return
    reader = pa.ipc.open_file(source)
    yield from (reader.get_batch(i) for i in range(reader.num_record_batches))


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is damaged; write the data set again with save_to_disk") from error
    return raw if isinstance(raw, dict) else {}
