"""A folder of .wav files in class folders, in the order of their sorted relative paths."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mithridate.core.errors import InputError
from mithridate.data.arrays import Shaped
from mithridate.data.assemble import from_parts
from mithridate.data.dataset import Dataset
from mithridate.data.options import NO_LABEL, Options
from mithridate.data.readers.images import folder_labels, image_files, image_root

SUFFIXES = frozenset((".wav",))
_WIDTHS = (1, 2, 3, 4)  # bytes a sample
_FLOAT32 = 4


class Head(NamedTuple):
    """A sound's form, known before a sample is read."""

    n_samples: int
    rate: int


def read_sounds(root: Path, options: Options) -> Dataset:
    """Sounds labelled by the folder they lie in; unlabelled when they lie in `root` itself.

    Channels are averaged; sounds shorter than the longest are filled up with silence at their end.

    Raises
    ------
    InputError : no sounds, sounds of different rates (two are named), a file that isn't PCM, or is cut short.
    """
    if image_root(root) != root:
        return read_sounds(image_root(root), replace(options, name=f"{options.name} (train)"))
    files = sound_files(root, options.name)
    labels = folder_labels(root, files, options.name)
    heads = [head_of(file) for file in files]
    for file, head in zip(files, heads, strict=True):
        if head.rate != heads[0].rate:
            raise InputError(
                f"{options.name}: sounds differ in rate, {files[0].name} has {heads[0].rate} and {file.name} "
                f"{head.rate} samples a second; resample them to one"
            )
    longest = max(head.n_samples for head in heads)
    options.budget.check(float(len(files)) * longest * _FLOAT32, options.name)
    content = np.zeros((len(files), longest), np.float32)
    for row, file in enumerate(files):
        samples = samples_of(file)
        content[row, : len(samples)] = samples
    given = labels if any(labels) and options.label != NO_LABEL else None
    dataset = from_parts(Shaped("audio", content), options.name, labels=given, label_name="label")
    return replace(dataset, rate=float(heads[0].rate))


def sound_files(root: Path, name: str) -> list[Path]:
    """Every .wav file below `root`, sorted by relative path; `InputError` when there is none."""
    return image_files(root, name, suffixes=SUFFIXES)


def holds_sounds(root: Path) -> bool:
    """Whether a folder, read as it is, can only be one of sounds: .wav files and not one image."""
    try:
        image_files(root, root.name)
    except InputError:
        return any(image_files(root, root.name, suffixes=SUFFIXES))
    return False


def head_of(file: Path) -> Head:
    """Number of samples and rate, from the header alone.

    Raises
    ------
    InputError : not a PCM .wav file, or one that is shorter than its header says.
    """
    with _opened(file) as sound:
        size = sound.getnframes() * sound.getnchannels() * sound.getsampwidth()
        if not size or sound.getsampwidth() not in _WIDTHS or sound.getframerate() < 1:
            raise InputError(f"{file.name} holds no samples of 1 to 4 bytes; replace or remove it")
        if size > file.stat().st_size:
            raise InputError(f"{file.name} is cut short: its header declares {size:,} bytes; replace or remove it")
        return Head(sound.getnframes(), sound.getframerate())


def samples_of(file: Path) -> npt.NDArray[np.float32]:
    """(samples,) of all channels' mean, in [-1, 1)."""
    with _opened(file) as sound:
        width, channels = sound.getsampwidth(), sound.getnchannels()
        raw = np.frombuffer(sound.readframes(sound.getnframes()), np.uint8)
    raw = raw[: len(raw) // (width * channels) * width * channels].reshape(-1, width)
    if width == 1:
        values = (raw[:, 0].astype(np.float64) - 128) / 128  # one byte has no sign
    else:
        wide = np.zeros((len(raw), 4), np.uint8)
        wide[:, 4 - width :] = raw
        values = wide.view("<i4")[:, 0] / 2.0**31
    mono: npt.NDArray[np.float32] = values.reshape(-1, channels).mean(axis=1).astype(np.float32)
    return mono


def _opened(file: Path) -> wave.Wave_read:
    try:
        return wave.open(str(file), "rb")
    except (wave.Error, EOFError, RuntimeError, ValueError, OverflowError) as error:
        raise InputError(f"{file.name} isn't a PCM .wav file ({error}); convert it to 16-bit PCM") from error
