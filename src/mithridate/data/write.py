"""Write rows back: `write` keeps chosen rows of a source in its own form, `write_dataset` writes any data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.core.files import atomic, atomic_folder
from mithridate.data.dataset import Dataset
from mithridate.data.writers.whole import write_whole

TEXTUAL = (".csv", ".tsv", ".jsonl", ".ndjson")
FILES = (".npz", ".parquet", ".pq", ".csv", ".tsv", ".jsonl", ".ndjson")
_PARQUET = {".parquet", ".pq"}


def write(
    source: Dataset | str | os.PathLike[str],
    rows: npt.NDArray[np.integer[Any]] | Sequence[int],
    target: str | os.PathLike[str],
    *,
    n_rows: int | None = None,
) -> None:
    """Write these rows of `source`, in reading order, to `target` in the form that `source` has.

    Parameters
    ----------
    source : the path that was read, or a data set (then `target`'s suffix chooses the form, see `write_dataset`).
    rows : reading positions (`Dataset.ids`) to keep.
    target : a new file of the same suffix; a folder for images; a `.parquet` file or a folder for Hugging Face folders.
    n_rows : rows that the source had when it was read; None: don't check.

    Raises
    ------
    InputError : `target` is the source itself, has another form, or `source` isn't what it was when it was read.

    Notes
    -----
    npz: every array with one entry a row is filtered, the others are copied. Parquet: same schema and codec. CSV and
    JSON lines: the very bytes of the kept records. Images: copies. `target` appears whole or not at all.
    """
    kept = np.unique(np.asarray(rows, dtype=np.int64))
    if isinstance(source, Dataset):
        write_dataset(source.take(_positions(source, kept)), target)
        return
    old, new = Path(source), Path(target)
    _refuse_same(old, new)
    if old.is_dir():
        _write_folder(old, kept, new, n_rows)
    else:
        _write_file(old, kept, new, n_rows)


def write_changed(
    source: str | os.PathLike[str], before: Dataset, after: Dataset, target: str | os.PathLike[str]
) -> npt.NDArray[np.int64]:
    """Write `after`, made from the rows `before` of `source`, in the form that `target` asks for.

    Parameters
    ----------
    before, after : the rows as `read` gave them, and with changes; `ids` tell which is which.
    target : a new file, its form chosen by its suffix (see `write_dataset`); or a new folder where `source` is one:
        images in class folders, or the shards of a Hugging Face folder.

    Returns
    -------
    (n,) the position that each row of `after` has when `target` is read. In a folder of images that is its place
    among the sorted paths, and a row whose label changed lies in another class folder.

    Raises
    ------
    InputError : `target` is the source or lies in it, is there already, or its form can't hold this modality.
    """
    old, new = Path(source), Path(target)
    _refuse_same(old, new)
    if not old.is_dir() or new.suffix.lower() in FILES:
        return _write_one(old, before, after, new)
    from mithridate.data.readers.huggingface import is_huggingface

    with atomic_folder(new) as temporary:
        if not is_huggingface(old):
            return _write_files(old, len(before), after, temporary)
        from mithridate.data.writers.shards import write_shards

        return write_shards(old, before, after, temporary)


def _write_one(old: Path, before: Dataset, after: Dataset, new: Path) -> npt.NDArray[np.int64]:
    """One file: a Parquet file's own columns and types where its rows stand as they did, else what was read of it."""
    from mithridate.data.writers.shards import keeps_rows, write_parquet

    one_array = after.modality != "embedding" or bool(before.content_name)
    again = {old.suffix.lower(), new.suffix.lower()} <= _PARQUET and not old.is_dir()
    if again and one_array and keeps_rows(before, after):
        with atomic(new) as temporary:
            write_parquet(old, before, after, temporary)
        return after.ids
    write_dataset(after, new)
    return np.arange(len(after), dtype=np.int64)


def _write_files(old: Path, n_before: int, after: Dataset, folder: Path) -> npt.NDArray[np.int64]:
    """Class folders; where the source holds splits, the one that was read, and the others as they are."""
    from mithridate.data.readers.images import image_files, image_root
    from mithridate.data.readers.sounds import sound_files
    from mithridate.data.writers.folders import write_files
    from mithridate.data.writers.rows import copy_images

    root, files_of = image_root(old), sound_files if after.modality == "audio" else image_files
    inner = [file.relative_to(root) for file in files_of(root, old.name)]
    _mask(np.zeros(0, np.int64), len(inner), n_before, old.name)
    names = [PurePosixPath(*path.parts[1:]) if len(path.parts) > 1 else PurePosixPath(path) for path in inner]
    if root != old:
        others = [file for file in files_of(old, old.name) if root not in file.parents]
        copy_images(old, others, np.ones(len(others), dtype=bool), folder)
        folder = folder / root.name
    return write_files(after, folder, names=names)


def write_dataset(dataset: Dataset, target: str | os.PathLike[str]) -> None:
    """Write a data set as `.npz` (images, embeddings, texts, sounds), `.parquet` (all but sounds), `.csv` or `.jsonl`.

    Labels, sources and content stand under the names they were read from. Rows are written in the order they have.

    Raises
    ------
    InputError : the form can't hold this modality, or the file can't be written.
    """
    path = Path(target)
    with atomic(path) as temporary:
        write_whole(dataset, temporary, path.suffix.lower())


def _positions(dataset: Dataset, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    order = np.argsort(dataset.ids, kind="stable")
    sorted_ids = dataset.ids[order]
    place = np.searchsorted(sorted_ids, rows)
    inside = place < len(sorted_ids)
    if not inside.all() or (sorted_ids[place] != rows).any():
        raise InputError(f"{dataset.name} doesn't have all of these rows; pass positions from Dataset.ids")
    return order[place]


def _refuse_same(old: Path, new: Path) -> None:
    if not old.exists():
        raise InputError(f"no such file or folder: {old.name!r}; check the path")
    inside = old.is_dir() and old.resolve() in new.resolve().parents
    if inside or (new.exists() and new.samefile(old)):
        raise InputError(f"{new.name} is the source itself, or lies in it; name another target")


def _mask(rows: npt.NDArray[np.int64], total: int, n_rows: int | None, name: str) -> npt.NDArray[np.bool_]:
    if n_rows is not None and total != n_rows:
        raise InputError(f"{name} has {total:,} rows now and had {n_rows:,} when it was read; read it again")
    if len(rows) and (rows[0] < 0 or rows[-1] >= total):
        raise InputError(f"rows must be in [0, {total - 1}] for {name}, got {int(rows[0])} to {int(rows[-1])}")
    keep = np.zeros(total, dtype=bool)
    keep[rows] = True
    return keep


def refuse_other_form(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """`InputError` when `target` can't have the form of the file `source`, before any work is done."""
    old, new = Path(source), Path(target)
    if old.is_file() and new.suffix.lower() != old.suffix.lower():
        suffix = old.suffix.lower()
        raise InputError(f"{new.name} must have the source's suffix {suffix}, as {old.stem}.clean{suffix}")


def _write_file(old: Path, rows: npt.NDArray[np.int64], new: Path, n_rows: int | None) -> None:
    from mithridate.data.writers import rows as forms

    refuse_other_form(old, new)
    suffix = old.suffix.lower()
    writers = {".npz": forms.filter_npz, ".csv": forms.filter_csv, ".tsv": forms.filter_csv}
    writers |= {".jsonl": forms.filter_jsonl, ".ndjson": forms.filter_jsonl}
    keep = _mask(rows, forms.count_rows(old), n_rows, old.name)
    with atomic(new) as temporary:
        if suffix in {".parquet", ".pq"}:
            forms.filter_parquet([old], keep, temporary)
        elif suffix in writers:
            writers[suffix](old, keep, temporary)
        else:
            raise InputError(f"{old.name} has a form that isn't written")


def _write_folder(old: Path, rows: npt.NDArray[np.int64], new: Path, n_rows: int | None) -> None:
    from mithridate.data.readers.huggingface import is_huggingface
    from mithridate.data.readers.images import image_files, image_root
    from mithridate.data.readers.sounds import holds_sounds, sound_files
    from mithridate.data.writers import rows as forms

    if not is_huggingface(old):
        root = image_root(old)
        files = sound_files(root, old.name) if holds_sounds(root) else image_files(root, old.name)
        keep = _mask(rows, len(files), n_rows, old.name)
        with atomic_folder(new) as temporary:
            forms.copy_images(root, files, keep, temporary)
    elif new.suffix.lower() == ".parquet":
        with atomic(new) as temporary:
            forms.filter_huggingface(old, rows, temporary, n_rows)
    else:
        with atomic_folder(new) as temporary:
            forms.filter_huggingface(old, rows, temporary / "train-00000-of-00001.parquet", n_rows)
