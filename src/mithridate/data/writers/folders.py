"""A changed data set as a folder of files, images or sounds: each in the folder of its label, under its old name."""

from __future__ import annotations

import io
import wave
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.data.dataset import Dataset
from mithridate.data.pictures import png_of

SUFFIXES = {"image": ".png", "audio": ".wav"}
_BYTE = 255

IntArray = npt.NDArray[np.int64]


def write_files(dataset: Dataset, folder: Path, *, names: Sequence[PurePosixPath] = ()) -> IntArray:
    """Write every row as `folder/<label>/<name>.png` (`.wav`); the row that each has when the folder is read.

    Parameters
    ----------
    dataset : images or sounds, in any order.
    names : by reading position (`Dataset.ids`): the path each row had inside its class folder, or in the folder
        where there are no classes. Rows beyond them, and all when there are none, are named by their position.

    Returns
    -------
    (n,) for each row of `dataset`, its position among the sorted relative paths: a folder has no order of its own,
    so a row that moved to another class folder has another position there.

    Raises
    ------
    InputError : a label that can't be a folder's name.

    Notes
    -----
    All are written as PNG (PCM), so that the form of a file tells nothing about the row. Two files that would get one
    path (`a.jpg` and `a.png`, or a moved one that meets its namesake) are told apart by a number.
    """
    paths = _free(_wanted(dataset, names))
    content = cast("npt.NDArray[Any]", dataset.content)
    for row, path in enumerate(paths):  # a loop: one file a row
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if dataset.modality == "audio":
            place.write_bytes(wav_of(content[row], rate=dataset.rate))
        else:
            place.write_bytes(png_of(as_bytes(content[row])))
    order = sorted(range(len(paths)), key=lambda row: paths[row])
    positions = np.empty(len(paths), np.int64)
    positions[order] = np.arange(len(paths))
    return positions


def _wanted(dataset: Dataset, names: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    width = len(str(int(dataset.ids.max(initial=0))))
    folders = [_folder(dataset, code) for code in range(dataset.n_classes)]
    out = []
    for row, name in enumerate(dataset.ids.tolist()):
        own = names[name] if name < len(names) else PurePosixPath(f"{name:0{width}d}")
        code = -1 if dataset.codes is None else int(dataset.codes[row])
        if folders and code < 0:
            raise InputError(f"row {name} has no label, so no class folder; write {dataset.name} as .npz")
        out.append(
            (PurePosixPath(folders[code]) if folders else PurePosixPath()) / own.with_suffix(SUFFIXES[dataset.modality])
        )
    return out


def _folder(dataset: Dataset, code: int) -> str:
    label = str(dataset.label_of(code))
    if not label or label.startswith(".") or "/" in label or "\0" in label:
        raise InputError(f"the label {label!r} can't be the name of a folder; write {dataset.name} as .npz")
    return label


def _free(paths: list[PurePosixPath]) -> list[str]:
    """The paths as text, those that occur twice told apart by a number, in the order of the rows."""
    taken = Counter(path.as_posix() for path in paths)
    used: set[str] = set()
    out = []
    for path in paths:
        text, number = path.as_posix(), 1
        while text in used or (number > 1 and text in taken):
            number += 1
            text = path.with_stem(f"{path.stem}-{number}").as_posix()
        used.add(text)
        out.append(text)
    return out


def as_bytes(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """One image, uint8 or float in [0, 1], as uint8."""
    return image if image.dtype == np.uint8 else np.rint(np.clip(image, 0, 1) * _BYTE).astype(np.uint8)


def wav_of(samples: npt.NDArray[np.float32], *, rate: float) -> bytes:
    """(samples,) in [-1, 1] as a .wav file's bytes: 16 bits where that loses nothing, else 32."""
    deep = samples * 32768.0
    exact = bool((deep == np.rint(deep)).all() and deep.max() <= np.iinfo(np.int16).max)
    scaled = samples.astype(np.float64) * 2.0**31
    whole = deep.astype("<i2") if exact else np.clip(np.rint(scaled), -(2**31), 2**31 - 1).astype("<i4")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(whole.dtype.itemsize)
        sound.setframerate(round(rate))
        sound.writeframes(whole.tobytes())
    return buffer.getvalue()
