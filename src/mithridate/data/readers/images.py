"""A folder of images in class folders, in the order of their sorted relative paths."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mithridate.core.errors import InputError
from mithridate.data.arrays import Shaped
from mithridate.data.assemble import from_parts
from mithridate.data.dataset import Dataset
from mithridate.data.options import NO_LABEL, Options
from mithridate.data.pictures import SUFFIXES, common_mode, head_of, pixels_of

_SPLITS = {"train", "test", "val", "valid", "validation", "dev"}
DEPTH = 16  # folders inside folders


def read_images(root: Path, options: Options) -> Dataset:
    """Images labelled by the folder they lie in; unlabelled when they lie in `root` itself.

    Where `root` holds nothing but splits (`train`, `test`, `val` ...), the images of `train` are read.

    Raises
    ------
    InputError : no images, images of different sizes (two are named), a file that isn't an image, a pipe or device, a
        loop of links.
    """
    if options.modality not in {None, "image"}:
        raise InputError(f"{options.name} is a folder of images, not of {options.modality} rows; leave out --modality")
    if image_root(root) != root:
        return read_images(image_root(root), replace(options, name=f"{options.name} (train)"))
    files = image_files(root, options.name)
    labels = folder_labels(root, files, options.name)
    heads = [head_of(file, _where(root, file)) for file in files]
    for file, head in zip(files, heads, strict=True):
        if head[:2] != heads[0][:2]:
            sizes = [
                f"{_where(root, one)} is {its.width}x{its.height}" for one, its in ((files[0], heads[0]), (file, head))
            ]
            raise InputError(
                f"{options.name}: images differ in size, {' and '.join(sizes)} pixels; resize them to one size"
            )
    mode = common_mode(head.mode for head in heads)
    shape = (len(files), heads[0].height, heads[0].width, len(mode))
    options.budget.check(float(np.prod(shape, dtype=np.float64)), options.name)
    content = np.empty(shape, dtype=np.uint8)
    for row, file in enumerate(files):
        content[row] = pixels_of(file, mode, _where(root, file))
    given = labels if any(labels) and options.label != NO_LABEL else None
    return from_parts(Shaped("image", content), options.name, labels=given, label_name="label")


def folder_labels(root: Path, files: Sequence[Path], name: str) -> list[str]:
    """The class folder of each file; "" for all when they lie in `root` itself, `InputError` when only some do."""
    labels = [file.relative_to(root).parts[0] if file.parent != root else "" for file in files]
    if any(labels) and not all(labels):
        raise InputError(
            f"{name}: {files[labels.index('')].name} lies outside the class folders; move it into one, or away"
        )
    return labels


def image_root(root: Path) -> Path:
    """`root`, or its `train` folder when the folders in it are splits and not classes."""
    with os.scandir(root) as entries:
        folders = {entry.name for entry in entries if _is_folder(entry) and not entry.name.startswith(".")}
    return root / "train" if "train" in folders and folders <= _SPLITS else root


def image_files(root: Path, name: str, *, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """Every image below `root` (or file of other suffixes), sorted by relative path.

    Raises
    ------
    InputError : none there, a loop of links, folders nested deeper than `DEPTH`, a pipe or device named as an image.
    """
    files = sorted(_walk(root, root, (), suffixes), key=lambda file: file.relative_to(root).as_posix())
    if not files:
        what = "images" if suffixes is SUFFIXES else "sounds"
        raise InputError(
            f"{name} holds no {what} ({', '.join(sorted(suffixes)[:4])} ...) in class folders and no "
            "Parquet or Arrow shards; pass another folder, a data file, or for sounds --modality audio"
        )
    return files


def _walk(root: Path, folder: Path, above: tuple[tuple[int, int], ...], suffixes: Collection[str]) -> Iterator[Path]:
    where = folder.relative_to(root).as_posix()
    try:
        identity = (folder.stat().st_dev, folder.stat().st_ino)
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(
            f"{root.name}: folder {where!r} can't be read ({error.strerror}); mend or remove it"
        ) from error
    if identity in above:
        raise InputError(f"{root.name}: folder {where!r} is a link back to a folder above it; remove the link")
    if len(above) > DEPTH:
        raise InputError(
            f"{root.name}: folders are nested deeper than {DEPTH} at {where!r}; pass the folder of classes"
        )
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield from _walk(root, folder / entry.name, (*above, identity), suffixes)
        elif Path(entry.name).suffix.lower() in suffixes:
            yield _regular(root, folder / entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _regular(root: Path, file: Path) -> Path:
    where = _where(root, file)
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise InputError(f"{where} can't be read ({error.strerror}); mend or remove it") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{where} is no ordinary file but a pipe, socket or device; remove it")
    return file


def _where(root: Path, file: Path) -> str:
    return file.relative_to(root.parent).as_posix()
