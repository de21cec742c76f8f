"""`read`: any source as a `Dataset`; one reader a form lies under `readers/`."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mithridate.core.errors import InputError
from mithridate.data.budget import Budget
from mithridate.data.dataset import Dataset
from mithridate.data.options import Options, checked_modality

FORMS = (".npz", ".parquet", ".csv", ".tsv", ".jsonl")
_HINTS = dict.fromkeys((".gz", ".zip", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z"), "unpack it first")
_HINTS |= {".npy": "write arrays as .npz: numpy.savez(FILE, x=..., y=...)", ".json": "write one object a line: .jsonl"}
_HINTS |= {".arrow": "pass the folder it lies in", ".feather": "write it as .parquet", ".xlsx": "write it as .csv"}


def read(
    source: Any,
    *,
    label: str | None = None,
    source_column: str | None = None,
    content: str | None = None,
    modality: str | None = None,
    name: str | None = None,
    max_bytes: int | None = None,
) -> Dataset:
    """The rows of a file, a folder, or of anything in memory that `from_memory` takes.

    Parameters
    ----------
    source : `.npz`, `.parquet`, `.csv`, `.tsv`, `.jsonl`, a folder of images (with `modality="audio"`: of .wav
        files) in class folders, a Hugging Face folder.
    label, source_column, content : columns (arrays in an npz) that hold them; None infers them from usual names.
        An empty `label` says that there are no labels.
    modality : image, table, text, embedding or audio (which is never inferred); None infers it.
    name : what reports call the data; None takes the file's name.
    max_bytes : memory the rows may take; None: 60 % of what is free.

    Raises
    ------
    InputError : in one line, what is wrong, where, and what to do next.
    MissingExtra : image files without Pillow.
    """
    if not isinstance(source, str | os.PathLike):
        from mithridate.data.memory import from_memory

        return from_memory(
            source, labels=label, sources=source_column, content=content, modality=modality, name=name or "memory"
        )
    path = Path(source)
    options = Options(
        name=printable(name or path.name or path.resolve().name),
        label=label,
        source=source_column,
        content=content,
        modality=checked_modality(modality),
        budget=Budget() if max_bytes is None else Budget(max_bytes),
    )
    with one_line(options.name):
        return _dispatch(path, options)


@contextmanager
def one_line(name: str) -> Iterator[None]:
    """Whatever reading raises, as one clear line without control characters."""
    try:
        yield
    except InputError as error:
        if printable(str(error)) == str(error):
            raise
        raise InputError(printable(str(error))) from error
    except PermissionError as error:
        raise InputError(f"{name} can't be read: permission denied; change its mode, or run as its owner") from error
    except OSError as error:
        raise InputError(f"{name} can't be read ({error.strerror or 'input/output error'}); check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} holds a name or text that isn't UTF-8; write it again as UTF-8") from error
    except MemoryError as error:
        raise InputError(f"{name} doesn't fit into memory; pass fewer rows or columns") from error


def printable(text: str) -> str:
    r"""The text with control characters written out: file names may hold newlines and terminal escapes.

    Examples
    --------
    >>> printable("a\nb.csv")
    'a\\nb.csv'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def _dispatch(path: Path, options: Options) -> Dataset:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"no such file or folder: {path.name!r}; check the path") from error
    except ValueError as error:
        msg = "the path holds a NUL character; check it"
        raise InputError(msg) from error
    if stat.S_ISDIR(mode):
        return _folder(path, options)
    if not stat.S_ISREG(mode):
        raise InputError(f"{options.name} is no ordinary file but a pipe, socket or device; write it to a file first")
    return _file(path, options)


def _folder(path: Path, options: Options) -> Dataset:
    from mithridate.data.readers.huggingface import is_huggingface, read_huggingface

    if is_huggingface(path):
        return read_huggingface(path, options)
    if options.modality == "audio":
        from mithridate.data.readers.sounds import read_sounds

        return read_sounds(path, options)
    from mithridate.data.readers.images import read_images

    return read_images(path, options)


def _file(path: Path, options: Options) -> Dataset:
    suffix = path.suffix.lower()
    if not path.stat().st_size:
        raise InputError(f"{options.name} is empty (0 bytes); there is nothing to audit")
    if suffix == ".npz":
        from mithridate.data.readers.npz import read_npz

        return read_npz(path, options)
    if suffix in {".parquet", ".pq"}:
        from mithridate.data.readers.parquet import read_parquet

        return read_parquet([path], options)
    if suffix in {".csv", ".tsv"}:
        from mithridate.data.readers.delimited import read_csv

        return read_csv(path, options)
    if suffix in {".jsonl", ".ndjson"}:
        from mithridate.data.readers.json_lines import read_jsonl

        return read_jsonl(path, options)
    hint = _HINTS.get(suffix, f"pass one of {', '.join(FORMS)}, or a folder")
    raise InputError(f"{options.name} has a form that isn't read; {hint}")
