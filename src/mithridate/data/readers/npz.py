"""numpy's `.npz`: arrays `x`, `y` and optional `source`, never a pickle."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.data.arrays import shape_array
from mithridate.data.assemble import from_parts
from mithridate.data.columns import listed
from mithridate.data.dataset import Dataset
from mithridate.data.options import LABEL_NAMES, NO_LABEL, SOURCE_NAME, Options

_HEADER = 100_000  # bytes an array's header may have
_FASTEST = 1e7  # samples a second


class Member(NamedTuple):
    """An array as its header declares it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size_bytes(self) -> int:
        """Bytes of all values."""
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


def read_npz(path: Path, options: Options) -> Dataset:
    """The data set in arrays `x`, `y`, `source`, or those that the options name.

    Raises
    ------
    InputError : no such array, a pickled one, a declared size over the budget, damaged bytes.
    """
    with open_zip(path, options.name) as archive:
        members = headers(archive, options.name)
        content, label, source = chosen(members, options)
        wanted = [key for key in (content, label, source) if key is not None]
        need = sum(members[key].size_bytes for key in set(wanted))
        options.budget.check(need, f"{options.name} ({', '.join(wanted)})")
        arrays = {key: load(archive, key, members[key], options.name) for key in dict.fromkeys(wanted)}
        rate = _rate(archive, members, options.name) if options.modality == "audio" else None
    x = arrays.pop(content)
    shaped = shape_array(x, f"{options.name}: {content}", options.modality)
    del x
    dataset = from_parts(
        shaped,
        options.name,
        labels=arrays.get(label) if label else None,
        sources=arrays.get(source) if source else None,
        label_name=label or "y",
        source_name=source or SOURCE_NAME,
        content_name=content,
    )
    return dataset if rate is None else replace(dataset, rate=rate)


def chosen(members: dict[str, Member], options: Options) -> tuple[str, str | None, str | None]:
    """The arrays of content, label and source; `InputError` when one isn't there."""
    content = _content_key(members, options)
    label = _label_key(members, options, content)
    source = options.source or (SOURCE_NAME if SOURCE_NAME in members else None)
    for key in (content, label, source):
        if key is not None and key not in members:
            raise InputError(f"{options.name} has no array {key!r}; its arrays are {listed(list(members))}")
    return content, label, source


def skip_header(stream: IO[bytes]) -> bool:
    """Read past an array's header; whether its values are column by column (Fortran order)."""
    version = np.lib.format.read_magic(stream)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return bool(reader(stream, max_header_size=_HEADER)[1])


def _rate(archive: zipfile.ZipFile, members: dict[str, Member], name: str) -> float | None:
    """The one number in array `rate`; None without one."""
    if "rate" not in members or members["rate"].size_bytes > members["rate"].dtype.itemsize:
        return None
    found = np.asarray(load(archive, "rate", members["rate"], name)).reshape(-1)
    if len(found) != 1 or found.dtype.kind not in "iuf" or not 0 < float(found[0]) < _FASTEST:
        raise InputError(f"{name}: array 'rate' must be one number, the samples a second; got {found.tolist()!r:.80}")
    return float(found[0])


def open_zip(path: Path, name: str) -> zipfile.ZipFile:
    """The archive; `InputError` when it's none."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise InputError(f"{name} isn't a readable .npz (a zip of arrays); write it again with numpy.savez") from error


def headers(archive: zipfile.ZipFile, name: str) -> dict[str, Member]:
    """Shape and dtype of every array, from the headers alone."""
    found: dict[str, Member] = {}
    for info in archive.infolist():
        if not info.filename.endswith(".npy") or info.is_dir():
            continue
        key = info.filename.removesuffix(".npy")
        if key in found:
            raise InputError(f"{name} has two arrays named {key!r}; write it again with one of them")
        found[key] = _header(archive, info, name)
    return found


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Member:
    try:
        with archive.open(info) as stream:
            version = np.lib.format.read_magic(stream)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = reader(stream, max_header_size=_HEADER)
    except Exception as error:
        raise InputError(
            f"{name}: array {info.filename!r} is damaged; write the file again with numpy.savez"
        ) from error
    return Member(tuple(shape), dtype)


def load(archive: zipfile.ZipFile, key: str, member: Member, name: str) -> npt.NDArray[Any]:
    """One array's values; an object array (a pickle) is refused before a byte of it is read."""
    if member.dtype.hasobject:
        raise InputError(
            f"{name}: array {key!r} is a pickled object array and pickles are never loaded; "
            "save it with one numeric or string dtype"
        )
    try:
        with archive.open(key + ".npy") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False, max_header_size=_HEADER)
    except MemoryError as error:
        raise InputError(f"{name}: array {key!r} doesn't fit into memory; pass fewer rows") from error
    except Exception as error:
        raise InputError(
            f"{name}: array {key!r} is damaged or cut short; write the file again with numpy.savez"
        ) from error


def _content_key(members: dict[str, Member], options: Options) -> str:
    key = options.content or ("x" if "x" in members or "X" not in members else "X")
    if key not in members:
        hint = "name the content with --content" if members else "it holds no arrays"
        raise InputError(f"{options.name} has no array {key!r}; its arrays are {listed(list(members))}: {hint}")
    return key


def _label_key(members: dict[str, Member], options: Options, content: str) -> str | None:
    if options.label is not None:
        return options.label if options.label != NO_LABEL else None
    usual = next((key for key in ("y", *LABEL_NAMES) if key in members and key != content), None)
    rows = members[content].shape[:1]
    others = [key for key, member in members.items() if member.shape == rows and key not in {content, SOURCE_NAME}]
    if usual is None and others:
        raise InputError(
            f"{options.name} has no array 'y'; name the labels with --label ({listed(others)}), or say "
            "--label '' if there are none"
        )
    return usual
